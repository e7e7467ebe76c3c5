"""Serving: a socket that is bound to this machine only, a token that nobody can guess, and uvicorn."""

import os
import secrets
import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from backlight.core import RunError
from backlight.studio.server.app import Studio, application
from backlight.studio.server.guard import Guard

_HOST: Final = "127.0.0.1"
_NICE: Final = 5
_MOST_CONNECTIONS: Final = 128
_MOST_MESSAGE: Final = 1_000
"""Bytes of a message from a page over its socket, which has nothing to say there."""


def serve(studio: Studio, *, port: int, ready: Callable[[str], None]) -> None:
    """Serve pages until the process is interrupted. Trainings have the processor first.

    Args:
        studio: what is shown.
        port: the port; 0 for any that is free.
        ready: called with the address once the server listens.

    Raises:
        RunError: the port is taken.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, port))
        except OSError as error:
            raise RunError(f"port {port} cannot be used ({error.strerror}). Choose another: --port 0.") from error
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(24)
        if hasattr(os, "nice"):
            os.nice(_NICE)
        config = uvicorn.Config(
            Guard(application(studio), token=token, port=port), log_level="warning", access_log=False, lifespan="off",
            ws_max_size=_MOST_MESSAGE, ws_per_message_deflate=False,
            limit_concurrency=_MOST_CONNECTIONS, timeout_graceful_shutdown=1, server_header=False,
        )  # fmt: skip
        listening.listen(_MOST_CONNECTIONS)
        ready(f"http://{_HOST}:{port}/{token}/")
        uvicorn.Server(config).run(sockets=[listening])
