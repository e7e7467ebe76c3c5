"""Which statements of a file an answer needs: those that define what it uses, and so on for what these use.

A name that a statement reads when it runs has the value of the last definition before it. A name that a function reads
when it is called has the value at that time: for an answer, after its cell has run; if it is defined only further
below, that value. An object may also be changed after its definition, by an assignment to a part of it or by a call.
`needed` follows the changes that can be seen, as in `losses.append(1)`; with `wide`, also every call that an object is
passed to, and if a name has no definition that can be found, everything above.
"""

import builtins
from collections.abc import Iterator, Sequence
from typing import Final

from backlight.lessons.checking.statements import STAR, TopLevelStatement

_BUILT_IN: Final = {*dir(builtins), "__file__", "__name__", "__doc__"}


def definition_of(name: str, statements: Sequence[TopLevelStatement]) -> TopLevelStatement | None:
    """Return the last statement that defines a name; None if there is none."""
    return next((one for one in reversed(statements) if name in one.defines), None)


def needed(answer: str, statements: Sequence[TopLevelStatement], *, wide: bool = False) -> list[int]:
    """Return the indices of the statements that an answer needs, in order.

    Args:
        answer: the name of the answer, which one of the statements defines.
        statements: all statements of the file.
        wide: also those that might change an object that the answer uses.
    """
    return _Search(statements, wide=wide).of(answer)


class _Search:
    def __init__(self, statements: Sequence[TopLevelStatement], *, wide: bool) -> None:
        self.statements, self.wide = statements, wide
        self.seen: set[tuple[int, int]] = set()
        self.found: set[int] = set()

    def of(self, answer: str) -> list[int]:
        defined = definition_of(answer, self.statements)
        if defined is None:
            return []
        end = max(one.index for one in self.statements if one.piece == defined.piece)
        waiting = [(index, end) for index in self._value(answer, end + 1)]
        while waiting:  # not by recursion: a file may have thousands of statements
            index, time = waiting.pop()
            if (index, time) not in self.seen:
                self.seen.add((index, time))
                self.found.add(index)
                waiting += self._of_statement(self.statements[index], time)
        return sorted(self.found)

    def _of_statement(self, statement: TopLevelStatement, time: int) -> Iterator[tuple[int, int]]:
        """Yield the statements that a statement needs if its functions are called at some time; each with its own."""
        for name in statement.now:
            own = name in statement.defines  # then it need not be defined above
            yield from ((index, statement.index) for index in self._value(name, statement.index, own=own))
        for name in statement.later:
            yield from ((index, time) for index in self._value(name, time + 1) or self._below(name, time))

    def _value(self, name: str, before: int, *, own: bool = False) -> list[int]:
        """Return the statements before a place that give a name its value; none if it is built in or not found."""
        first = next((at for at in range(before - 1, -1, -1) if name in self.statements[at].defines), None)
        if first is None:
            stars = [one.index for one in self.statements[:before] if STAR in one.defines]
            if self.wide and not stars and not own and name not in _BUILT_IN:
                return list(range(before))  # perhaps exec or globals() defines it
            return stars
        found = [at for at in range(first + 1, before) if self._may_change(self.statements[at], name, first)]
        if self.statements[first].may_skip:
            found += self._value(name, first, own=True)
        return [first, *found]

    def _may_change(self, statement: TopLevelStatement, name: str, defined: int) -> bool:
        if self.statements[defined].imported:
            return name in statement.changes and name not in statement.through
        return name in statement.changes or (self.wide and name in statement.touches)

    def _below(self, name: str, time: int) -> list[int]:
        return next(([one.index] for one in self.statements[time + 1 :] if name in one.defines), [])
