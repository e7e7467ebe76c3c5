"""What an exercise is: a task, inputs, a right answer, and the wrong ones that people give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from backlight.core import ConfigError

Case = Mapping[str, Any]
"""The inputs of one call, by name."""

Answer = Any
"""What a learner hands in: a function of a case's inputs, or what it gives for the first case."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong answer that is common enough to have a name.

    Attributes:
        name: a few words, as in "forgot to zero the gradient".
        answer: computes what comes out then; takes what the right answer takes.
        message: what happened and what to think about: a sentence or two, and not the solution.
    """

    name: str
    answer: Callable[..., Any]
    message: str


def call(answer: Callable[..., Any], case: Case) -> Any:
    """Return what a function gives for a case: the plain way to use an answer. Its arguments may have other names."""
    try:
        signature(answer).bind(**case)
    except (TypeError, ValueError):
        return answer(*case.values())
    return answer(**case)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise of the course.

    Attributes:
        id: "5.2" is the second of lesson 5.
        title: a few words.
        answer: what a learner's file calls its answer; no two exercises share a name.
        task: what to do, in Markdown without headings. It names the arguments, with shapes where they have any.
        cases: makes the inputs, from a generator that is seeded by the id; the first is what `given` gives.
        solution: the right answer, a function of a case's inputs.
        mistakes: the wrong ones that are known; at least three, the more special before the more general.
        hints: from a nudge to nearly all of it.
        look: which picture or `explain` shows why, in a sentence.
        parts: names of what a tuple holds, in its order; none for one array or number, or for a dictionary.
        use: what is done with an answer for a case. What it gives is compared: a number, an array, a tuple of them, or
            a dictionary of them by name, in the order in which they should be looked at.
        in_parts: whether a dictionary may be handed in before it is whole: what is there is judged, and what is not is
            said to be still to come.
        rtol: how far from right a number may be, as a share of it.
        atol: and beside that.
    """

    id: str
    title: str
    answer: str
    task: str
    cases: Callable[[np.random.Generator], Sequence[Case]]
    solution: Callable[..., Any]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    look: str
    parts: tuple[str, ...] = ()
    use: Callable[[Any, Case], Any] = call
    in_parts: bool = False
    rtol: float = 1e-5
    atol: float = 1e-8

    @property
    def lesson(self) -> int:
        """The number of its lesson."""
        return int(self.id.partition(".")[0])

    def inputs(self) -> Sequence[Case]:
        """Return the cases, made anew: an answer may change what it is given."""
        return self.cases(np.random.default_rng([int(part) for part in self.id.split(".")]))


def find(exercises: Mapping[str, Exercise], id: str) -> Exercise:  # noqa: A002  (what everybody calls it)
    """Return the exercise with this id.

    Raises:
        ConfigError: there is none.
    """
    if id not in exercises:
        raise ConfigError(f"an exercise is one of {', '.join(exercises)}; got {id!r}. See: backlight exercise list")
    return exercises[id]
