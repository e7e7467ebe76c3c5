"""The port and the token of a server, which the next one of the same folder has too: pages that are open come back."""

import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from backlight.runs.failures import cannot_write

_FILE: Final = ".studio.json"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is.

    Attributes:
        port: its port; 0 if none is known.
        token: what nobody can guess: the first part of every path.
    """

    port: int
    token: str


def last_address(runs: Path) -> Address:
    """Return the address of the last server of a folder; a new one if there was none, or it cannot be read."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads((runs / _FILE).read_bytes())
        if type(found["port"]) is int and 0 < found["port"] < 65536 and _TOKEN.fullmatch(found["token"]):
            return Address(port=found["port"], token=found["token"])
    return Address(port=0, token=secrets.token_urlsafe(24))


def remember(runs: Path, address: Address) -> None:
    """Keep an address for the next server, in a file that only its owner can read.

    Raises:
        RunError: the file cannot be written.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            (runs / _FILE).unlink()
        descriptor = os.open(runs / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(asdict(address), file)
    except OSError as error:
        raise cannot_write(runs / _FILE, error, state="no server was started") from error
