"""Progress of the exercises: a JSON file in the folder in which the learner works.

It is in the working folder and not in the home folder, like `runs`: two learners at one computer use two folders, the
file can simply be deleted to start again, and nothing is stored in an unexpected place.
"""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from backlight.core import RunError
from backlight.lessons.exercises.verdict import Verdict
from backlight.runs.atomic import write_atomically
from backlight.runs.strict_json import read_object, to_bytes

FILE: Final = Path("backlight-progress.json")
"""The name of the file, in the working folder."""

OFF: Final = "BACKLIGHT_NO_PROGRESS"
"""If this environment variable is set and not empty, attempts are not recorded."""

_FORMAT: Final = "backlight.progress"
_VERSION: Final = 1
_REMEDY: Final = "Delete it to start again: backlight exercise reset"


@dataclass(frozen=True, kw_only=True)
class ExerciseProgress:
    """The progress of one exercise.

    Attributes:
        tries: how often an answer was checked; a stub that is not filled in does not count.
        hints: how many hints were read.
        done: whether an answer has been right.
    """

    tries: int = 0
    hints: int = 0
    done: bool = False


def load() -> dict[str, ExerciseProgress]:
    """Return the progress recorded in the working folder, by exercise; empty if there is no file.

    Raises:
        RunError: the file cannot be read, or is not a progress file.
    """
    if not os.path.lexists(FILE):
        return {}
    stored = read_object(FILE, remedy=_REMEDY)
    if stored.get("format") != _FORMAT or stored.get("version") != _VERSION:
        raise _foreign()
    exercises = stored.get("exercises")
    if not isinstance(exercises, dict):
        raise _foreign()
    return {str(id_): _progress(noted) for id_, noted in exercises.items()}


def record_try(verdict: Verdict) -> None:
    """Record that an answer was checked; an incomplete answer does not count.

    Raises:
        RunError: the file cannot be read or written, or is not a progress file.
    """
    if os.environ.get(OFF) or verdict.state in {"partial", "unfinished"}:
        return
    noted = load()
    before = noted.get(verdict.id, ExerciseProgress())
    noted[verdict.id] = replace(before, tries=before.tries + 1, done=before.done or verdict.right)
    _save(noted)


def record_hint(id_: str, count: int) -> None:
    """Record that the first `count` hints were read.

    Raises:
        RunError: the file cannot be read or written, or is not a progress file.
    """
    noted = load()
    noted[id_] = replace(noted.get(id_, ExerciseProgress()), hints=count)
    _save(noted)


def forget(id_: str | None) -> int:
    """Reset one exercise, or all if `id_` is None, and return how many were reset.

    A damaged file can only be reset as a whole, which deletes it.

    Raises:
        RunError: the file cannot be read or written, or is not a progress file.
    """
    if id_ is None:
        count = _count()
        FILE.unlink(missing_ok=True)
        return count
    noted = load()
    if noted.pop(id_, None) is None:
        return 0
    _save(noted)
    return 1


def _count() -> int:
    try:
        return len(load())
    except RunError:
        return 0  # a damaged file can be deleted, too


def _save(noted: dict[str, ExerciseProgress]) -> None:
    exercises = {id_: asdict(noted[id_]) for id_ in sorted(noted)}
    write_atomically(FILE, to_bytes({"format": _FORMAT, "version": _VERSION, "exercises": exercises}, indent=1))


def _progress(noted: Any) -> ExerciseProgress:
    fields = {"tries": int, "hints": int, "done": bool}
    if not isinstance(noted, dict) or any(type(noted.get(name)) is not kind for name, kind in fields.items()):
        raise _foreign()
    return ExerciseProgress(**{name: noted[name] for name in fields})


def _foreign() -> RunError:
    return RunError(f"{FILE} must hold the progress of exercises; this file does not. {_REMEDY}")
