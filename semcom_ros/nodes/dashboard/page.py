# SPDX-License-Identifier: Apache-2.0
"""The page: a frame into which `static/live.js` draws the vehicles, and beside it the controls."""

from __future__ import annotations

import json

from nicegui import ui
from nicegui.events import KeyEventArguments

from semcom_ros.labels import CLASSES
from semcom_ros.nodes.dashboard.controls import Controls
from semcom_ros.nodes.dashboard.fleet import Fleet

FOLLOW_S = 0.5
"""How often the controls follow what others have set."""
HEAD = (
    '<link rel="stylesheet" href="/own/page.css"><script type="module" src="/own/live.js"></script>'
)


def build(fleet: Fleet) -> None:
    """Lay out the page of one visitor."""
    classes = json.dumps([[one.name, *one.color] for one in CLASSES])
    ui.add_head_html(f"<script>window.semcomClasses = {classes};</script>{HEAD}")
    ui.colors(primary="#2f6f8f")

    def turn_dark() -> None:
        # Whether it is dark by now, by the system's wish, is known to the browser alone.
        ui.run_javascript("Quasar.Dark.toggle()")

    with ui.element("header").classes("bar"):
        ui.html("<h1>semcom_ros</h1><p>meaning instead of pixels, from vehicle to roadside</p>")
        ui.space()
        tunnel = ui.button("Drive into the tunnel", icon="trending_down")
        pause = ui.button("Pause", icon="pause", color=None).classes("plain")
        night = ui.button(icon="contrast", on_click=turn_dark, color=None).classes("plain")
        tunnel.props("unelevated no-caps")
        pause.props("outline no-caps")
        night.props('flat round aria-label="Light or dark"')
        for button, key in ((tunnel, "T"), (pause, "P"), (night, "D")):
            button.tooltip(f"Key {key}")
    with ui.element("div").classes("desk"):
        ui.element("main").props("id=vehicles")
        with ui.element("aside").classes("controls"):
            controls = Controls(fleet, tunnel, pause)
    tunnel.on_click(controls.drive_into_tunnel)
    pause.on_click(controls.pause)

    async def on_key(event: KeyEventArguments) -> None:
        held = event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta
        if event.action.keydown and not event.action.repeat and not held:
            if event.key == "t":
                await controls.drive_into_tunnel()
            elif event.key == "p":
                await controls.pause()
            elif event.key == "d":
                turn_dark()

    ui.keyboard(on_key, ignore=["input", "select", "textarea"])
    # The one timer of a page.
    ui.timer(FOLLOW_S, controls.follow)
