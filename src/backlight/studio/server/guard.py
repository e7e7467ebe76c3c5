"""Who may talk to the server: pages that it has served itself, on this machine, with its token in their address.

Any page in any browser of this machine can send requests to a port of it, and a name of another machine can be made to
mean this one (DNS rebinding). So each request needs the token, the right Host, and no other Origin.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address has the token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class OnlyOwnPages:
    """Lets requests through that come from a page of the server.

    Args:
        app: what answers them. It sees paths without the token.
        token: the first part of every path.
        port: the port of the server.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"{host}:{port}" for host in _HOSTS}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it in one line."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        reason = self._refusal(HTTPConnection(scope))
        if reason is None:
            _, _, rest = scope["path"][1:].partition("/")
            await self._app({**scope, "path": f"/{rest}", "raw_path": None}, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse(f"{reason}\n", status_code=403, headers=HEADERS)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": reason})

    def _refusal(self, request: HTTPConnection) -> str | None:
        """Return why a request is refused; None if it is not."""
        origin = request.headers.get("origin")
        if request.headers.get("host") not in self._hosts:
            return "The page must be opened at its address on this machine; the request names another host."
        if origin is not None and origin not in self._origins:
            return "Only pages of this server may ask; the request comes from another origin."
        if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            return "Only pages of this server may ask; the request comes from another site."
        given = request.scope["path"][1:].partition("/")[0]
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            return "The address must have the token that `backlight studio` has printed; open that address."
        return None


def policy(scripts: str) -> dict[str, Any]:
    """Return the headers of a page: it may load what this server has, and nothing else.

    Args:
        scripts: further sources of scripts, for the Content-Security-Policy.
    """
    rules = (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {**HEADERS, "Content-Security-Policy": rules}
