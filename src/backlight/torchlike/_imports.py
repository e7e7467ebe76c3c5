"""Imports of modules and names that torchlike does not have: an error that says what to use instead."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

from backlight.core.errors import MissingModuleError, MissingNameError

_ROOT: Final = "backlight.torchlike."


class _Missing(MetaPathFinder):
    """The last finder that Python asks for `import backlight.torchlike.x` and `from backlight.torchlike import x`.

    Without it, the sentence of the module's `__getattr__` would be lost: Python replaces it by "cannot import name".
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise MissingModuleError for a name in torchlike; return None for any other."""
        del path, target
        owner, _, name = fullname.rpartition(".")
        if not fullname.startswith(_ROOT) or owner not in sys.modules:
            return None
        try:
            getattr(sys.modules[owner], name)
        except MissingNameError as error:
            raise MissingModuleError(str(error)) from None
        return None


def explain_missing_modules() -> None:
    """Let imports of names that torchlike does not have raise MissingModuleError."""
    if not any(isinstance(finder, _Missing) for finder in sys.meta_path):
        sys.meta_path.append(_Missing())
