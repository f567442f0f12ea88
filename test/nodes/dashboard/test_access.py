# SPDX-License-Identifier: Apache-2.0
"""Who is let in to the dashboard, and what it says where it cannot be."""

from __future__ import annotations

import asyncio
import hashlib
import socket

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")
pytest.importorskip("nicegui", reason="NiceGUI is not installed")

import aiohttp  # noqa: E402
from dashboard_bench import TOKEN, dashboard  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.nodes import dashboard_node  # noqa: E402
from semcom_ros.nodes.dashboard.gate import Gate, check_address, is_loopback  # noqa: E402
from semcom_ros.nodes.dashboard.web_server import WebServer  # noqa: E402
from semcom_ros.nodes.dashboard_node import DashboardNode  # noqa: E402


@pytest.fixture(scope="module")
def port():
    """Of a dashboard that asks for a token; that it was ended and began again is not seen."""
    with dashboard(dashboard_token=TOKEN) as graph:
        graph.in_executor(graph.dashboard.trigger_deactivate)
        graph.in_executor(graph.dashboard.trigger_activate)
        yield graph.dashboard.port


def asked(
    port: int, path: str = "/", headers: dict[str, str] | None = None, **query: str
) -> tuple[int, str]:
    """Status and text of what a visitor is answered who keeps cookies."""

    async def ask() -> tuple[int, str]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
            url = f"http://127.0.0.1:{port}"
            async with session.get(url, params=query) as first:
                if path == "/":
                    return first.status, await first.text()
            try:
                async with session.ws_connect(url + path, max_msg_size=0) as page:
                    await page.send_bytes(b"nobody listens to what a page says")
                    return 101, (await page.receive(10)).type.name
            except aiohttp.WSServerHandshakeError as error:
                return error.status, ""

    return asyncio.run(ask())


def test_the_token_lets_in_and_is_remembered(port):
    assert asked(port, token=TOKEN)[0] == 200
    assert asked(port, "/live", token=TOKEN) == (101, "BINARY")


@pytest.mark.parametrize("query", [{}, {"token": "open"}, {"token": ""}])
def test_without_the_right_token_neither_page_nor_socket_opens(port, query):
    status, text = asked(port, **query)
    assert status == 401 and "?token=" in text and "vehicle" not in text
    assert asked(port, "/live", **query)[0] == 403
    assert asked(port, "/_nicegui_ws/socket.io/?EIO=4&transport=websocket", **query)[0] == 403


def test_a_page_of_another_site_is_refused_even_with_the_token(port):
    assert asked(port, "/live", {"Origin": "http://example.org"}, token=TOKEN)[0] == 403


@pytest.mark.parametrize("cookie", ['odd={"a": 1, "b"}; ', "a/b{c}=1; ", "=; "])
def test_cookies_of_this_machines_other_servers_do_not_hide_the_token(port, cookie):
    held = f"{cookie}semcom_token={hashlib.sha256(TOKEN.encode()).hexdigest()}"
    assert asked(port, headers={"Cookie": held})[0] == 200
    assert asked(port, headers={"Cookie": cookie})[0] == 401


@pytest.mark.parametrize("host", ["[", "example.org", "[::1", "127.0.0.1.example.org:8080"])
def test_without_a_token_a_name_that_is_not_this_machines_is_refused(host):
    async def refused() -> int:
        answers = []
        scope = {
            "type": "http",
            "path": "/",
            "query_string": b"",
            "headers": [(b"host", host.encode())],
        }

        async def send(answer):
            answers.append(answer)

        await Gate(None, "")(scope, None, send)
        return answers[0]["status"]

    assert asyncio.run(refused()) == 401


def test_what_only_this_machine_reaches_needs_no_token():
    for address in ("127.0.0.1", "localhost", "::1", "127.0.0.53"):
        assert is_loopback(address)
        check_address(address, "")
    check_address("0.0.0.0", TOKEN)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.7", "roadside.local", ""])
def test_an_address_that_others_reach_needs_a_token(address):
    with pytest.raises(SemcomError, match="has no token: set dashboard_token"):
        check_address(address, "")


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SemcomError, match=f"cannot listen on 127.0.0.1 port {port}: .* in use"):
            WebServer(None, None, "127.0.0.1", port, "")


def test_without_nicegui_the_node_says_what_to_install(monkeypatch):
    monkeypatch.setattr(dashboard_node.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="needs NiceGUI, which is not installed here"):
        DashboardNode.main()
