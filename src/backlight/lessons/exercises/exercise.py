"""What an exercise is: a task, inputs, a right answer, and the wrong ones that people give.

The task stands in the lesson's source, under the exercise's heading. The rest stands in this folder.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from inspect import signature
from typing import Any

import numpy as np

from backlight.core import ConfigError
from backlight.lessons.notebook import passage

Inputs = Mapping[str, Any]
"""The inputs of one call, by name."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong answer that is common enough to have a name.

    Attributes:
        name: a few words, as in "forgot to zero the gradient".
        message: what happened and what to think about: a sentence or two, and not the solution.
        answer: computes what comes out then; takes what the right answer takes.
        changed: instead of an answer, arguments with which the exercise's own solution gives what comes out.
    """

    name: str
    message: str
    answer: Callable[..., Any] | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)


def wrong(name: str, answer: Callable[..., Any] | None = None, /, *, says: str, **changed: Any) -> Mistake:
    """Return a mistake: an answer, or arguments that make the exercise's solution go wrong.

    Args:
        name: a few words.
        answer: what a learner would write.
        says: the message.
        **changed: handed to the exercise's solution, or its `helper`, besides the inputs or in place of them.
    """
    return Mistake(name=name, message=says, answer=answer, changed=changed)


def call(answer: Callable[..., Any], inputs: Inputs) -> Any:
    """Return what a function gives for its inputs, whatever it calls them: the plain way to use an answer."""
    try:
        signature(answer).bind(**inputs)
    except (TypeError, ValueError):
        return answer(*inputs.values())
    return answer(**inputs)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise of the course.

    Attributes:
        cases: makes the inputs, from a generator that is seeded by the id; the first is what `given` gives.
        solution: the right answer, a function of a case's inputs. Its name is what a learner's file calls the answer;
            no two exercises share one.
        mistakes: the wrong ones that are known; at least three, the more special before the more general.
        hints: from a nudge to nearly all of it.
        look: which figure or `explain` shows why, in a sentence.
        helper: what the changed arguments of mistakes are handed to; the solution if it is left out.
        parts: names of what a tuple holds, in its order; none for one array or number, or for a dictionary.
        use: what is done with an answer for a case. What it gives is compared: a number, an array, a tuple of them, or
            a dictionary of them by name, in the order in which they should be looked at.
        in_parts: whether a dictionary may be handed in before it is whole: what is there is graded, and what is not is
            said to be still to come.
        rtol: how far from right a number may be, as a share of it.
        atol: and beside that.
        id: "5.2" is the second of lesson 5. It comes from the place in the lesson's list.
    """

    cases: Callable[[np.random.Generator], Sequence[Inputs]]
    solution: Callable[..., Any]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    look: str
    helper: Callable[..., Any] | None = None
    parts: tuple[str, ...] = ()
    use: Callable[[Any, Inputs], Any] = call
    in_parts: bool = False
    rtol: float = 1e-5
    atol: float = 1e-8
    id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mistakes", tuple(map(self._with_answer, self.mistakes)))

    def _with_answer(self, mistake: Mistake) -> Mistake:
        """Return a mistake whose answer can be called."""
        if mistake.answer is not None:
            return mistake
        helper = self.helper or self.solution
        return replace(mistake, answer=lambda **inputs: helper(**{**inputs, **mistake.changed}))

    @property
    def title(self) -> str:
        """A few words: the exercise's heading in the lesson."""
        return passage(_source(self.lesson), self.id)[0]

    @property
    def task(self) -> str:
        """What to do, in Markdown: what the lesson says under the heading. It names the arguments, with shapes."""
        return passage(_source(self.lesson), self.id)[1]

    @property
    def answer(self) -> str:
        """What a learner's file calls its answer."""
        return self.solution.__name__

    @property
    def lesson(self) -> int:
        """The number of its lesson."""
        return int(self.id.partition(".")[0])

    def inputs(self) -> Sequence[Inputs]:
        """Return the cases, made anew: an answer may change what it is given."""
        return self.cases(np.random.default_rng([int(part) for part in self.id.split(".")]))


@cache
def _source(lesson: int) -> str:
    folder = resources.files("backlight.lessons").joinpath("sources")
    (file,) = (path for path in folder.iterdir() if path.name.startswith(f"lesson_{lesson}_"))
    return file.read_text(encoding="utf-8")


def find(exercises: Mapping[str, Exercise], id: str) -> Exercise:  # noqa: A002  (what everybody calls it)
    """Return the exercise with this id.

    Raises:
        ConfigError: there is none.
    """
    if id not in exercises:
        raise ConfigError(f"an exercise is one of {', '.join(exercises)}; got {id!r}. See: backlight exercise list")
    return exercises[id]
