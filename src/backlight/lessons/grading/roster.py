"""The students of a class, and what each one handed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backlight.core import DataError
from backlight.lessons.exercises.progress import FILE

_KINDS: Final = {".py", ".ipynb"}
_SKIPPED: Final = {"__pycache__", "node_modules", "site-packages"}


@dataclass(frozen=True)
class Student:
    """A student.

    Attributes:
        name: the name of the folder, or of the file without its ending.
        files: the Python files and notebooks, in order of their paths.
        progress: the progress file; None if there is none.
    """

    name: str
    files: tuple[Path, ...]
    progress: Path | None = None


def students_in(folder: Path) -> list[Student]:
    """Return the students of a class, by name: one for each folder, and for each file that is not in one.

    Hidden files and folders, and links, are left out.

    Raises:
        DataError: the folder cannot be read, has no student, or has a file and a folder of the same name.
    """
    try:
        entries = sorted(one for one in folder.iterdir() if not one.name.startswith(".") and not one.is_symlink())
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise DataError(f"a class must be a folder of students; got {folder}: {reason}. Check its name.") from error
    students = [
        _of_folder(one) if one.is_dir() else _of_file(one) for one in entries if one.is_dir() or _holds_code(one)
    ]
    names = [student.name for student in students]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"each student must have a name of their own; {folder} has {twice!r} twice. Rename one.")
    if not students:
        raise DataError(
            f"a class must have one folder or file per student; {folder} has none. "
            "Put each student's notebooks and Python files into a folder with their name."
        )
    return students


def _of_folder(folder: Path) -> Student:
    files = sorted(_files(folder))
    progress = next((one for one in files if one.name == FILE.name), None)
    return Student(folder.name, tuple(one for one in files if _holds_code(one)), progress)


def _of_file(path: Path) -> Student:
    return Student(path.stem, (path,))


def _files(folder: Path) -> Iterator[Path]:
    for one in folder.iterdir():
        if one.name.startswith(".") or one.is_symlink() or one.name in _SKIPPED:
            continue
        if one.is_dir():
            yield from _files(one)
        elif one.is_file():
            yield one


def _holds_code(path: Path) -> bool:
    return path.suffix in _KINDS and path.is_file()
