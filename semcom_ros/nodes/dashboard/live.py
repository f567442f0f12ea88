# SPDX-License-Identifier: Apache-2.0
"""From the executor's thread to the pages: the newest of everything, and who is looking."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect


class Live:
    """Pages that look, and what they are shown.

    changed: called, in the server's thread, when a page comes and when it has gone.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._pages: dict[WebSocket, asyncio.Queue[bytes]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def pages(self) -> int:
        """How many look."""
        return len(self._pages)

    def show(
        self, heads: list[dict[str, Any]], pictures: Mapping[str, Mapping[str, bytes]]
    ) -> None:
        """Show all pages what is told of vehicles and, by vehicle and what they show, pictures.

        From any thread; a page that is still busy with what came before misses it.
        """
        blobs, at = [], 0
        for head in heads:
            head["pictures"] = {}
            for what, data in pictures.get(head["name"], {}).items():
                head["pictures"][what] = at, len(data)
                blobs.append(data)
                at += len(data)
        text = json.dumps(heads, separators=(",", ":")).encode()
        message = struct.pack("<I", len(text)) + text + b"".join(blobs)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._put, message)

    async def serve(self, page: WebSocket) -> None:
        """Show a page what there is until it goes.

        A message is the length of its JSON (uint32), the JSON, and the pictures' bytes, of which
        the JSON says where they lie.
        """
        self._loop = asyncio.get_running_loop()
        await page.accept()
        queue = self._pages[page] = asyncio.Queue(1)
        self._changed()
        sending = asyncio.create_task(_send(page, queue))
        try:
            while (await page.receive())["type"] == "websocket.receive":
                pass  # a page has nothing to say
        finally:
            sending.cancel()
            del self._pages[page]
            self._changed()

    def _put(self, message: bytes) -> None:
        for queue in self._pages.values():
            if not queue.full():
                queue.put_nowait(message)


async def _send(page: WebSocket, queue: asyncio.Queue[bytes]) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it goes while it is sent to
        while True:
            await page.send_bytes(await queue.get())
