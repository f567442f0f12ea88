# SPDX-License-Identifier: Apache-2.0
"""Who is let in: by a token where one is set, and never a page of somebody else's."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from semcom_ros.errors import SemcomError

COOKIE = "semcom_token"
REFUSED = (
    "Refused: open the address that the dashboard printed, as it stands there, with its ?token= if "
    "it has one.\n"
)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, or calls itself so."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_address(address: str, token: str) -> None:
    """Raise SemcomError for an address that other machines reach, and no token."""
    if not is_loopback(address) and not token:
        raise SemcomError(
            f"The dashboard is to listen on {address}, where other machines reach it, and has no "
            "token: set dashboard_token, or leave dashboard_address at 127.0.0.1 and use an ssh "
            "tunnel."
        )


class Gate:
    """Lets requests and sockets through to `app` that bring the token, "" for none, and do not come
    from another site's page: who can open one may set every parameter of a vehicle."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token
        # What a browser keeps is not the token, and has no letter that a cookie must quote.
        self._kept = hashlib.sha256(token.encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        # One that another server of this machine has set may be anything.
        held = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        brought = query.get("token", [""])[-1]
        if not self._is_own(headers) or not (
            _same(brought, self._token) or _same(held, self._kept)
        ):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse(REFUSED, 401)(scope, receive, send)
        elif brought and scope["type"] == "http" and scope["path"] == "/":
            # The token leaves the address bar, and with it history and screenshots.
            answer = RedirectResponse("/")
            # A strict one would not go with this answer where a link elsewhere led here.
            answer.set_cookie(COOKIE, self._kept, httponly=True, samesite="lax")
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        """Whether it was sent by a page of this server, or by no page. Without a token, the name
        must be this machine's too: any site may let a name of its own lead here."""
        host, origin = headers.get("host", ""), headers.get("origin")
        named = is_loopback(re.sub(r":\d+$", "", host))
        return (bool(self._token) or named) and origin in (None, f"http://{host}")


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
