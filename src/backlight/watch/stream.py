"""The record stream: a file of JSON lines to which a watcher appends while a network is trained.

Every line is an object with a "type"; what else it holds, docs/record_stream.md says. A line is written in one piece
and never changed. So the file can be read while it grows, and after a kill at any moment all of it is good but perhaps
its last line, which then has no line end and is left out. A training that goes on after a stop takes off what it will
write again (`kept_bytes`), so that its stream ends as that of a training that was never stopped.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from backlight.watch.records import (
    EvaluationPoint,
    LayerFacts,
    LossFacts,
    LossPoint,
    Measurements,
    NonFinite,
    NotMeasured,
    OptimiserFacts,
    ParameterFacts,
    Probe,
    SplitFacts,
    StepRecord,
    TextRecord,
)
from backlight.watch.records_json import to_json

SCHEMA: Final = 6
"""The version of the lines, which is raised when an older reader could no longer read them. Version 1 had no types: a
line of facts and then a line for each step, all written anew at each save. Version 2 had no lines of type text, version
3 knew less of the loss; in lines of type text, version 4 had no units, and version 5 no pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first line.

    Attributes:
        schema: version of the lines.
        framework, source, model, interval: see `Measurements`.
    """

    schema: int
    framework: Literal["backlight", "torch"]
    source: Literal["watch", "examine", "log"]
    model: str
    interval: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is known of the network besides its steps. It comes before the first step, and again if it has changed.

    Attributes:
        step: the step that it was found out in.
        layers, parameters, optimiser, loss, restored_itself: see `Measurements`.
    """

    step: int
    layers: tuple[LayerFacts, ...] = ()
    parameters: tuple[ParameterFacts, ...] = ()
    optimiser: OptimiserFacts | None = None
    loss: LossFacts | None = None
    restored_itself: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last line of a training that ended by itself or was stopped.

    Attributes:
        step: how many steps had been taken.
    """

    step: int


TYPES: Final = MappingProxyType({
    "start": Start,
    "network": Network,
    "split": SplitFacts,
    "step": StepRecord,
    "loss": LossPoint,
    "evaluation": EvaluationPoint,
    "text": TextRecord,
    "not_finite": NonFinite,
    "not_measured": NotMeasured,
    "evaluation_mode": StepRecord,
    "probe": Probe,
    "end": End,
})  # fmt: skip
"""By a line's type, the dataclass whose fields are its entries."""


def line_of(type_: str, record: Any) -> bytes:
    """Return a line, with its line end."""
    values = {"type": type_, **to_json(record)}
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode() + b"\n"


class Stream(Protocol):
    """Where lines are appended."""

    def append(self, lines: bytes) -> None:
        """Append whole lines."""

    def close(self) -> None:
        """Take no more."""


class StreamFile:
    """A stream in a file of its own.

    Args:
        path: the file to make. An old one is replaced.

    Raises:
        OSError: the file cannot be made, or later not be written to.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)

    def append(self, lines: bytes) -> None:
        """Append whole lines."""
        while lines and self._descriptor is not None:
            lines = lines[os.write(self._descriptor, lines) :]

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class StreamWriter:
    """Turns records into lines. A disk that refuses must not break the training: what cannot be written is left out.

    Args:
        stream: where lines are appended; None for nowhere.
        on_error: called with the reason if the disk refuses.
    """

    def __init__(self, stream: Stream | None, on_error: Callable[[str], None]) -> None:
        self._stream = stream
        self._on_error = on_error
        self._pending: list[bytes] = []  # losses, which are written with the next line of another type
        self.network = b""  # as it was written last

    @property
    def is_open(self) -> bool:
        """Whether there is a stream."""
        return self._stream is not None

    def write(self, type_: str, record: Any) -> None:
        """Append a record."""
        if self._stream is not None:
            self._pending.append(line_of(type_, record))
            if type_ != "loss":
                self.flush()

    def write_network(self, seen: Measurements, step: int) -> None:
        """Append what is known of the network, if it is not what was written last."""
        network = network_of(seen, 0)
        line = line_of("network", network)
        if line != self.network:
            self.network = line
            self.write("network", replace(network, step=step))

    def flush(self) -> None:
        """Write the losses that wait for a line of another type."""
        if self._stream is None or not self._pending:
            return
        lines, self._pending = b"".join(self._pending), []
        try:
            self._stream.append(lines)
        except OSError as error:
            self._stream = None
            self._on_error(f"the file could not be written to: {error}")

    def close(self) -> None:
        """Append no more."""
        if self._stream is not None:
            self.flush()
        if self._stream is not None:
            self._stream.close()


def write_stream(seen: Measurements, path: Path) -> None:
    """Write measurements to a file, as a stream."""
    path.write_bytes(b"".join(line_of(*one) for one in records_of(seen)))


def records_of(seen: Measurements) -> Iterator[tuple[str, Any]]:
    """Yield measurements as types and records, in the order of a stream."""
    yield (
        "start",
        Start(schema=SCHEMA, framework=seen.framework, source=seen.source, model=seen.model, interval=seen.interval),
    )
    yield "network", network_of(seen, 0)
    if seen.split is not None:
        yield "split", seen.split
    timed = [
        *((one.step, 0, "step", one) for one in seen.steps),
        *((one.step, 1, "loss", one) for one in seen.losses),
        *((one.step, -2, "evaluation", one) for one in seen.evaluations),
        *((one.step, -1, "text", one) for one in seen.texts),
        *((one.step or 0, 2, "not_measured", one) for one in seen.not_measured),
    ]
    if seen.first_nonfinite is not None:
        timed.append((seen.first_nonfinite.step, 2, "not_finite", seen.first_nonfinite))
    for _, _, type_, record in sorted(timed, key=lambda one: one[:2]):
        yield type_, record
    if seen.evaluation is not None:
        yield "evaluation_mode", seen.evaluation
    yield from (("probe", one) for one in seen.probes)
    if seen.source != "examine":
        yield "end", End(step=seen.total_steps)


def network_of(seen: Measurements, step: int) -> Network:
    """Return what is known of a network besides its steps, as a line's record."""
    return Network(
        step=step, layers=seen.layers, parameters=seen.parameters, optimiser=seen.optimiser, loss=seen.loss,
        restored_itself=seen.restored_itself,
    )  # fmt: skip
