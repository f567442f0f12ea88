# SPDX-License-Identifier: Apache-2.0
"""The dashboard's web server: a thread of its own, so that ROS keeps the main one."""

from __future__ import annotations

import socket
import threading
from functools import cache
from pathlib import Path

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from semcom_ros.errors import SemcomError
from semcom_ros.nodes.dashboard.fleet import Fleet
from semcom_ros.nodes.dashboard.gate import Gate
from semcom_ros.nodes.dashboard.live import Live
from semcom_ros.nodes.dashboard.page import build

STATIC = Path(__file__).parent / "static"
STOP_S = 1
"""How long open pages may hold up the end."""
RECONNECT_S = 10
"""How long a page may be cut off and go on where it was; later it is loaded anew. Two fifths of it
are what a browser may take to answer: by NiceGUI's own 3 s, pages of a busy machine come and go."""


@cache
def _application() -> FastAPI:
    """The one application of this process: NiceGUI can be mounted once."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.websocket("/live")
    async def live(page: WebSocket) -> None:
        await app.state.live.serve(page)

    @ui.page("/", title="semcom_ros")
    async def index() -> None:
        build(app.state.fleet)

    app.mount("/own", StaticFiles(directory=STATIC))
    ui.run_with(
        app,
        dark=None,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        tailwind=False,
        show_welcome_message=False,
    )
    return app


class WebServer:
    """Serves pages that `live` shows and that set what `fleet` has, on `address` and `port` until
    `stop`; port 0 takes a free one.

    Raises SemcomError where it cannot listen there.
    """

    def __init__(self, fleet: Fleet, live: Live, address: str, port: int, token: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((address, port))
            # Who comes before the server's thread is up waits for it.
            self._socket.listen()
        except (OSError, UnicodeError) as error:
            self._socket.close()
            reason = getattr(error, "strerror", None) or error
            raise SemcomError(
                f"The dashboard cannot listen on {address} port {port}: {reason}. Set another "
                "dashboard_port or dashboard_address."
            ) from error
        self.port = self._socket.getsockname()[1]
        app = _application()
        app.state.fleet, app.state.live = fleet, live
        # What uvicorn has to say goes by no log of a node's.
        config = uvicorn.Config(
            Gate(app, token),
            log_level="warning",
            timeout_graceful_shutdown=STOP_S,
            ws_max_size=4096,
        )
        self._server = uvicorn.Server(config)
        sockets = [self._socket]
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), name="web")
        self._thread.start()

    def stop(self) -> None:
        """Let go of all pages and end."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
