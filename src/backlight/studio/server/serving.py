"""Serving: a socket that is bound to this machine only, a token that nobody can guess, and uvicorn."""

import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from backlight.core import RunError
from backlight.studio.server.address import Address, last_address, remember
from backlight.studio.server.app import Studio, application
from backlight.studio.server.guard import OnlyOwnPages

_HOST: Final = "127.0.0.1"
_MOST_CONNECTIONS: Final = 128
_MOST_MESSAGE: Final = 1_000
"""Bytes of a message from a page over its socket, which has nothing to say there."""


def serve(studio: Studio, *, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve pages until the process is interrupted.

    Args:
        studio: what is shown.
        port: the port, 0 for any that is free; None for that of the last server of this folder, if it is free, so that
            pages that are still open come back.
        ready: called with the address once the server listens.

    Raises:
        RunError: the port is taken, or the folder cannot be written.
    """
    before = last_address(studio.runs)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(listening, before.port if port is None else port, exactly=port is not None)
        address = Address(port=listening.getsockname()[1], token=before.token)
        remember(studio.runs, address)
        app = OnlyOwnPages(application(studio), token=address.token, port=address.port)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", ws_max_size=_MOST_MESSAGE,
            ws_per_message_deflate=False, limit_concurrency=_MOST_CONNECTIONS, timeout_graceful_shutdown=1,
            server_header=False,
        )  # fmt: skip
        listening.listen(_MOST_CONNECTIONS)
        ready(f"http://{_HOST}:{address.port}/{address.token}/")
        uvicorn.Server(config).run(sockets=[listening])


def _bind(listening: socket.socket, port: int, *, exactly: bool) -> None:
    try:
        listening.bind((_HOST, port))
    except OSError as error:
        if exactly:
            raise RunError(f"port {port} cannot be used ({error.strerror}). Choose another: --port 0.") from error
        listening.bind((_HOST, 0))
