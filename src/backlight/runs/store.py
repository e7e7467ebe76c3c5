"""The files of a run in memory: configuration, vocabulary, weights, checkpoint, metrics and samples."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from backlight.core import Array, RunError
from backlight.runs.failures import damaged
from backlight.runs.strict_json import JSON, parse_object, plain, to_bytes
from backlight.runs.tensors import decode_file, encode, read_facts

FORMAT = 2
"""The format that this version writes. It increases when older versions can no longer read a run. Format 1 is read."""

CONFIG = "config.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"
COUNTS = "counts.safetensors"
CHECKPOINT = "optimiser.safetensors"
START = "start.safetensors"
SEEN = "seen.safetensors"
CORPUS = "corpus.json"
METRICS = "metrics.jsonl"
HEALTH = "health.jsonl"
SAMPLES = "samples.txt"
SAMPLED = "samples.jsonl"
CONTROL, STATE = "control.json", "state.json"
CHANGES = "changes.jsonl"
RESULT = "result.json"

KEPT = re.compile(r"checkpoint-(0|[1-9][0-9]{0,11})\.safetensors")
"""The name of a checkpoint that is kept, with its step; see `runs/kept.py`."""

PRETRAINED = "(pretrained)"
"""The name of the text of a model that was trained elsewhere."""

FILES = (
    CONFIG, VOCABULARY, WEIGHTS, COUNTS, CHECKPOINT, START, SEEN, CORPUS, METRICS, HEALTH, SAMPLES, SAMPLED, CHANGES,
    RESULT,
)  # fmt: skip
"""The files of a run. Other files in its folder (figures, a report) are made from these."""

CHECKSUM = "sha256"
WRITTEN_HERE = ("format", "backlight", "created", CHECKSUM)
TRAIN_AGAIN = "Train again, into a new run"
RESUME = "Resume the run to write it again, or train again"

_METRIC_NUMBERS = ("loss", "lr", "dev_nats", "train_nats", "seconds", "characters_per_second")
_RESULT_WORDS = {"run", "model", "corpus"}


@dataclass
class RunStore:
    """The files of a run in memory. `RunDirectory` keeps the same files in a folder.

    Raises:
        RunError: by every method that reads or writes, if a file is missing, damaged, or cannot be read or written.

    Attributes:
        config: content of `config.json`: "format", "backlight" (the version that made the run), "created" (ISO 8601,
            UTC), and the configuration.
        vocabulary: content of `vocabulary.json`.
    """

    config: dict[str, Any]
    vocabulary: dict[str, Any]
    _files: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def in_memory(cls, files: Mapping[str, bytes]) -> "RunStore":
        """Return a run in memory.

        Args:
            files: the files that `new_files` returned.
        """
        config, vocabulary = (_parsed(files[name], name) for name in (CONFIG, VOCABULARY))
        return cls(config, vocabulary, dict(files))

    @property
    def name(self) -> str:
        """The name of the run, for messages."""
        return "the run in memory"

    def lock(self) -> AbstractContextManager[None]:
        """Lock the run for training: `with run.lock(): ...`. The lock ends with the block or with the process.

        Raises:
            RunError: on entering, if another process, or another `lock` in this one, holds the lock.
        """
        return nullcontext()

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return name in self._files

    def read(self, name: str, *, remedy: str) -> bytes:
        """Return the bytes of a file. If it cannot be read, the error message ends with `remedy`."""
        del remedy
        return self._files[name]

    def write(self, name: str, data: bytes) -> None:
        """Make a file, or replace its content atomically."""
        self._files[name] = data

    def append(self, name: str, data: bytes) -> None:
        """Append to a file, which is made if it does not exist."""
        self._files[name] = self._files.get(name, b"") + data

    def files(self) -> dict[str, bytes]:
        """Return all files, by name."""
        names = [*(name for name in FILES if self.has(name)), *filter(KEPT.fullmatch, self.sizes())]
        return {name: self.read(name, remedy=RESUME) for name in names}

    def sizes(self) -> dict[str, int]:
        """Return the number of bytes of each file by its name."""
        return {name: len(data) for name, data in list(self._files.items())}  # another thread may add one

    # -- the files -----------------------------------------------------------------------------------------------------

    @property
    def has_weights(self) -> bool:
        """Whether there are weights to use."""
        return self.has(WEIGHTS)

    @property
    def has_counts(self) -> bool:
        """Whether there are the counts of the n-gram that a network is mixed with."""
        return self.has(COUNTS)

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return self.has(CHECKPOINT)

    def save_weights(self, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
        """Write `weights.safetensors`, the best weights so far: arrays of any shape, and metadata."""
        self.write(WEIGHTS, encode(arrays, facts))

    def load_weights(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the best weights, arrays of any shape by name, and their metadata."""
        if not self.has_weights:
            self._missing(WEIGHTS, "its training stopped before there was a model to use", RESUME)
        # the checkpoint cannot replace them: it has the weights of the last step
        return self._tensors(WEIGHTS)

    def save_counts(self, arrays: Mapping[str, Array]) -> None:
        """Write `counts.safetensors`, the counts of the n-gram that a network is mixed with: arrays of any shape."""
        self.write(COUNTS, encode(arrays, {}))

    def load_counts(self) -> dict[str, Array]:
        """Return the counts of the n-gram that a network is mixed with, arrays of any shape by name."""
        if not self.has(COUNTS):
            self._missing(COUNTS, "the n-gram of the mixture was not counted", TRAIN_AGAIN)
        return self._tensors(COUNTS)[0]

    def save_checkpoint(self, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
        """Write `optimiser.safetensors`, the checkpoint: arrays of any shape and metadata, in one file to be atomic."""
        self.write(CHECKPOINT, encode(arrays, facts))

    def load_checkpoint(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the checkpoint: arrays of any shape by name, and metadata."""
        if not self.has_checkpoint:
            self._missing(CHECKPOINT, "there is no checkpoint to resume from", TRAIN_AGAIN)
        return self._tensors(CHECKPOINT)

    def last_step(self) -> int | None:
        """Return the step of the checkpoint, by its metadata alone; None if there is none."""
        if not self.has_checkpoint:
            return None
        found = read_facts(self.beginning(CHECKPOINT), self._place(CHECKPOINT), remedy=TRAIN_AGAIN).get("step")
        return found if isinstance(found, int) else None

    def beginning(self, name: str) -> BinaryIO:
        """Return a file, opened to be read from its beginning."""
        return BytesIO(self._files[name])

    def load_start(self) -> dict[str, Array] | None:
        """Return the initial weights, arrays of any shape by name; None if they are random, from the seed."""
        return self._tensors(START)[0] if self.has(START) else None

    def load_training_hashes(self) -> NDArray[np.uint64]:
        """Return the hashes of the items of the corpus, (N,)."""
        if not self.has(SEEN):
            self._missing(SEEN, "the items of the corpus were not recorded", TRAIN_AGAIN)
        hashes = self._tensors(SEEN)[0].get("hashes")
        if hashes is None or hashes.dtype != np.uint64 or hashes.ndim != 1:
            raise damaged(self._place(SEEN), "it has no list of hashes", remedy=TRAIN_AGAIN)
        return hashes

    def save_metrics(self, records: Sequence[Mapping[str, JSON]]) -> None:
        """Write all of `metrics.jsonl`, one object per line. Non-finite numbers become null."""
        self.write(METRICS, b"".join(to_bytes(record) for record in records))

    def load_metrics(self) -> list[dict[str, Any]]:
        """Return the records of `metrics.jsonl`, if any. Each has a "step", and a "loss" or "dev_nats"."""
        return self._lines(METRICS)

    def append_health(self, lines: bytes) -> None:
        """Append complete lines to `health.jsonl`, the record stream of a watched network."""
        self.append(HEALTH, lines)

    def save_health(self, stream: bytes) -> None:
        """Write all of `health.jsonl` atomically."""
        self.write(HEALTH, stream)

    def load_health(self) -> bytes:
        """Return the record stream; it is empty if the network was not watched."""
        return self.read(HEALTH, remedy="Delete it to continue without it") if self.has(HEALTH) else b""

    def append_sampled(self, step: int, texts: Sequence[str]) -> None:
        """Append what the model writes after `step` steps to `samples.jsonl`: a message of the viewer's."""
        self.append(SAMPLED, to_bytes({"type": "samples", "step": step, "samples": list(texts)}))

    def load_sampled(self) -> list[tuple[int, list[str]]]:
        """Return what the model wrote on the way: pairs of a number of steps and texts."""
        found = [self._sampled(number, line) for number, line in enumerate(self._whole_lines(SAMPLED), 1)]
        return [(one["step"], one["samples"]) for one in found]

    def cut_sampled(self, step: int) -> None:
        """Remove what was sampled after more than `step` steps, which a resumed training will sample again."""
        lines = self._whole_lines(SAMPLED)
        kept = [line for number, line in enumerate(lines, 1) if self._sampled(number, line)["step"] <= step]
        if len(kept) < len(lines):
            self.write(SAMPLED, b"".join(line + b"\n" for line in kept))

    def _sampled(self, number: int, line: bytes) -> dict[str, Any]:
        remedy = "Delete it to continue without it"
        found = parse_object(line, self._place(SAMPLED), remedy=remedy, where=f"line {number}: ")
        texts = found.get("samples")
        if (
            type(found.get("step")) is not int
            or not isinstance(texts, list)
            or not all(type(one) is str for one in texts)
        ):
            raise damaged(self._place(SAMPLED), f"line {number}: it has no step and samples", remedy=remedy)
        return found

    def append_change(self, change: Mapping[str, JSON]) -> None:
        """Append a change that was made while the run was trained, such as a new learning rate, to `changes.jsonl`."""
        self.append(CHANGES, to_bytes(change))

    def control_version(self) -> object:
        """Return what changes with each request of other processes, the file `control.json`.

        None if nobody asked anything, as always of a run in memory.
        """
        return None

    def _whole_lines(self, name: str) -> list[bytes]:
        """Return the lines of a file that only grows, but for a last one that was not written to its end."""
        data = self.read(name, remedy="Delete it to continue without it") if self.has(name) else b""
        return data[: data.rfind(b"\n") + 1].splitlines()

    def save_samples(self, text: str) -> None:
        """Write `samples.txt`."""
        self.write(SAMPLES, text.encode())

    def load_samples(self) -> str | None:
        """Return the text of `samples.txt`; None if there is none."""
        if not self.has(SAMPLES):
            return None
        try:
            return self.read(SAMPLES, remedy=RESUME).decode()
        except UnicodeDecodeError as error:
            raise damaged(self._place(SAMPLES), f"not valid UTF-8 at byte {error.start}", remedy=RESUME) from error

    def save_result(self, result: Mapping[str, JSON]) -> None:
        """Write `result.json`, the result of the training. Non-finite numbers become null."""
        self.write(RESULT, to_bytes(result, indent=2))

    def load_result(self) -> dict[str, Any] | None:
        """Return the result of the training; None if it is not complete."""
        if not self.has(RESULT):
            return None
        result = self._object(RESULT, remedy=RESUME)
        wrong = [name for name, value in result.items() if name not in _RESULT_WORDS and not _number_or_null(value)]
        if wrong:
            raise damaged(self._place(RESULT), f'"{wrong[0]}" is not a number', remedy=RESUME)
        return result

    def load_corpus(self) -> list[str] | None:
        """Return the items of a text that came from no file, which `corpus.json` keeps; None otherwise."""
        if not self.has(CORPUS):
            return None
        items = self._object(CORPUS, remedy=TRAIN_AGAIN).get("items")
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise damaged(self._place(CORPUS), "it has no list of strings", remedy=TRAIN_AGAIN)
        return items

    # -- reading -------------------------------------------------------------------------------------------------------

    def _place(self, name: str) -> str:
        return f"{name} of {self.name}"

    def _tensors(self, name: str) -> tuple[dict[str, Array], dict[str, Any]]:
        return decode_file(self.read(name, remedy=TRAIN_AGAIN), self._place(name), remedy=TRAIN_AGAIN)

    def _object(self, name: str, *, remedy: str) -> dict[str, Any]:
        return parse_object(self.read(name, remedy=remedy), self._place(name), remedy=remedy)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        if not self.has(name):
            return []
        remedy = "Delete it to continue without it"
        lines = self.read(name, remedy=remedy).splitlines()  # of bytes: str.splitlines also splits at U+2028
        records = []
        for number, line in enumerate(lines, 1):
            record = parse_object(line, self._place(name), remedy=remedy, where=f"line {number}: ")
            wrong = _metric_fault(record)
            if wrong is not None:
                raise damaged(self._place(name), f"line {number}: {wrong}", remedy=remedy)
            records.append(record)
        return records

    def _missing(self, name: str, reason: str, remedy: str) -> None:
        raise RunError(f"{self.name} has no {name}: {reason}. {remedy}.")


def new_files(*, config: Mapping[str, JSON], vocabulary: Mapping[str, JSON]) -> dict[str, bytes]:
    """Return the initial files of a run.

    Args:
        config: the configuration. `list_runs` shows its "model", "corpus" (each a name, or an object with a "name") and
            "parameters", if given.
        vocabulary: the vocabulary.

    Raises:
        RunError: an entry has a name that is reserved.
    """
    _keep_free(config, WRITTEN_HERE)
    _keep_free(vocabulary, (CHECKSUM,))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    whole = plain({"format": FORMAT, "backlight": version(), "created": created, **config})
    checked_vocabulary = {CHECKSUM: digest(vocabulary), **vocabulary}
    return {
        CONFIG: to_bytes({**whole, CHECKSUM: config_digest(whole)}, indent=2),
        VOCABULARY: to_bytes(checked_vocabulary, indent=2),
    }


def start_files(*, start: Mapping[str, Array], seen: NDArray[np.uint64]) -> dict[str, bytes]:
    """Return the files of a run that starts with the weights of another.

    Args:
        start: the initial weights, arrays of any shape.
        seen: (N,) hashes of the items of both runs.
    """
    return {START: encode(start, {}), SEEN: encode({"hashes": seen}, {})}


def extra_files(*, seen: NDArray[np.uint64] | None, corpus: Sequence[str] | None) -> dict[str, bytes]:
    """Return the initial files that only a run in a folder has.

    Args:
        seen: (N,) hashes of the items, to check whether a sample is new; None if there are none.
        corpus: the items, if they do not come from a file that can be read again.
    """
    files = {} if seen is None else {SEEN: encode({"hashes": seen}, {})}
    return files if corpus is None else {**files, CORPUS: to_bytes({"items": list(corpus)})}


def digest(vocabulary: Mapping[str, JSON]) -> str:
    """Return the checksum of a vocabulary: one wrong character in it would silently spoil every sample."""
    return sha256(json.dumps(plain(vocabulary)).encode()).hexdigest()


def config_digest(config: Mapping[str, JSON]) -> str:
    """Return the checksum of a configuration, without the name of the corpus, whose file may be moved."""
    corpus = config.get("corpus")
    fixed = {key: value for key, value in corpus.items() if key != "name"} if isinstance(corpus, Mapping) else None
    whole = {key: value for key, value in config.items() if key not in {CHECKSUM, "corpus"}}
    return sha256(json.dumps([plain(whole), plain(fixed)], sort_keys=True).encode()).hexdigest()


def version() -> str:
    """Return the version of Backlight."""
    from importlib.metadata import version  # slow to import, and needed once per run

    return version("backlight")


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    values = parse_object(data, name, remedy=TRAIN_AGAIN)
    values.pop(CHECKSUM, None)
    return values


def _keep_free(given: Mapping[str, JSON], names: tuple[str, ...]) -> None:
    taken = [name for name in names if name in given]
    if taken:
        raise RunError(f"{', '.join(names)} are reserved names; got {', '.join(taken)}. Rename these entries.")


def _metric_fault(record: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a record of the metrics; None if nothing is."""
    step = record.get("step")
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        return '"step" is not a step number'
    wrong = [name for name in _METRIC_NUMBERS if not _number_or_null(record.get(name))]
    if wrong:
        return f'"{wrong[0]}" is not a number'
    return None if "loss" in record or "dev_nats" in record else 'it has neither "loss" nor "dev_nats"'


def _number_or_null(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
