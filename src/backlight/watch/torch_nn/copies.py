"""While a network is watched, copies of it and files with it are made without the watcher's hooks.

A module keeps its hooks in an `OrderedDict`, which `copy.deepcopy` and pickle take apart by what `copyreg` says. It is
told to leave out the watcher's: nothing of it stays in a copy, and loading one does not need this package.
"""

import copyreg
from collections import OrderedDict
from typing import Any

from torch.utils.hooks import RemovableHandle

from backlight.watch.adapter import Hook, Remove

_watched = 0


def _taken_apart(table: OrderedDict[Any, Any]) -> Any:
    parts: Any = table.__reduce__()
    return *parts[:4], iter([(key, one) for key, one in parts[4] if not isinstance(one, Hook)])


def leave_out_hooks() -> Remove:
    """Begin to leave the watcher's hooks out of copies. Returns what ends it."""
    global _watched  # noqa: PLW0603  (several networks may be watched at a time)
    _watched += 1
    if _watched == 1 and OrderedDict not in copyreg.dispatch_table:
        copyreg.pickle(OrderedDict, _taken_apart)
    return _end


def _end() -> None:
    global _watched  # noqa: PLW0603
    _watched -= 1
    if _watched == 0 and copyreg.dispatch_table.get(OrderedDict) is _taken_apart:
        del copyreg.dispatch_table[OrderedDict]


def marked(handle: RemovableHandle, *tables: dict[int, Any], hook: Hook) -> Remove:
    """Return what removes a hook; a hook's flags, which stand in tables of their own, are left out of copies too."""
    for table in tables:
        table[handle.id] = hook
    remove: Remove = handle.remove
    return remove
