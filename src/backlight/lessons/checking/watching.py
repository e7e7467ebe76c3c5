"""Watch a file while its answers are written: at each save, judge the exercise that comes next."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from backlight.core import DataError
from backlight.lessons.check_file import Answers
from backlight.lessons.exercises import Verdict

_EVERY: Final = 0.3
"""Seconds between two looks at the file."""

Judge = Callable[[str], Answers]
"""Judges one exercise by its id, and raises DataError if the file has no answer or cannot be read."""


@dataclass(frozen=True)
class Event:
    """What a watch has to tell.

    Attributes:
        kind: "task" when an exercise begins, "verdict", "problem", or "finished" when all are right.
        id: the exercise; "" at the end.
        verdict: of the answer, if it could be judged.
        line: the problem.
    """

    kind: Literal["task", "verdict", "problem", "finished"]
    id: str = ""
    verdict: Verdict | None = None
    line: str = ""


def saves(path: Path, *, sleep: Callable[[float], object] = time.sleep) -> Iterator[None]:
    """Yield once at the start and then each time that a file has been saved. It need not exist at the start.

    Args:
        path: the file.
        sleep: waits for some seconds between two looks.
    """
    before = _state(path)
    yield
    while True:
        sleep(_EVERY)
        now = _state(path)
        if now is not None and now != before:
            before = now
            yield


def watch(ids: Sequence[str], saved: Iterator[None], judge: Judge) -> Iterator[Event]:
    """Yield the task of each exercise, and what becomes of it at each save, until all are right.

    Args:
        ids: the exercises, in order.
        saved: yields at the start, and after each save.
        judge: judges the answer to one exercise.
    """
    waiting = list(ids)
    shown = ""
    for _ in saved:
        while waiting:
            if shown != waiting[0]:
                shown = waiting[0]
                yield Event("task", shown)
            event = _judged(shown, judge)
            yield event
            if event.verdict is None or not event.verdict.right:
                break
            waiting.pop(0)
        if not waiting:
            yield Event("finished")
            return


def _judged(id_: str, judge: Judge) -> Event:
    try:
        answers = judge(id_)
    except DataError as error:
        return Event("problem", id_, line=str(error))
    if not answers.verdicts:
        return Event("problem", id_, line=" ".join(answers.problems))
    return Event("verdict", id_, answers.verdicts[0])


def _state(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is saved; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
