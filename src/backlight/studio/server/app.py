"""The routes of the server: the page, the viewer's files, the list of runs, a socket of records, and what pages ask."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from backlight.core import BacklightError, RunError
from backlight.core.html import allowed
from backlight.studio.asked import Asked
from backlight.studio.assets import VIEWER
from backlight.studio.messages import joined, problem
from backlight.studio.server.feeds import Feed, Feeds, Page
from backlight.studio.server.guard import HEADERS, policy
from backlight.studio.trainings import MOST_TEXT

MOST_SOCKETS: Final = 32
"""Pages that may be open at the same time."""

_MOST_BODY: Final = 4 * MOST_TEXT
_START: Final = 'import "backlight/studio.js";'
_KINDS: Final = {"js": "text/javascript", "css": "text/css"}


class Studio(Asked):
    """What the server shows.

    Args:
        runs, given: see `Asked`.
    """

    def __init__(self, runs: Path, given: Path | None = None) -> None:
        super().__init__(runs, given)
        self.feeds = Feeds()


def application(studio: Studio) -> Starlette:
    """Return the server's application, to be put behind a `OnlyOwnPages`."""
    routes = Routes(studio)
    return Starlette(
        routes=[
            Route("/", routes.page),
            Route("/viewer/{name}", routes.file),
            Route("/runs", routes.runs),
            Route("/start", routes.start, methods=["POST"]),
            Route("/runs/{name}/others", routes.others),
            Route("/runs/{name}/others/{other}", routes.curves),
            Route("/runs/{name}/control", routes.control, methods=["POST"]),
            Route("/runs/{name}/resume", routes.resume, methods=["POST"]),
            WebSocketRoute("/runs/{name}/records", routes.records),
        ],
        exception_handlers={BacklightError: _refused},
    )


class Routes:
    """What the server answers.

    Args:
        studio: what it shows.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._sockets = 0

    async def page(self, request: WebRequest) -> Response:
        """Return the page."""
        del request
        modules = VIEWER.import_map(_START, lambda name: f"./viewer/{name}")
        html = _PAGE.format(modules=modules, start=_START)
        return HTMLResponse(html, headers=policy(f"{allowed(modules)} {allowed(_START)}"))

    async def file(self, request: WebRequest) -> Response:
        """Return a file of the viewer."""
        name = request.path_params["name"]
        if name not in VIEWER.names:
            return PlainTextResponse("The viewer has no such file.\n", status_code=404, headers=HEADERS)
        return Response(VIEWER.content(name), media_type=_KINDS[name.rpartition(".")[2]], headers=HEADERS)

    async def runs(self, request: WebRequest) -> Response:
        """Return the runs, and what a training may be."""
        del request
        return JSONResponse(await asyncio.to_thread(self._studio.listing), headers=HEADERS)

    async def start(self, request: WebRequest) -> Response:
        """Start a training."""
        wish = await _body(request, _MOST_BODY)
        return JSONResponse(await asyncio.to_thread(self._studio.start, wish), headers=HEADERS)

    async def others(self, request: WebRequest) -> Response:
        """Return the runs whose losses can be laid over those of one."""
        found = await asyncio.to_thread(self._studio.others, request.path_params["name"])
        return JSONResponse(found, headers=HEADERS)

    async def curves(self, request: WebRequest) -> Response:
        """Return the losses of another run, as a message."""
        names = request.path_params["name"], request.path_params["other"]
        found = await asyncio.to_thread(self._studio.curves, *names)
        return Response(found, media_type="application/json", headers=HEADERS)

    async def control(self, request: WebRequest) -> Response:
        """Ask something of a training that goes on."""
        wanted = await _body(request, 1_000)
        return JSONResponse(self._studio.control(request.path_params["name"], wanted), headers=HEADERS)

    async def resume(self, request: WebRequest) -> Response:
        """Go on with a training that was stopped."""
        found = await asyncio.to_thread(self._studio.resume, request.path_params["name"])
        return JSONResponse(found, headers=HEADERS)

    async def records(self, socket: WebSocket) -> None:
        """Send the messages of a training to a page, until it leaves."""
        if self._sockets >= MOST_SOCKETS:
            await socket.close(1013, f"At most {MOST_SOCKETS} pages may be open. Close one.")
            return
        self._sockets += 1
        try:
            await self._send(socket)
        finally:
            self._sockets -= 1

    async def _send(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            path = await asyncio.to_thread(self._studio.path, socket.path_params["name"])
            feed, page = await self._studio.feeds.open(path)
        except (BacklightError, OSError) as error:
            await socket.send_text(joined([problem(str(error))]).decode())
            await socket.close()
            return
        sending = asyncio.create_task(_all(socket, feed, page))
        try:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass  # a page has nothing to say here
        finally:
            sending.cancel()
            self._studio.feeds.close(feed, page)


async def _all(socket: WebSocket, feed: Feed, page: Page) -> None:
    """Send a page its messages as they come. A page that does not take them is let go of by uvicorn's pings."""
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text((await feed.take(page)).decode())


async def _body(request: WebRequest, most: int) -> Any:
    """Return the body of a request, which is JSON.

    Raises:
        RunError: it is too long, or no JSON.
    """
    too_long = RunError(f"a page may send {most:,} bytes; it sends more. Train on the file by a command instead.")
    if int(request.headers.get("content-length", 0)) > most:
        raise too_long
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise too_long
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RunError(f"a request must be JSON; {error}.") from error


async def _refused(request: WebRequest, error: Exception) -> Response:
    del request
    return JSONResponse({"problem": str(error)}, status_code=400, headers=HEADERS)


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="./viewer/viewer.css">
<link rel="stylesheet" href="./viewer/studio.css">
<title>Backlight</title>
<script type="importmap">{modules}</script>
<script type="module">{start}</script>
</head>
<body class="backlight-page">
<header id="head"></header>
<main id="viewer"></main>
</body>
</html>
"""
