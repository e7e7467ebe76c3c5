"""Undo changes that a learner's code makes to the modules that the check itself uses."""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

_GUARDED = ("numpy", "backlight", "builtins", "math", "cmath", "random", "json", "inspect", "copy", "itertools", "os")


class ModuleGuard:
    """The functions and classes of some modules, as they were when the guard was made."""

    def __init__(self) -> None:
        self._kept: list[tuple[ModuleType, dict[str, Any]]] = [
            (module, {name: one for name, one in vars(module).items() if callable(one)})
            for name, module in list(sys.modules.items())
            if isinstance(module, ModuleType) and name.partition(".")[0] in _GUARDED
        ]

    def restore(self) -> list[str]:
        """Put back what was replaced or deleted, and return the full names, such as "numpy.asarray"."""
        changed = []
        for module, kept in self._kept:
            now: Mapping[str, Any] = module.__dict__
            for name, one in kept.items():
                if now.get(name) is not one:
                    module.__dict__[name] = one
                    changed.append(f"{module.__name__}.{name}")
        return changed
