"""Whether a network still has the modules and parameters that it had."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any


class Structure:
    """The modules and parameters of a network at one time.

    Args:
        tables: the live tables that hold them.
    """

    def __init__(self, tables: Iterable[Mapping[str, Any]]) -> None:
        self._tables = [(one, tuple(one.values())) for one in tables]

    def is_unchanged(self) -> bool:
        """Return whether the very same objects stand there now."""
        return all(len(now) == len(then) and all(map(operator.is_, now.values(), then)) for now, then in self._tables)
