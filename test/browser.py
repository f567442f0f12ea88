# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven over its DevTools socket, that reaches this machine alone."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium-headless-shell")
OPTIONS = (
    "--no-sandbox", "--enable-unsafe-swiftshader", "--remote-debugging-port=0", "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-first-run",
)  # fmt: skip
PATIENCE_S = 60.0


class Tab:
    """One page. requests: every URL that it asked for. said: errors that it met."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.requests: list[str] = []
        self.said: list[str] = []

    async def listen(self) -> None:
        """Take what the browser tells until it ends."""
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])
            elif told["method"] == "Network.webSocketCreated":
                self.requests.append(told["params"]["url"])
            elif told["method"] == "Runtime.exceptionThrown":
                self.said.append(json.dumps(told["params"]["exceptionDetails"]))
            elif told["method"] == "Log.entryAdded":
                if told["params"]["entry"]["level"] == "error":
                    self.said.append(json.dumps(told["params"]["entry"]))

    async def call(
        self, method: str, patience_s: float = PATIENCE_S, **parameters: Any
    ) -> dict[str, Any]:
        """The result of a DevTools command."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        told = await asyncio.wait_for(self._answers[number], patience_s)
        assert "result" in told, told
        return told["result"]

    async def value(self, expression: str, patience_s: float = PATIENCE_S) -> Any:
        """What a JavaScript expression, or its promise, comes to; an element comes to {}."""
        how = {"returnByValue": True, "awaitPromise": True}
        told = await self.call("Runtime.evaluate", patience_s, expression=expression, **how)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def until(self, expression: str, what: str) -> Any:
        """Wait until an expression is true."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while not (value := await self.value(expression)):
                    await asyncio.sleep(0.05)
            except TimeoutError:
                raise AssertionError(f"waited in vain for {what}") from None
        return value

    async def press(self, selector: str, share: float = 0.5) -> None:
        """Click on an element, at a share of its width."""
        box = await self.until(
            f"(() => {{const e = document.querySelector({selector!r}); if (!e) return null;"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.left, r.top, r.width, r.height];})()",
            selector,
        )
        at = {"x": box[0] + share * box[2], "y": box[1] + box[3] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at
            )

    async def key(self, key: str) -> None:
        """Press a key that writes one letter."""
        of_key = {"key": key, "code": f"Key{key.upper()}", "text": key}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **of_key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **of_key)

    async def look(self, width: int, height: int, dark: bool = False) -> None:
        """Take the size of a window or, below 620 pixels, of a phone."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=width < 620,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        """Save what is seen as PNG."""
        told = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Tab]:
    """A browser with one empty tab; its profile lies in `folder`."""
    line = [PROGRAM, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    # The program is a script around the browser: both end with their group.
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(line, start_new_session=True, **quiet)
    try:
        told = folder / "DevToolsActivePort"
        async with asyncio.timeout(PATIENCE_S):
            while not told.exists() or not told.read_text().strip():
                await asyncio.sleep(0.05)
        port = told.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (address,) = [t["webSocketDebuggerUrl"] for t in await answer.json()]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                tab = Tab(socket)
                listening = asyncio.create_task(tab.listen())
                for domain in ("Page", "Network", "Runtime", "Log"):
                    await tab.call(f"{domain}.enable")
                yield tab
                listening.cancel()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
