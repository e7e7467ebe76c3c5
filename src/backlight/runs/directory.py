"""The run directory: everything needed to use, inspect or resume a training run, and nothing executable."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backlight.core import Array, RunError
from backlight.runs.atomic import create_folder_atomically, read_whole, sweep, write_atomically
from backlight.runs.failures import cannot_read, cannot_write, damaged, shown
from backlight.runs.lock import only_trainer
from backlight.runs.strict_json import JSON, parse_object, plain, read_object, to_bytes, to_text
from backlight.runs.tensors import encode, load_tensors, save_tensors

FORMAT = 1
"""The layout that this version reads and writes; raised when an older Backlight could no longer read a run."""

CONFIG = "config.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"
CHECKPOINT = "optimiser.safetensors"
SEEN = "seen.safetensors"
METRICS = "metrics.jsonl"
HEALTH = "health.jsonl"
SAMPLES = "samples.txt"
RESULT = "result.json"

_WRITTEN_HERE = ("format", "backlight", "created")
_CHECKSUM = "sha256"
_TRAIN_AGAIN = "Train again, into a new run"
_RESUME = "Resume the run to write it again, or train again"


@dataclass(frozen=True)
class RunDirectory:
    """A run on the disk. Make one with `create` or `open`.

    Every file is written atomically: it is the old one whole or the new one whole, also after a kill. Every method
    that reads or writes raises RunError, in one line, for what is missing, damaged or refused by the disk.

    Attributes:
        path: the folder.
        config: `config.json`: "format", "backlight" (the version that made the run), "created" (ISO 8601, UTC), and
            what was given to `create`.
        vocabulary: `vocabulary.json`: what was given to `create`.
    """

    path: Path
    config: dict[str, Any]
    vocabulary: dict[str, Any]

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        config: Mapping[str, JSON],
        vocabulary: Mapping[str, JSON],
        seen: NDArray[np.uint64] | None = None,
    ) -> "RunDirectory":
        """Make a run, in one step: it exists with all that is given here, or not at all.

        Args:
            path: the folder to make; its parents are made where they are missing.
            config: how the run is trained. `list_runs` shows "model", "corpus" (each a name, or an object with a
                "name") and "parameters" where given.
            vocabulary: what turns ids into characters.
            seen: hashes (N,) of the corpus's items, so that new ones can be told from known ones.

        Raises:
            RunError: there is something at `path` already, or the folder cannot be made.
        """
        if os.path.lexists(path):
            raise RunError(
                f"A new run needs a new folder; {shown(path)} exists already. "
                "Choose another name, resume that run, or delete it."
            )
        _keep_free(config, _WRITTEN_HERE)
        _keep_free(vocabulary, (_CHECKSUM,))
        created = datetime.now(UTC).isoformat(timespec="seconds")
        whole_config = {"format": FORMAT, "backlight": _version(), "created": created, **config}
        checked_vocabulary = {_CHECKSUM: _digest(vocabulary), **vocabulary}
        files = {CONFIG: to_bytes(whole_config, indent=2), VOCABULARY: to_bytes(checked_vocabulary, indent=2)}
        if seen is not None:
            files[SEEN] = encode({"hashes": seen}, {})
        create_folder_atomically(path, files)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Open a run, and sweep away what a killed process left half-written.

        Raises:
            RunError: nothing there, a file, not a run, a run of another format, or a damaged config or vocabulary.
        """
        config = _read_config(path)
        vocabulary = read_object(path / VOCABULARY, remedy=_TRAIN_AGAIN)
        if vocabulary.pop(_CHECKSUM, None) != _digest(vocabulary):
            raise damaged(path / VOCABULARY, "its content does not match its checksum", remedy=_TRAIN_AGAIN)
        sweep(path)
        return cls(path, config, vocabulary)

    def lock(self) -> AbstractContextManager[None]:
        """Hold the run for training: `with run.lock(): ...`. The lock ends with the block or with the process.

        Raises:
            RunError: on entering, when another process (or another `lock` in this one) holds the run.
        """
        return only_trainer(self.path)

    @property
    def has_weights(self) -> bool:
        """Whether there is a model to use."""
        return (self.path / WEIGHTS).is_file()

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to resume from."""
        return (self.path / CHECKPOINT).is_file()

    def save_weights(self, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
        """Write `weights.safetensors`: the model to use, the best so far."""
        save_tensors(self.path / WEIGHTS, arrays, facts)

    def load_weights(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the arrays and facts of the model to use."""
        if not self.has_weights:
            self._missing(WEIGHTS, "its training stopped before there was a model to use", _RESUME)
        # a checkpoint is of no help: it goes on from the last step, and these are of the best
        return load_tensors(self.path / WEIGHTS, remedy=_TRAIN_AGAIN)

    def save_checkpoint(self, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
        """Write `optimiser.safetensors`: all that the loop needs to go on, in one file so that no parts disagree."""
        save_tensors(self.path / CHECKPOINT, arrays, facts)

    def load_checkpoint(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the arrays and facts to go on from."""
        if not self.has_checkpoint:
            self._missing(CHECKPOINT, "there is no checkpoint to resume from", _TRAIN_AGAIN)
        return load_tensors(self.path / CHECKPOINT, remedy=_TRAIN_AGAIN)

    def load_training_hashes(self) -> NDArray[np.uint64]:
        """Return the hashes (N,) that `create` was given."""
        if not (self.path / SEEN).is_file():
            self._missing(SEEN, "what the corpus holds was not recorded", _TRAIN_AGAIN)
        arrays, _ = load_tensors(self.path / SEEN, remedy=_TRAIN_AGAIN)
        return arrays["hashes"]

    def save_metrics(self, records: Sequence[Mapping[str, JSON]]) -> None:
        """Write `metrics.jsonl`, one object a line, all of it anew. A nan or inf becomes null."""
        write_atomically(self.path / METRICS, b"".join(to_bytes(record) for record in records))

    def load_metrics(self) -> list[dict[str, Any]]:
        """Return the records; none where none were saved yet."""
        return self._load_lines(METRICS)

    def append_health(self, lines: bytes) -> None:
        """Append whole lines to `health.jsonl`, the record stream of a watched network."""
        try:
            with (self.path / HEALTH).open("ab") as file:
                file.write(lines)
        except OSError as error:
            raise cannot_write(self.path / HEALTH, error, state="what was there before still is") from error

    def save_health(self, stream: bytes) -> None:
        """Write `health.jsonl`, all of it anew, in one step."""
        write_atomically(self.path / HEALTH, stream)

    def load_health(self) -> bytes:
        """Return the record stream; nothing where the network was not watched."""
        path = self.path / HEALTH
        return read_whole(path, remedy="Delete it, and the run goes on without it") if path.is_file() else b""

    def _load_lines(self, name: str) -> list[dict[str, Any]]:
        path = self.path / name
        if not path.is_file():
            return []
        remedy = "Delete it, and the run goes on without what it held"
        lines = read_whole(path, remedy=remedy).splitlines()  # bytes: text would be split at a U+2028 in a string too
        return [
            parse_object(line, path, remedy=remedy, where=f"line {number}: ") for number, line in enumerate(lines, 1)
        ]

    def save_samples(self, text: str) -> None:
        """Write `samples.txt`."""
        write_atomically(self.path / SAMPLES, text.encode())

    def load_samples(self) -> str | None:
        """Return the text; None where none was saved yet."""
        path = self.path / SAMPLES
        if not path.is_file():
            return None
        try:
            return read_whole(path, remedy=_RESUME).decode()
        except UnicodeDecodeError as error:
            raise damaged(path, f"not valid UTF-8 at byte {error.start}", remedy=_RESUME) from error

    def save_result(self, result: Mapping[str, JSON]) -> None:
        """Write `result.json`: what a finished training reports. A nan or inf becomes null."""
        write_atomically(self.path / RESULT, to_bytes(result, indent=2))

    def load_result(self) -> dict[str, Any] | None:
        """Return the report of the finished training; None where it has not finished."""
        path = self.path / RESULT
        return read_object(path, remedy=_RESUME) if path.is_file() else None

    def _missing(self, name: str, reason: str, remedy: str) -> None:
        raise RunError(f"{shown(self.path)} has no {name}: {reason}. {remedy}.")


def _read_config(path: Path) -> dict[str, Any]:
    remedy = "Correct the path, or train a run first"
    try:
        data = (path / CONFIG).read_bytes()
    except FileNotFoundError as error:
        if path.is_dir():
            raise RunError(f"A run is a folder with a {CONFIG}; {shown(path)} has none. {remedy}.") from error
        raise RunError(f"There is no run at {shown(path)}. {remedy}.") from error
    except NotADirectoryError as error:
        raise RunError(f"A run is a folder; {shown(path)} is or lies in a file. {remedy}.") from error
    except OSError as error:
        raise cannot_read(path / CONFIG, error, remedy="Check its permissions, or choose another run") from error
    config = parse_object(data, path / CONFIG, remedy=_TRAIN_AGAIN)
    _check_format(path, config)
    return config


def _check_format(path: Path, config: dict[str, Any]) -> None:
    found = config.get("format")
    if not isinstance(found, int) or isinstance(found, bool):
        raise damaged(path / CONFIG, f'"format" is not a number but {to_text(found)}', remedy=_TRAIN_AGAIN)
    if found == FORMAT:
        return
    maker = f"Backlight {config.get('backlight', 'of unknown version')}"
    remedy = "Upgrade Backlight" if found > FORMAT else f"Use {maker}"
    raise RunError(
        f"Backlight {_version()} reads runs of format {FORMAT}; {shown(path)} has format {found}, made by {maker}. "
        f"{remedy}, or train again."
    )


def _keep_free(given: Mapping[str, JSON], names: tuple[str, ...]) -> None:
    taken = [name for name in names if name in given]
    if taken:
        raise RunError(
            f"{', '.join(names)} are written by the run itself; got {', '.join(taken)}. Rename what is given."
        )


def _digest(vocabulary: Mapping[str, JSON]) -> str:
    """Hash a vocabulary: one wrong character in it would spoil every sample, silently."""
    return sha256(json.dumps(plain(vocabulary)).encode()).hexdigest()


def _version() -> str:
    from importlib.metadata import version  # slow to import, and needed once a run

    return version("backlight")
