"""Check a learner's file: run what its answers need in a separate process, with limits, and judge each answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backlight.core import DataError
from backlight.lessons.checking.process import LIMIT, Conditions, judge_files
from backlight.lessons.exercises import EXERCISES, Verdict


@dataclass(frozen=True)
class Answers:
    """The result of checking a file.

    Attributes:
        verdicts: one for each exercise whose answer the file defines, in the order in which they fell.
        problems: what could not be read, or was undone, in a line each.
    """

    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...]


def check_file(
    path: Path,
    ids: Sequence[str] = (),
    *,
    limit: float = LIMIT,
    output: bool = False,
    on_verdict: Callable[[Verdict], object] | None = None,
) -> Answers:
    """Judge the answers in a Python file or a notebook. Only the statements that an answer needs are run.

    Args:
        path: a .py or .ipynb file.
        ids: check only these exercises; if empty, all whose answer the file defines.
        limit: time limit of each answer, in seconds of processor time.
        output: show what the file prints, on standard error.
        on_verdict: called with each verdict when it falls.

    Raises:
        DataError: the file cannot be read, or defines no answer.
    """
    (found,) = judge_files(
        [path],
        ids,
        conditions=Conditions(limit=limit, output=output),
        on_verdict=None if on_verdict is None else lambda _, verdict: on_verdict(verdict),
    )
    if found.refused:
        raise DataError(found.refused)
    if not found.verdicts and not found.problems:
        raise DataError(_nothing_in(path.name, ids))
    return Answers(tuple(found.verdicts.values()), tuple(found.problems))


def _nothing_in(name: str, ids: Sequence[str]) -> str:
    wanted = [EXERCISES[id_] for id_ in ids] or list(EXERCISES.values())
    names = ", ".join(exercise.answer for exercise in wanted[:3])
    more = ", ..." if len(wanted) > 3 else ""
    return (
        f"a file with answers must define them by their names, {names}{more}; {name} defines none. "
        f"See: backlight exercise show {wanted[0].id}"
    )
