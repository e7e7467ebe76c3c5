"""Put a lesson's notebook where a learner works, and never over what they have written."""

from dataclasses import dataclass
from pathlib import Path

from backlight.core import RunError
from backlight.lessons.catalogue import Lesson
from backlight.runs.atomic import read_whole, write_atomically


@dataclass(frozen=True)
class Opened:
    """A notebook to work on.

    Attributes:
        path: where it is.
        new: whether it was written now; otherwise it was there, as it is given out.
    """

    path: Path
    new: bool


def open_lesson(lesson: Lesson, folder: Path) -> Opened:
    """Write a lesson's student notebook into a folder, which is made if it is not there.

    Raises:
        RunError: a file of that name has other content, or the disk refuses.
    """
    path, content = folder / lesson.file, lesson.notebook()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = path.is_symlink() or path.exists()
    except OSError as error:
        raise RunError(
            f"a lesson goes to a folder that can be written; got {folder}: {error.strerror}. Choose another."
        ) from error
    if not there:
        write_atomically(path, content)
        return Opened(path, new=True)
    if path.is_file() and read_whole(path, remedy="Choose another folder.") == content:
        return Opened(path, new=False)
    raise RunError(
        f"a notebook that was worked on is not overwritten; {path} is there and has changed. Go on with it, "
        f"or take a fresh one in another folder: backlight lessons open {lesson.number} DIR"
    )
