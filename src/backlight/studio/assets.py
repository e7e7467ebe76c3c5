"""The files of the viewer, and how a page refers to its modules.

The modules import each other by names such as "backlight/plot.js", which an import map in the page resolves: to files
of a server, or to data inside a self-contained page, where a relative import would lead nowhere.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib import resources

_FOLDER = resources.files("backlight.studio").joinpath("viewer")


@cache
def asset(name: str) -> bytes:
    """Return the content of a file of the viewer."""
    return _FOLDER.joinpath(name).read_bytes()


@cache
def names() -> frozenset[str]:
    """Return the names of the viewer's files."""
    return frozenset(one.name for one in _FOLDER.iterdir() if one.name.endswith((".js", ".css")))


def import_map(address: Callable[[str], str]) -> str:
    """Return the import map of a page, as JSON for a script element.

    Args:
        address: from the name of a module's file to its URL.
    """
    modules = sorted(name for name in names() if name.endswith(".js"))
    return json.dumps({"imports": {f"backlight/{name}": address(name) for name in modules}}, separators=(",", ":"))


def data_address(name: str) -> str:
    """Return a module as a data URL, for a page that has everything inside."""
    return "data:text/javascript;base64," + base64.b64encode(asset(name)).decode()


def allowed(script: str) -> str:
    """Return the entry of a Content-Security-Policy that allows one inline script, by its hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
