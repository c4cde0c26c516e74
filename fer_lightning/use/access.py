"""Decides who may use a server: no other web page through a visitor's browser, and nobody without its token."""

import secrets
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

SUBPROTOCOL = "fer"
"""Of the WebSocket. A browser can send a token only as another subprotocol beside it."""

TOKEN_PREFIX = "token."
"""What that subprotocol begins with; the token follows."""


class Access:
    """Passes a request on if its Host and Origin are right and it knows the token.

    A page of another site can make a visitor's browser send requests here: its Origin tells them apart. Where its own
    name is made to lead to this address (DNS rebinding), it is the Host that does.

    Args:
        app: what is behind it.
        hosts: names by which the server may be called; None for any.
        token: that a request must know; None for none.
        open_paths: that need no token.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str] | None, token: str | None, open_paths: Collection[str]
    ) -> None:
        self._app, self._hosts, self._token, self._open_paths = app, hosts, token, frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008, refusal[1])(scope, receive, send)  # before it is accepted, that is a 403
        else:
            headers = {"WWW-Authenticate": "Bearer"} if refusal[0] == 401 else None
            await JSONResponse({"error": refusal[1]}, refusal[0], headers)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Returns the status and the reason for which a request is refused."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if self._hosts is not None and _name_in(host) not in self._hosts:
            return 403, "this server is not called by that name: see --allow-host"
        if origin is not None and (not host or _place_in(origin) != host):
            return 403, "another site's page may not use this server"
        if self._token and scope["path"] not in self._open_paths and not self._knows_token(headers):
            return 401, "the token is missing or wrong: open the address that the server printed"
        return None

    def _knows_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        offered = [given.strip()] if scheme.lower() == "bearer" else []
        protocols = [one.strip() for one in headers.get("sec-websocket-protocol", "").split(",")]
        offered += [one.removeprefix(TOKEN_PREFIX) for one in protocols if one.startswith(TOKEN_PREFIX)]
        token = (self._token or "").encode()
        return any(secrets.compare_digest(one.encode(), token) for one in offered)


def _name_in(host: str) -> str:
    """Returns the name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place_in(origin: str) -> str:
    """Returns name and port in an Origin header; an empty text for "null"."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
