"""What an exercise is: a task, inputs, a right answer, and common mistakes.

The task is in the lesson's source, under the exercise's heading. The rest is in this folder.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from inspect import signature
from typing import Any, Final

import numpy as np

from backlight.core import ConfigError
from backlight.lessons.notebook import parse, passage

Inputs = Mapping[str, Any]
"""The inputs of one call, by name."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A common wrong answer.

    Attributes:
        name: a few words, such as "forgot to zero the gradient".
        message: what went wrong and what to think about, in a sentence or two, without the solution.
        answer: a function with this mistake; it takes what the right answer takes.
        changed: instead of `answer`, arguments with which the exercise's own solution makes this mistake.
    """

    name: str
    message: str
    answer: Callable[..., Any] | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)


def wrong(name: str, answer: Callable[..., Any] | None = None, /, *, says: str, **changed: Any) -> Mistake:
    """Return a mistake: an answer, or arguments that make the exercise's solution go wrong.

    Args:
        name: a few words.
        answer: a function with this mistake.
        says: the message to the learner.
        **changed: passed to the exercise's solution, or its `helper`, in addition to the inputs or in place of them.
    """
    return Mistake(name=name, message=says, answer=answer, changed=changed)


def call(answer: Callable[..., Any], inputs: Inputs) -> Any:
    """Return the result of a function for its inputs, by name or, if it has other argument names, by position."""
    try:
        signature(answer).bind(**inputs)
    except (TypeError, ValueError):
        return answer(*inputs.values())
    return answer(**inputs)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise of the course.

    Attributes:
        cases: makes the inputs, from a generator that is seeded by the id; `given` returns the first.
        solution: the right answer, a function of a case's inputs. A learner's file defines its answer under the same
            name, which is unique among all exercises.
        mistakes: the known mistakes; at least three, the more specific before the more general.
        hints: from a first hint to nearly the whole solution.
        look: which figure or `explain` shows why, in a sentence.
        helper: the function that the changed arguments of mistakes are passed to; by default the solution.
        parts: names of the elements of a tuple, in order; empty for one array or number, or for a dictionary.
        use: how an answer is applied to a case. Its result is compared: a number, an array, a tuple of them, or a
            dictionary of them by name, in the order in which they should be compared.
        in_parts: whether a dictionary may be incomplete: the parts that are there are graded, and the missing ones are
            reported as still to come.
        properties: whether the parts are facts or measurements of an answer, of which many are right, not its numbers.
        independent: whether each of the facts can be right whatever the others are.
        sentences: for a part that needs it, what is said if it is wrong, with {ours} and {right}.
        unseen: what the check cannot see, and why, in a sentence; the verdict on a right answer says so.
        rtol: relative tolerance of a number.
        atol: absolute tolerance, added to the relative one.
        id: "5.2" is the second exercise of lesson 5. It follows from the position in the lesson's list.
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
    properties: bool = False
    independent: bool = False
    sentences: Mapping[str, str] = field(default_factory=dict)
    unseen: str = ""
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
        """The exercise's heading in the lesson."""
        return passage(_source(self.lesson), self.id)[0]

    @property
    def task(self) -> str:
        """The task, in Markdown: the lesson's text under the heading. It names the arguments, with shapes."""
        return passage(_source(self.lesson), self.id)[1]

    @property
    def stub(self) -> str:
        """The function that a learner fills in, as the lesson's notebook has it."""
        cells = (cell.source for cell in parse(_source(self.lesson), student=True) if cell.kind == "code")
        found = next(source for source in cells if f"def {self.answer}(" in source and f'check("{self.id}"' in source)
        function = next(
            one for one in ast.parse(found).body if isinstance(one, ast.FunctionDef) and one.name == self.answer
        )
        return ast.get_source_segment(found, function) or ""

    @property
    def section(self) -> str:
        """The heading of the lesson's section before the exercise; empty if it has none."""
        before, exercise, _ = _source(self.lesson).partition(f"# ### Exercise {self.id}: ")
        headings = [line.lstrip("# ") for line in before.splitlines() if _HEADING.match(line)]
        return headings[-1] if exercise and headings else ""

    @property
    def answer(self) -> str:
        """The name under which a learner's file defines the answer."""
        return self.solution.__name__

    @property
    def lesson(self) -> int:
        """The number of its lesson."""
        return int(self.id.partition(".")[0])

    def inputs(self) -> Sequence[Inputs]:
        """Return the cases, newly made, since an answer may change its inputs."""
        return self.cases(np.random.default_rng([int(part) for part in self.id.split(".")]))


_HEADING: Final = re.compile(r"# ##+ (?!Exercise)")


@cache
def _source(lesson: int) -> str:
    """Return the source of a lesson; an empty text if there is no such lesson."""
    folder = resources.files("backlight.lessons").joinpath("sources")
    files = (path for path in folder.iterdir() if path.name.startswith(f"lesson_{lesson}_"))
    return "".join(file.read_text(encoding="utf-8") for file in files)


def find(exercises: Mapping[str, Exercise], id: str) -> Exercise:  # noqa: A002  (what everybody calls it)
    """Return the exercise with this id.

    Raises:
        ConfigError: there is none.
    """
    if id not in exercises:
        known = ", ".join(exercises)
        raise ConfigError(f"an exercise must be one of {known}; got {id!r}. See: backlight exercise list")
    return exercises[id]
