"""The files of pages, and how a page refers to its modules.

The modules import each other by names such as "backlight/plot.js", which an import map in the page resolves: to files
of a server, or to data inside a self-contained page, where a relative import would lead nowhere.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

_IMPORTED: Final = re.compile(r'(?:from|import) "backlight/([\w.]+)"')


@dataclass(frozen=True)
class Assets:
    """Modules and style sheets, whose names are unique.

    Attributes:
        folders: pairs of a package and a folder in it.
    """

    folders: tuple[tuple[str, str], ...]

    def content(self, name: str) -> bytes:
        """Return the content of a file."""
        return _files(self.folders)[name]

    @property
    def names(self) -> frozenset[str]:
        """The names of all files."""
        return frozenset(_files(self.folders))

    def modules(self, script: str) -> list[str]:
        """Return the names of the modules that a script imports, also those that these import, each after its own."""
        found: dict[str, None] = {}

        def add(name: str) -> None:
            if name not in found:
                for one in sorted(_imports(self.content(name).decode())):
                    add(one)
                found[name] = None

        for one in sorted(_imports(script)):
            add(one)
        return list(found)

    def import_map(self, script: str, address: Callable[[str], str]) -> str:
        """Return the import map of a page that begins with a script, as JSON for a script element.

        Args:
            script: the script.
            address: from the name of a module's file to its URL.
        """
        addresses = {f"backlight/{name}": address(name) for name in self.modules(script)}
        return json.dumps({"imports": addresses}, separators=(",", ":"))

    def one_module(self, name: str) -> str:
        """Return a module that has those that it imports inside, for a page whose import map is not ours.

        Args:
            name: of the file, whose default export it exports.
        """
        of = {f"backlight/{one}": self.content(one).decode() for one in self.modules(f'import "backlight/{name}"')}
        return _ONE_MODULE % (json.dumps(of), json.dumps(f"backlight/{name}"))

    def data_address(self, name: str) -> str:
        """Return a module as a data URL, for a page that has everything inside."""
        return "data:text/javascript;base64," + base64.b64encode(self.content(name)).decode()


VIEWER: Final = Assets((("backlight.studio", "viewer"),))
"""The viewer, and the live page around it."""


_ONE_MODULE: Final = """const addresses = new Map();
for (const [name, text] of Object.entries(%s)) {
  const linked = text.replace(/(?<=(?:from|import) ")backlight\\/[\\w.]+(?=")/g, (of) => addresses.get(of));
  addresses.set(name, URL.createObjectURL(new Blob([linked], { type: "text/javascript" })));
}
const { default: whole } = await import(addresses.get(%s));
for (const address of addresses.values()) URL.revokeObjectURL(address);
export default whole;
"""
"""In a module that is built in the page, each name of another module stands for the address of its text."""


@cache
def _files(folders: tuple[tuple[str, str], ...]) -> dict[str, bytes]:
    return {
        one.name: one.read_bytes()
        for package, folder in folders
        for one in resources.files(package).joinpath(folder).iterdir()
        if one.name.endswith((".js", ".css"))
    }


def _imports(script: str) -> Iterator[str]:
    return (match[1] for match in _IMPORTED.finditer(script))
