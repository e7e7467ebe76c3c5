"""What is asked of the text of a sample, as one deterministic automaton over the ids of a vocabulary."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

import numpy as np

from backlight.core import BOUNDARY, BoolArray, ConfigError, IntArray
from backlight.text import Vocabulary
from backlight.text.labels import FIRST

MOST_STATES: Final = 20_000
"""The largest number of states, each of which takes 4 bytes for each id."""

DEAD: Final = -1
"""The state from which there is no way on."""


class Condition(Protocol):
    """A condition on a text, as a deterministic automaton over characters."""

    @property
    def start(self) -> Any:
        """The state before the first character; states are hashable."""

    def step(self, state: Any, character: str) -> Any:
        """Return the state after one more character; None if the condition cannot be met any more."""

    def accepts(self, state: Any) -> bool:
        """Return whether the text so far meets the condition."""


@dataclass(frozen=True)
class Occurs:
    """A condition that a text contains another one, or ends with it (Knuth, Morris & Pratt 1977).

    A state is the number of characters of `text` that the last characters agree with.

    Args:
        text: the other text, at least one character.
        at_end: whether it must be at the end.
    """

    text: str
    at_end: bool = False
    start: int = 0

    def step(self, state: int, character: str) -> int:
        """Return the state after one more character."""
        if state == len(self.text) and not self.at_end:
            return state
        read = self.text[:state] + character
        return next(n for n in range(min(len(read), len(self.text)), -1, -1) if read.endswith(self.text[:n]))

    def accepts(self, state: int) -> bool:
        """Return whether the text so far meets the condition."""
        return state == len(self.text)


@dataclass(frozen=True)
class Template:
    """A condition that a text has these characters, one by one; None stands for any. A state is a number of characters.

    Args:
        characters: a character or None for each place.
    """

    characters: tuple[str | None, ...]
    start: int = 0

    @classmethod
    def of(cls, template: str) -> "Template":
        r"""Return the template in which `?` stands for any character; `\?` is a question mark, `\\` a backslash."""
        rest = iter(template)
        return cls(tuple(None if c == "?" else next(rest, "\\") if c == "\\" else c for c in rest))

    def step(self, state: int, character: str) -> int | None:
        """Return the state after one more character; None if it is another one than the template's."""
        if state == len(self.characters) or self.characters[state] not in {None, character}:
            return None
        return state + 1

    def accepts(self, state: int) -> bool:
        """Return whether the text is as long as the template."""
        return state == len(self.characters)


@dataclass(frozen=True)
class AfterLabel:
    """A condition that a text begins with the character of a label, and has no other of them; see `text/labels.py`.

    Args:
        labels: number of labels.
    """

    labels: int
    start: bool = False

    def step(self, state: bool, character: str) -> bool | None:
        """Return the state after one more character: True after the label; None if it may not be here."""
        is_label = FIRST <= ord(character) < FIRST + self.labels
        return None if state == is_label else True

    def accepts(self, state: bool) -> bool:
        """Return whether the text has its label."""
        return state


@dataclass(frozen=True, kw_only=True)
class Automaton:
    """A deterministic automaton over the ids of a vocabulary. It starts in state 0.

    Attributes:
        next_SV: (S, V) the state after each id, or `DEAD`; the boundary's column is `DEAD`.
        accepts_S: (S,) whether the text may end in a state.
    """

    next_SV: IntArray  # noqa: N815  (an axis suffix)
    accepts_S: BoolArray  # noqa: N815

    @classmethod
    def of(cls, conditions: Sequence[Condition], vocabulary: Vocabulary, prefix: str) -> "Automaton":
        """Return the automaton of texts that begin with `prefix` and meet all conditions, after the prefix.

        Raises:
            ConfigError: there are more than `MOST_STATES` states.
        """
        spelled = [vocabulary.decode([token]) for token in range(vocabulary.size)]
        alive = cache(lambda state, character: _step(conditions, state, character))

        def read(state: Hashable, text: str) -> Any:
            for character in text:
                state = None if state is None else alive(state, character)
            return state

        start = read(tuple(one.start for one in conditions), prefix)
        numbers: dict[Any, int] = {start: 0}
        waiting = [start]
        rows: list[list[int]] = []
        for state in waiting:  # grows while it is walked
            row = [DEAD] * vocabulary.size
            for token, text in enumerate(spelled) if state is not None else ():
                if token == BOUNDARY or (after := read(state, text)) is None:
                    continue
                if after not in numbers:
                    numbers[after] = len(numbers)
                    waiting.append(after)
                row[token] = numbers[after]
            rows.append(row)
            if len(numbers) > MOST_STATES:
                raise ConfigError(
                    f"conditions on samples may need {MOST_STATES:,} states; these need more. Simplify the pattern, "
                    "or repeat less."
                )
        accepts = [
            state is not None and all(one.accepts(part) for one, part in zip(conditions, state, strict=True))
            for state in waiting
        ]
        return cls(next_SV=np.array(rows, np.int32), accepts_S=np.array(accepts))


def _step(conditions: Sequence[Condition], states: tuple[Any, ...], character: str) -> tuple[Any, ...] | None:
    after = tuple(one.step(state, character) for one, state in zip(conditions, states, strict=True))
    return None if None in after else after
