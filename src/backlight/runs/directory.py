"""The run directory: everything needed to use, inspect or resume a training run, and nothing executable."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backlight.core import RunError
from backlight.runs.atomic import create_folder_atomically, read_whole, sweep, write_atomically
from backlight.runs.failures import cannot_write, damaged, shown
from backlight.runs.lock import only_trainer
from backlight.runs.store import (
    CHECKSUM,
    CONFIG,
    FORMAT,
    TRAIN_AGAIN,
    VOCABULARY,
    RunStore,
    config_digest,
    digest,
    version,
)
from backlight.runs.strict_json import parse_object, to_text

OLDEST = 1
"""The oldest format that is still read."""


class RunExistsError(RunError):
    """There is something at the path of a new run."""


@dataclass
class RunDirectory(RunStore):
    """A run on the disk. Make one with `create` or `open`.

    Every file is written atomically: it is the old one whole or the new one whole, also after a kill.

    Attributes:
        path: the folder.
    """

    path: Path = Path()

    @classmethod
    def create(cls, path: str | Path, files: dict[str, bytes]) -> "RunDirectory":
        """Make a run, in one step: it exists with all its files, or not at all. Missing parents are made.

        Args:
            path: the folder to make.
            files: what `new_files` made, and more.

        Raises:
            RunExistsError: there is something at `path` already.
            RunError: the folder cannot be made.
        """
        path = Path(path)
        taken = RunExistsError(
            f"A new run needs a new folder; {shown(path)} exists already. "
            "Choose another name, resume that run, or delete it."
        )
        if os.path.lexists(path):
            raise taken
        try:
            create_folder_atomically(path, files)
        except RunError as error:
            if os.path.lexists(path):  # another process was faster
                raise taken from error
            raise
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> "RunDirectory":
        """Open a run, and sweep away what a killed process left half-written.

        Raises:
            RunError: nothing there, a file, not a run, a run of another format, or a damaged config or vocabulary.
        """
        path = Path(path)
        config = _read_config(path)
        vocabulary = parse_object(
            read_whole(path / VOCABULARY, remedy=TRAIN_AGAIN), shown(path / VOCABULARY), remedy=TRAIN_AGAIN
        )
        if vocabulary.pop(CHECKSUM, None) != digest(vocabulary):
            raise damaged(shown(path / VOCABULARY), "its content does not match its checksum", remedy=TRAIN_AGAIN)
        sweep(path)
        return cls(config, vocabulary, path=path)

    @property
    def name(self) -> str:
        """The path, fit for a message."""
        return shown(self.path)

    def lock(self) -> AbstractContextManager[None]:
        """Hold the run for training: `with run.lock(): ...`. The lock ends with the block or with the process.

        Raises:
            RunError: on entering, when another process (or another `lock` in this one) holds the run.
        """
        return only_trainer(self.path)

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return (self.path / name).is_file()

    def read(self, name: str, *, remedy: str) -> bytes:
        """Return a file's bytes; `remedy` ends the message if it cannot be read."""
        return read_whole(self.path / name, remedy=remedy)

    def write(self, name: str, data: bytes) -> None:
        """Make a file, or replace its content in one step."""
        write_atomically(self.path / name, data)

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of a file, which is made if there is none."""
        try:
            with (self.path / name).open("ab") as file:
                file.write(data)
        except OSError as error:
            raise cannot_write(self.path / name, error, state="what was there before still is") from error

    def _place(self, name: str) -> str:
        return shown(self.path / name)


def _read_config(path: Path) -> dict[str, Any]:
    remedy = "Correct the path, or train a run first"
    place = path / CONFIG
    try:
        data = read_whole(place, remedy="Check its permissions, or choose another run")
    except RunError as error:
        match error.__cause__:
            case FileNotFoundError() if path.is_dir():
                raise RunError(f"A run is a folder with a {CONFIG}; {shown(path)} has none. {remedy}.") from error
            case FileNotFoundError():
                raise RunError(f"There is no run at {shown(path)}. {remedy}.") from error
            case NotADirectoryError():
                raise RunError(f"A run is a folder; {shown(path)} is or lies in a file. {remedy}.") from error
        raise
    config = parse_object(data, shown(place), remedy=TRAIN_AGAIN)
    _check_format(path, config)
    checksum = config.pop(CHECKSUM, None)
    if config["format"] > OLDEST and checksum != config_digest(config):
        raise damaged(
            shown(place), "it was changed after the run was made, and a run keeps its settings",
            remedy="Put it back as it was, or start a new run",
        )  # fmt: skip
    return config


def _check_format(path: Path, config: dict[str, Any]) -> None:
    found = config.get("format")
    if not isinstance(found, int) or isinstance(found, bool):
        raise damaged(shown(path / CONFIG), f'"format" is not a number but {to_text(found)}', remedy=TRAIN_AGAIN)
    if OLDEST <= found <= FORMAT:
        return
    maker = f"Backlight {config.get('backlight', 'of unknown version')}"
    remedy = "Upgrade Backlight" if found > FORMAT else f"Use {maker}"
    raise RunError(
        f"Backlight {version()} reads runs of format {OLDEST} to {FORMAT}; {shown(path)} has format {found}, made by "
        f"{maker}. {remedy}, or train again."
    )
