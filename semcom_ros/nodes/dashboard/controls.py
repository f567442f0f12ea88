# SPDX-License-Identifier: Apache-2.0
"""Controls of one vehicle's nodes, made from their parameter tables: what can be set at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from nicegui import ui

from semcom_ros.errors import SemcomError
from semcom_ros.graph import VEHICLE_RSU, table
from semcom_ros.nodes.dashboard.fleet import Fleet
from semcom_ros.parameter import Parameter, Value
from semcom_ros.runtime import shipped_folder

FIRST = ("codec", "payload_bytes", "task", "channel", "snr_db", "speed_kmh", "loss", "mcs")
"""Those that a visitor tries first; all others are folded away by their node."""
TITLES = {"camera_node": "Camera", "vehicle_node": "Vehicle", "channel_node": "Radio",
          "rsu_node": "Roadside unit"}  # fmt: skip
UNITS = {"db": "dB", "kmh": "km/h", "ms": "ms", "ns": "ns", "s": "s", "m": "m", "ghz": "GHz",
         "mhz": "MHz", "kbps": "kbit/s"}  # fmt: skip
SHORT = ("snr", "mcs", "csi", "rsu", "fds", "bler")
TUNNEL = shipped_folder("config") / "tunnel.yaml"
BAG = "bag_node"
"""Plays in the camera's place, where it is started."""
SLIDABLE = 2000
"""A wider range than this is typed."""
READ_S = 5.0
"""How often a node is asked for what it has."""


def settable() -> dict[str, tuple[Parameter, tuple[str, ...]]]:
    """Parameters that take effect at once, and the nodes that have them, by name."""
    found: dict[str, tuple[Parameter, tuple[str, ...]]] = {}
    for node in (*VEHICLE_RSU, BAG):
        for name, p in table(node).items():
            if p.when == "at once":
                found[name] = p, (*found.get(name, (p, ()))[1], node)
    return found


def label(name: str) -> str:
    """A parameter's name as one reads it: snr_db -> SNR (dB)."""
    *words, last = name.split("_")
    unit = UNITS.get(last) if words else None
    words = words if unit else [*words, last]
    text = " ".join(word.upper() if word in SHORT else word for word in words)
    return text[0].upper() + text[1:] + (f" ({unit})" if unit else "")


def step(p: Parameter) -> float:
    """1, 2 or 5 of some power of ten, so that a slider has about a hundred steps."""
    if isinstance(p.default, int):
        return 1
    share = (p.maximum - p.minimum) / 100
    power = 10 ** math.floor(math.log10(share))
    return power * max(n for n in (1, 2, 5) if n * power <= share * 1.001)


class Controls:
    """Those of the vehicle that is chosen, where there are several. tunnel, pause: buttons of the
    page that say what they would do next."""

    def __init__(self, fleet: Fleet, tunnel: ui.button, pause: ui.button) -> None:
        self._fleet, self._tunnel, self._pause = fleet, tunnel, pause
        self._widgets: dict[str, Any] = {}
        self._told: dict[str, Value] = {}
        self._all = settable()
        self._choice = ui.select([], label="Vehicle", on_change=lambda: self._told.clear())
        self._choice.props("outlined dense").set_visibility(False)
        for name in FIRST:
            if name in self._all:
                self._add(name)
        for node in VEHICLE_RSU:
            others = [n for n, (_, nodes) in self._all.items() if nodes[0] == node]
            others = [n for n in others if n not in FIRST and n != "paused" and n != "script"]
            if others:
                with ui.expansion(f"More of the {TITLES[node].lower()}").props("dense"):
                    for name in others:
                        self._add(name)

    async def follow(self) -> None:
        """Offer the vehicles that are there by now, and show what has been set, by whomever."""
        names = list(self._fleet.vehicles)
        if names != self._choice.options:
            chosen = self._choice.value if self._choice.value in names else None
            self._choice.set_options(names, value=chosen or next(iter(names), None))
            self._choice.set_visibility(len(names) > 1)
        await self._ask()
        if self._choice.is_deleted:
            return  # the visitor has gone meanwhile
        for name, widget in self._widgets.items():
            value = self._value(name)
            if value is not None and value != self._told.get(name):
                self._told[name] = value
                widget.value = value
                widget.enable()
        for button, is_on, texts, icons in (
            (self._tunnel, self._in_tunnel, ("Drive into the tunnel", "Leave the tunnel"),
             ("trending_down", "trending_up")),
            (self._pause, self._is_paused, ("Pause", "Go on"), ("pause", "play_arrow")),
        ):  # fmt: skip
            if button.text != texts[is_on]:
                button.set_text(texts[is_on])
                button.set_icon(icons[is_on])

    async def drive_into_tunnel(self) -> None:
        """Let the radio go by the tunnel's script, or by its parameters again."""
        # The key may come before anything is known.
        await self._ask()
        if self._value("channel") is None:
            ui.notify("The radio has not told its parameters yet: try again in a moment.")
            return
        if self._in_tunnel:
            await self._set(["channel_node"], {"script": ""})
            return
        values: dict[str, Value] = {"script": str(TUNNEL)}
        if self._value("channel") == "none":
            # The ideal link knows no SNR.
            values["channel"] = "awgn"
        await self._set(["channel_node"], values)

    async def pause(self) -> None:
        """Hold the camera, or the player in its place, or let it go on."""
        player = BAG if BAG in self._fleet.alive(self._choice.value) else "camera_node"
        await self._set([player], {"paused": not self._is_paused})

    @property
    def _in_tunnel(self) -> bool:
        return self._value("script") == str(TUNNEL)

    @property
    def _is_paused(self) -> bool:
        return self._value("paused") is True

    def _value(self, name: str) -> Value | None:
        """What the chosen vehicle's nodes have, None where that is not known."""
        remote, vehicle = self._fleet.remote, self._choice.value
        if remote is None or vehicle is None:
            return None
        for node in self._all[name][1]:
            value = remote.values.get(self._fleet.address(vehicle, node), {}).get(name)
            if value is not None:
                return value
        return None

    async def _ask(self) -> None:
        """Ask those who are new, and now and then all: who is started anew tells nobody."""
        remote, vehicle = self._fleet.remote, self._choice.value
        if remote is None or vehicle is None:
            return
        for node in self._fleet.alive(vehicle) & {*VEHICLE_RSU, BAG}:
            of = self._fleet.address(vehicle, node)
            if time.monotonic() - remote.read_at.get(of, -math.inf) > READ_S:
                names = [name for name, (_, nodes) in self._all.items() if node in nodes]
                with suppress(SemcomError):  # it has just gone
                    await remote.read(of, names)

    def _add(self, name: str) -> None:
        """The widget of a parameter: a list, a switch, a slider, a number or a text."""
        p, _ = self._all[name]
        text = label(name)

        async def change(event: Any) -> None:
            await self._take(name, event.sender.value)

        widget: Any
        if p.choices:
            widget = ui.select(list(p.choices), label=text, on_change=change)
        elif isinstance(p.default, bool):
            widget = ui.switch(text, on_change=change)
        elif isinstance(p.default, str):
            widget = ui.input(text).on("blur", change).on("keydown.enter", change)
        elif p.maximum is not None and p.maximum - p.minimum <= SLIDABLE:
            with ui.element("label").classes("slide"):
                ui.label(text)
                number = ui.label().classes("number")
                widget = ui.slider(min=p.minimum, max=p.maximum, step=step(p), value=p.default)
            # When it is let go of; by then its value may still be on the way here.
            widget.on("change", lambda event: self._take(name, event.args))
            number.bind_text_from(widget, "value", lambda value: f"{value:g}")
            widget.props(f'aria-label="{text}"')
        else:
            places = 0 if isinstance(p.default, int) else None
            widget = ui.number(text, min=p.minimum, max=p.maximum, precision=places)
            widget.on("blur", change)
            widget.on("keydown.enter", change)
        if not isinstance(widget, ui.slider | ui.switch):
            widget.props("outlined dense")
        widget.tooltip(p.text).mark(name)
        widget.props(f"data-parameter={name}")
        # Until it is known what the node has.
        widget.disable()
        self._widgets[name] = widget

    async def _take(self, name: str, value: Value | None) -> None:
        """Set what a widget has come to, on every node that has it."""
        p, nodes = self._all[name]
        if value is None or value == self._told.get(name):
            return
        if isinstance(p.default, int | float) and not isinstance(p.default, bool):
            value = type(p.default)(value)
        self._told[name] = value
        await self._set(nodes, {name: value})

    async def _set(self, nodes: Sequence[str], values: dict[str, Value]) -> None:
        """Set parameters of nodes at the same time, and tell what is refused."""
        remote, vehicle = self._fleet.remote, self._choice.value
        if remote is None or vehicle is None:
            ui.notify("There is no vehicle yet.", type="warning")
            return
        writing = (remote.write(self._fleet.address(vehicle, node), values) for node in nodes)
        for error in await asyncio.gather(*writing, return_exceptions=True):
            if self._choice.is_deleted:
                return
            if isinstance(error, SemcomError):
                for name in values:
                    # It is shown as it was.
                    self._told.pop(name, None)
                ui.notify(str(error), type="negative", multi_line=True, timeout=8000)
            elif error is not None:
                raise error
