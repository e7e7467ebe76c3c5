"""What has been tried and done: a JSON file in the folder in which the learner works.

The folder and not the home folder, as with `runs`: two learners at one computer have two folders, to begin again is to
delete a file, and nothing is kept where nobody would look for it.
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
"""Its name, in the working folder."""

OFF: Final = "BACKLIGHT_NO_PROGRESS"
"""Set to anything but nothing, this environment variable keeps tries from being noted."""

_FORMAT: Final = "backlight.progress"
_VERSION: Final = 1
_REMEDY: Final = "Delete it to begin again: backlight exercise reset"


@dataclass(frozen=True, kw_only=True)
class ExerciseProgress:
    """How far one exercise has come.

    Attributes:
        tries: how often an answer was checked; a stub that is not filled in does not count.
        hints: how many hints were read.
        done: whether an answer was right, once.
    """

    tries: int = 0
    hints: int = 0
    done: bool = False


def load() -> dict[str, ExerciseProgress]:
    """Return what was noted in the working folder, by exercise; nothing if there is no file.

    Raises:
        RunError: it cannot be read, or is none of ours.
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
    """Note that an answer was checked; one that is not whole yet is no try."""
    if os.environ.get(OFF) or verdict.state in {"partial", "unfinished"}:
        return
    noted = load()
    before = noted.get(verdict.id, ExerciseProgress())
    noted[verdict.id] = replace(before, tries=before.tries + 1, done=before.done or verdict.right)
    _save(noted)


def record_hint(id_: str, count: int) -> None:
    """Note that the first `count` hints were read."""
    noted = load()
    noted[id_] = replace(noted.get(id_, ExerciseProgress()), hints=count)
    _save(noted)


def forget(id_: str | None) -> int:
    """Forget one exercise, or all; return how many were forgotten. A damaged file can be forgotten as a whole."""
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
        return 0  # what is damaged can be deleted too


def _save(noted: dict[str, ExerciseProgress]) -> None:
    exercises = {id_: asdict(noted[id_]) for id_ in sorted(noted)}
    write_atomically(FILE, to_bytes({"format": _FORMAT, "version": _VERSION, "exercises": exercises}, indent=1))


def _progress(noted: Any) -> ExerciseProgress:
    fields = {"tries": int, "hints": int, "done": bool}
    if not isinstance(noted, dict) or any(type(noted.get(name)) is not kind for name, kind in fields.items()):
        raise _foreign()
    return ExerciseProgress(**{name: noted[name] for name in fields})


def _foreign() -> RunError:
    return RunError(f"{FILE} should hold the progress of exercises; this one does not. {_REMEDY}")
