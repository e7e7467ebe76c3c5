"""A regular expression as a nondeterministic automaton over characters (Thompson 1968).

Python's own parser reads the pattern, so that it means what it means in `re`. What an automaton with finitely many
states cannot follow (look-around, references to groups) is refused, and so are flags.
"""

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

from backlight.core import ConfigError

_parser: Final[Any] = import_module("re._parser")  # not public, but in every Python since 3.11

MOST_REPEATS: Final = 1_000
"""The largest count of a repetition, as in a{1000}: each one is a state."""

Test = Callable[[str], bool]

_CATEGORIES: Final[dict[str, Test]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda c: c.isalnum() or c == "_",
}


class Pattern:
    """The sets of states in which a nondeterministic automaton can be after reading a text.

    Args:
        pattern: a regular expression, which the whole text must match.

    Attributes:
        start: the states before the first character.

    Raises:
        ConfigError: it is no regular expression, or has a part that is not supported.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._empty: list[list[int]] = []  # of each state, the states that are reached without a character
        self._moves: list[tuple[Test, int] | None] = []  # of each state, what is read and where that leads
        try:
            parsed = _parser.parse(pattern)
        except re.error as error:
            raise ConfigError(
                f"a pattern must be a regular expression; got {pattern!r}: {error}. Correct it."
            ) from error
        if parsed.state.flags & ~re.UNICODE:
            raise self._refused("flags")
        first, self._last = self._state(), self._state()
        self._sequence(parsed, first, self._last)
        self.start = self._closure([first])

    def step(self, states: frozenset[int], character: str) -> frozenset[int] | None:
        """Return the states after one more character; None if there is none."""
        moves = (self._moves[state] for state in states)
        return self._closure(move[1] for move in moves if move is not None and move[0](character)) or None

    def accepts(self, states: frozenset[int]) -> bool:
        """Return whether the text so far matches."""
        return self._last in states

    def _state(self) -> int:
        self._empty.append([])
        self._moves.append(None)
        return len(self._moves) - 1

    def _closure(self, states: Iterable[int]) -> frozenset[int]:
        found = set(states)
        waiting = list(found)
        while waiting:
            new = [state for state in self._empty[waiting.pop()] if state not in found]
            found.update(new)
            waiting += new
        return frozenset(found)

    def _sequence(self, parts: Any, first: int, last: int) -> None:
        """Lead from state `first` to state `last` by these parts of the parsed pattern, one after the other."""
        at = first
        for number, (kind, value) in enumerate(parts):
            after = self._state()
            self._part(str(kind), value, at, after, at_start=number == 0, at_end=number == len(parts) - 1)
            at = after
        self._empty[at].append(last)

    def _part(self, kind: str, value: Any, first: int, last: int, *, at_start: bool, at_end: bool) -> None:
        match kind:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                reads = self._state()  # a state of its own, since several branches may begin at `first`
                self._empty[first].append(reads)
                self._moves[reads] = (_test(kind, value), last)
            case "BRANCH":
                for branch in value[1]:
                    self._sequence(branch, first, last)
            case "SUBPATTERN" if not (value[1] or value[2]):
                self._sequence(value[3], first, last)
            case "MAX_REPEAT" | "MIN_REPEAT":  # whether it is greedy makes no difference to what matches
                self._repeat(value[0], value[1], value[2], first, last)
            case "AT" if (str(value) == "AT_BEGINNING" and at_start) or (str(value) == "AT_END" and at_end):
                self._empty[first].append(last)  # the whole text is matched anyway
            case _:
                raise self._refused(kind.lower().replace("_", " "))

    def _repeat(self, least: int, most: Any, what: Any, first: int, last: int) -> None:
        endless = str(most) == "MAXREPEAT"
        if max(least, 0 if endless else most) > MOST_REPEATS:
            raise self._refused(f"more than {MOST_REPEATS:,} repetitions")
        at = first
        for _ in range(least):
            after = self._state()
            self._sequence(what, at, after)
            at = after
        if endless:
            again = self._state()  # a state of its own, so that a loop does not lead back into what precedes it
            self._empty[at].append(again)
            self._sequence(what, again, again)
            at = again
        else:
            for _ in range(most - least):
                self._empty[at].append(last)
                after = self._state()
                self._sequence(what, at, after)
                at = after
        self._empty[at].append(last)

    def _refused(self, what: str) -> ConfigError:
        return ConfigError(
            f"a pattern may have characters, sets, groups, | and repetitions; got {what} in {self._pattern!r}. "
            "Write it without."
        )


def _test(kind: str, value: Any) -> Test:
    """Return what decides whether a character matches a part of a pattern for one character."""
    match kind:
        case "LITERAL":
            return chr(value).__eq__
        case "NOT_LITERAL":
            return chr(value).__ne__
        case "ANY":
            return lambda c: c != "\n"
    negated = str(value[0][0]) == "NEGATE"
    tests = [_member(str(one), of) for one, of in value[negated:]]
    return lambda c: any(test(c) for test in tests) != negated


def _member(kind: str, value: Any) -> Test:
    match kind:
        case "LITERAL":
            return chr(value).__eq__
        case "RANGE":
            low, high = map(chr, value)
            return lambda c: low <= c <= high
    name = str(value).removeprefix("CATEGORY_")
    test = _CATEGORIES[name.removeprefix("NOT_")]
    return (lambda c: not test(c)) if name.startswith("NOT_") else test
