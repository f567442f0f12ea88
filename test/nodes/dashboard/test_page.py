# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a real browser: one graph and one browser for all of it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")
pytest.importorskip("nicegui", reason="NiceGUI is not installed")

from browser import PATIENCE_S, PROGRAM, Tab, browsing  # noqa: E402
from dashboard_bench import Graph, dashboard  # noqa: E402
from nicegui import Client  # noqa: E402
from nicegui.element import Element  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from starlette.websockets import WebSocket  # noqa: E402

from semcom_ros.nodes.dashboard import pace, vehicle_view  # noqa: E402

KNOWN = "document.querySelector('[data-parameter=loss]')?.ariaDisabled === null"
RECONNECTS = 200
STATE = "document.querySelector('.vehicle .state')?.textContent"
RECONNECTING = f"""(async () => {{
  const visit = () => new Promise((done) => {{
    const socket = new WebSocket(`ws://${{location.host}}/live`);
    socket.onopen = () => socket.close();
    socket.onclose = done;
  }});
  for (let i = 0; i < {RECONNECTS}; i += 10) await Promise.all([...Array(10)].map(visit));
}})()"""
RELOADS = 2
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def graph() -> Iterator[Graph]:
    with dashboard() as made:
        yield made


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs coroutines in one loop, that of the browser's socket."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def address(graph: Graph) -> str:
    return f"http://127.0.0.1:{graph.dashboard.port}"


@pytest.fixture(scope="module")
def tab(run: Run, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A tab that shows the page."""
    if PROGRAM is None:
        pytest.skip("chromium-headless-shell is not installed")
    context = browsing(tmp_path_factory.mktemp("browser"))
    shown = run(context.__aenter__())
    run(shown.call("Page.navigate", url=address))
    run(shown.until(f"{STATE} === 'live'", "a vehicle that is live"))
    yield shown
    run(context.__aexit__(None, None, None))


def pixels(of: str) -> str:
    """An expression: the sum of a picture's pixels, 0 where there is none."""
    return (
        f"(() => {{const c = document.querySelector('canvas.{of}');"
        "return c ? c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ".reduce((sum, one, i) => sum + (i % 4 < 3 ? one : 0), 0) : 0;})()"
    )


@pytest.mark.parametrize("of", ["camera", "received", "image"])
def test_the_page_shows_pictures_that_move(run, tab, of):
    first = run(tab.until(pixels(of), f"a picture of {of}"))
    run(tab.until(f"{pixels(of)} !== {first}", f"another picture of {of}"))


def test_what_crossed_the_air_and_what_it_rests_on_is_told(run, tab):
    text = run(tab.value("document.querySelector('.vehicle').innerText"))
    for words in ("bytes a frame", "received 50 %", "inferred 25 %", "invented 25 %", "limit 100"):
        assert words in text
    corner = "document.querySelector('canvas.image').getContext('2d').getImageData(9, 9, 9, 9).data"
    tinted = f"[...{corner}].some((one, i, all) => i % 4 === 1 && one !== all[i - 1])"
    assert not run(tab.value(tinted)), "the feeder's pictures are grey"
    run(tab.press("[data-evidence=invented]"))
    run(tab.until(tinted, "the overlay of what was invented"))
    run(tab.press("[data-evidence=invented]"))
    run(tab.until(f"!{tinted}", "no overlay"))


def test_the_first_press_of_d_changes_what_the_system_wished(run, tab):
    dark = "document.body.classList.contains('body--dark')"
    run(tab.look(1280, 800, dark=True))
    run(tab.until(dark, "the system's wish"))
    run(tab.value("document.activeElement.blur()"))
    run(tab.key("d"))
    run(tab.until(f"!{dark}", "light"))


def test_a_slider_moves_a_parameter_of_a_real_node_and_follows_it(run, tab, graph):
    def loss() -> float:
        return graph.channel.get_parameter("loss").value

    async def until_lossy() -> None:
        while not 0.4 < loss() < 0.6:
            await asyncio.sleep(0.05)

    slider = "[data-parameter=loss]"
    run(tab.until(KNOWN, "a slider of what the node has"))
    run(tab.press(slider, 0.5))
    run(asyncio.wait_for(until_lossy(), PATIENCE_S))
    run(tab.until("!!document.body.innerText.match(/\\d+ %\\s*lost/)", "losses"))
    graph.in_executor(lambda: graph.channel.set_parameters([Parameter("loss", value=0.0)]))
    value = f"document.querySelector('{slider}').ariaValueNow"
    run(tab.until(f"{value} === '0'", "the slider's return"))


def test_what_was_changed_without_a_word_is_known_in_time(run, tab, graph):
    """As by a node that was started anew: nobody had found it yet when it told its parameters."""

    def known() -> dict[str, Any]:
        return graph.dashboard.fleet.remote.values.get("/vehicle_1/channel_node", {})

    async def until_known() -> None:
        while known().get("loss") != 0.0:
            await asyncio.sleep(0.05)

    run(asyncio.wait_for(until_known(), PATIENCE_S))
    graph.in_executor(lambda: known().update(loss=0.75))
    run(asyncio.wait_for(until_known(), PATIENCE_S))
    run(tab.until("document.querySelector('[data-parameter=loss]').ariaValueNow === '0'", "it"))


def test_the_tunnel_is_a_script_of_the_radio(run, tab, graph):
    run(tab.until(KNOWN, "what the radio has"))
    run(tab.value("document.activeElement.blur()"))
    run(tab.key("t"))
    run(tab.until("document.body.innerText.includes('Leave the tunnel')", "the tunnel"))
    assert graph.channel.get_parameter("script").value.endswith("tunnel.yaml")
    assert graph.channel.get_parameter("channel").value == "awgn"
    run(tab.key("t"))
    run(tab.until("document.body.innerText.includes('Drive into the tunnel')", "its end"))
    assert graph.channel.get_parameter("script").value == ""
    graph.in_executor(lambda: graph.channel.set_parameters([Parameter("channel", value="none")]))


def test_what_a_node_refuses_is_told_and_shown_as_it_was(run, tab, graph):
    run(tab.until("!!document.querySelector('[data-parameter=channel]')", "the list"))
    run(tab.press("[data-parameter=channel]"))
    choice = "[...document.querySelectorAll('.q-menu .q-item')].find(i => i.innerText === 'trace')"
    run(tab.until(f"!!{choice}", "the choices"))
    run(tab.value(f"{choice}.click()"))
    run(tab.until("document.body.innerText.includes('no trace is named')", "the reason"))
    assert graph.channel.get_parameter("channel").value == "none"
    shown = "document.querySelector('[data-parameter=channel]').closest('.q-field').innerText"
    run(tab.until(f"{shown}.includes('none')", "the old choice"))


def test_a_picture_that_no_newer_one_follows_is_grey(run, tab, graph, monkeypatch):
    monkeypatch.setattr(vehicle_view, "OLD_S", 0.2)
    grey = "document.querySelector('canvas.{}').className.includes('stale')"
    silenced = graph.feeder.silenced = {"rsu/image", "rsu/segmentation/confidence"}
    run(tab.until(grey.format("image"), "that the image is old"))
    run(tab.until("document.body.innerText.includes('received –')", "that nothing is known"))
    run(tab.until(f"!{grey.format('received')}", "a map that goes on"))
    silenced.clear()
    run(tab.until(f"!{grey.format('image')}", "its return"))


def test_a_drive_that_is_late_gets_the_time_of_some_pictures(run, tab, graph, monkeypatch):
    told = "document.querySelector('canvas.camera').parentNode.innerText"
    monkeypatch.setattr(pace, "JUDGED_EVERY_S", 0.1)
    with monkeypatch.context() as late:
        late.setitem(vehicle_view.LIMITS_MS, "labels", 1e-3)
        run(tab.until(f"{told}.includes('every 1.0 s: the drive is late')", "the slowest pace"))
    run(tab.until(f"!{told}.includes('late')", "the usual pace"))


def test_a_lost_vehicle_is_told_and_comes_back(run, tab, graph):
    graph.in_executor(graph.starve)
    run(tab.until(f"/no frame for \\d+ s/.test({STATE})", "that it is lost"))
    graph.in_executor(graph.feed)
    run(tab.until(f"{STATE} === 'live'", "its return"))


def test_a_node_that_falls_silent_is_told(run, tab, graph):
    graph.in_executor(graph.channel.trigger_deactivate)
    graph.in_executor(graph.channel.trigger_cleanup)
    said = "document.querySelector('.alerts').innerText"
    run(tab.until(f"{said}.includes('channel_node has said nothing for')", "the silence"))
    graph.in_executor(graph.channel.trigger_configure)
    graph.in_executor(graph.channel.trigger_activate)
    run(tab.until(f"{said} === ''", "that it speaks again"))


def test_nothing_is_asked_of_any_other_host(tab, address):
    hosts = {url.split("/")[2] for url in tab.requests if url.startswith(("http", "ws"))}
    assert hosts == {address.removeprefix("http://")}
    assert tab.said == []


def test_reconnects_leave_nothing_behind_and_the_last_page_ends_all_work(run, tab, graph, address):
    node = graph.dashboard

    def counted() -> Counter[str]:
        gc.collect()
        entities = {"subscriptions": node.subscriptions, "services": node.clients,
                    "timers": node.timers, "guards": node.guards}  # fmt: skip
        owned = (WebSocket, Element, asyncio.Queue, Client)
        found = Counter({name: len(list(own)) for name, own in entities.items()})
        found.update(type(o).__name__ for o in gc.get_objects() if issubclass(type(o), owned))
        return found + Counter(pages=node.live.pages)

    async def settled(most: Counter[str]) -> None:
        while graph.in_executor(counted) - most:
            await asyncio.sleep(0.2)

    def until(most: Counter[str]) -> None:
        """Wait until there is no more of anything than `most`."""
        try:
            run(asyncio.wait_for(settled(most), 40))
        except TimeoutError:
            pytest.fail(f"left behind: {graph.in_executor(counted) - most}")

    before = graph.in_executor(counted)
    assert before["pages"] == 1 <= before["WebSocket"], before
    run(tab.value(RECONNECTING, 60.0))
    for _ in range(RELOADS):
        run(tab.call("Page.navigate", url=address))
        run(tab.until(f"{STATE} === 'live'", "the page again"))
    until(before)
    run(tab.call("Page.navigate", url="about:blank"))
    # Of a node without pages: what it says of time and parameters to itself.
    until(before - Counter(pages=1, Client=1, WebSocket=1, subscriptions=8, services=1))
    assert node.fleet.vehicles == {} and node.fleet.remote is None
    assert node.status()[1] == "idle: no page is open"
