"""The run directory: everything that is needed to use, inspect or resume a run, without executable code."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from backlight.core import Array, RunError
from backlight.runs.atomic import create_folder_atomically, read_whole, sweep, write_atomically
from backlight.runs.failures import cannot_read, cannot_write, damaged, shown
from backlight.runs.locking import only_trainer
from backlight.runs.shards import SHARDS, Layout, joined, remove_others
from backlight.runs.store import (
    CHECKPOINT,
    CHECKSUM,
    CONFIG,
    CONTROL,
    FORMAT,
    TRAIN_AGAIN,
    VOCABULARY,
    RunStore,
    config_digest,
    digest,
    version,
)
from backlight.runs.strict_json import JSON, parse_object, to_text
from backlight.runs.tensors import encode

OLDEST = 1
"""The oldest format that can be read."""


class RunExistsError(RunError):
    """The path of a new run exists already."""


@dataclass
class RunDirectory(RunStore):
    """The files of a run in a folder. Make one with `create` or `open`.

    Files are written atomically: even after a kill, each is complete, either old or new.

    Attributes:
        path: the folder.
    """

    path: Path = Path()

    @classmethod
    def create(cls, path: str | Path, files: dict[str, bytes]) -> "RunDirectory":
        """Make a run atomically: it exists with all its files, or not at all. Missing parent folders are made.

        Args:
            path: the folder to make.
            files: the files that `new_files` returned, and further ones.

        Raises:
            RunExistsError: `path` exists already.
            RunError: the folder cannot be made.
        """
        path = Path(path)
        check_free(path)
        try:
            create_folder_atomically(path, files)
        except RunError:
            check_free(path)  # another process has made it meanwhile
            raise
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> "RunDirectory":
        """Open a run, and remove temporary files of killed processes.

        Raises:
            RunError: there is no run of a known format, or its configuration or vocabulary is damaged.
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
        """The path, for messages."""
        return shown(self.path)

    def lock(self) -> AbstractContextManager[None]:
        """Lock the run for training: `with run.lock(): ...`. The lock ends with the block or with the process.

        Raises:
            RunError: on entering, if another process, or another `lock` in this one, holds the lock.
        """
        return only_trainer(self.path)

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return (self.path / name).is_file()

    def read(self, name: str, *, remedy: str) -> bytes:
        """Return the bytes of a file. If it cannot be read, the error message ends with `remedy`."""
        return read_whole(self.path / name, remedy=remedy)

    def sizes(self) -> dict[str, int]:
        """Return the number of bytes of each file by its name."""
        found = {}
        try:
            for one in os.scandir(self.path):
                with suppress(FileNotFoundError):  # another process has just renamed or removed it
                    if one.is_file():
                        found[one.name] = one.stat().st_size
        except OSError as error:
            raise cannot_read(self.path, error, remedy="Check its permissions") from error
        return found

    def beginning(self, name: str) -> BinaryIO:
        """Return a file, opened to be read from its beginning."""
        try:
            return (self.path / name).open("rb")
        except OSError as error:
            raise cannot_read(self.path / name, error, remedy=TRAIN_AGAIN) from error

    def write(self, name: str, data: bytes) -> None:
        """Make a file, or replace its content atomically."""
        write_atomically(self.path / name, data)

    def append(self, name: str, data: bytes) -> None:
        """Append to a file, which is made if it does not exist.

        Raises:
            RunError: the file cannot be written.
        """
        try:
            with (self.path / name).open("ab") as file:
                file.write(data)
        except OSError as error:
            raise cannot_write(self.path / name, error, state="its old content is unchanged") from error

    def load_checkpoint(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the checkpoint: arrays of any shape by name, and metadata. One that is in parts is joined."""
        arrays, facts = self.load_unjoined()
        layout = Layout.of(facts)
        if layout is None:
            return arrays, facts
        del facts[SHARDS]
        return arrays | joined(self.path, layout), facts

    def load_unjoined(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return what is in the file of the checkpoint; its metadata says where the rest is if it is in parts."""
        return super().load_checkpoint()

    def save_checkpoint(self, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
        """Write `optimiser.safetensors`, the checkpoint, and remove the parts of others.

        Args:
            arrays: arrays of any shape by name.
            facts: its metadata; it may say where the parts of more arrays are.
        """
        super().save_checkpoint(arrays, facts)
        remove_others(self.path, Layout.of(facts))

    def files(self) -> dict[str, bytes]:
        """Return all files, by name, with a whole checkpoint."""
        files = super().files()
        if CHECKPOINT in files and Layout.of(self.load_unjoined()[1]) is not None:
            files[CHECKPOINT] = encode(*self.load_checkpoint())
        return files

    def control_version(self) -> object:
        """Return the date, number and size of `control.json`; None if there is none."""
        try:
            found = (self.path / CONTROL).stat()
        except OSError:  # none is there, or its folder cannot be read: then it asks for nothing
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _place(self, name: str) -> str:
        return shown(self.path / name)


def check_free(path: Path) -> None:
    """Raise RunExistsError if the path of a new run exists."""
    if os.path.lexists(path):
        raise RunExistsError(
            f"a new run needs a new folder; {shown(path)} exists already. "
            "Choose another name, resume that run, or delete it."
        )


def _read_config(path: Path) -> dict[str, Any]:
    remedy = "Correct the path, or train a run first"
    place = path / CONFIG
    try:
        data = read_whole(place, remedy="Check its permissions, or choose another run")
    except RunError as error:
        match error.__cause__:
            case FileNotFoundError() if path.is_dir():
                raise RunError(f"a run must be a folder with a {CONFIG}; {shown(path)} has none. {remedy}.") from error
            case FileNotFoundError():
                raise RunError(f"there is no run at {shown(path)}. {remedy}.") from error
            case NotADirectoryError():
                raise RunError(f"a run must be a folder; {shown(path)} is a file or in a file. {remedy}.") from error
        raise
    config = parse_object(data, shown(place), remedy=TRAIN_AGAIN)
    _check_format(path, config)
    checksum = config.pop(CHECKSUM, None)
    if config["format"] > OLDEST and checksum != config_digest(config):
        raise damaged(
            shown(place), "it was changed after the run was made, but a run keeps its settings",
            remedy="Restore it, or start a new run",
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
        f"Backlight {version()} can read formats {OLDEST} to {FORMAT}; {shown(path)} has format {found}, made by "
        f"{maker}. {remedy}, or train again."
    )
