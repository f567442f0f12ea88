# SPDX-License-Identifier: Apache-2.0
"""From the executor's thread to the pages: the newest of everything, and who is looking."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect


def message(heads: list[dict[str, Any]], pictures: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """One message of `/live`: the length of its JSON (uint32), the JSON, then all pictures' bytes.

    heads: of the vehicles. pictures: by vehicle, by what they show; the JSON says where they lie.
    """
    blobs, at = [], 0
    for head in heads:
        head["pictures"] = {}
        for what, data in pictures.get(head["name"], {}).items():
            head["pictures"][what] = at, len(data)
            blobs.append(data)
            at += len(data)
    text = json.dumps({"vehicles": heads}, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + b"".join(blobs)


class Live:
    """Pages that look, and what they are shown.

    changed: called, in the server's thread, when the first page comes and when the last has gone.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed, self._lock = changed, threading.Lock()
        self._pages: dict[WebSocket, asyncio.Queue[bytes]] = {}
        self._with_points: set[WebSocket] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def pages(self) -> int:
        """How many look."""
        return len(self._pages)

    @property
    def wants_points(self) -> bool:
        """Whether any of them shows points."""
        return bool(self._with_points)

    def show(self, data: bytes) -> None:
        """Send `data` to every page, from any thread; one that is still busy with the last before
        misses it."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._put, data)

    async def serve(self, page: WebSocket) -> None:
        """Show a page what there is until it goes."""
        self._loop = asyncio.get_running_loop()
        await page.accept()
        queue = self._pages[page] = asyncio.Queue(1)
        self._changed()
        hearing = asyncio.create_task(self._hear(page))
        try:
            while not hearing.done():
                sending = asyncio.create_task(queue.get())
                await asyncio.wait({hearing, sending}, return_when=asyncio.FIRST_COMPLETED)
                if not sending.cancel():
                    await page.send_bytes(sending.result())
        except (WebSocketDisconnect, RuntimeError):
            pass  # it went while it was sent to
        finally:
            hearing.cancel()
            self._with_points.discard(page)
            del self._pages[page]
            self._changed()

    async def _hear(self, page: WebSocket) -> None:
        """Until it goes, a page says "points" or "no points"."""
        try:
            while True:
                wanted = await page.receive_text() == "points"
                (self._with_points.add if wanted else self._with_points.discard)(page)
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass

    def _put(self, data: bytes) -> None:
        for queue in self._pages.values():
            if not queue.full():
                queue.put_nowait(data)
