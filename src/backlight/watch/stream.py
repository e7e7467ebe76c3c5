"""The record stream: a file of JSON lines to which a watcher appends while a network is trained.

Every line is an object with a "type"; what else it holds, docs/record_stream.md says. A line is written in one piece
and never changed. So the file can be read while it grows, and after a kill at any moment all of it is good but perhaps
its last line, which then has no line end and is left out. A training that goes on after a stop takes off what it will
write again (`kept_bytes`), so that its stream ends as that of a training that was never stopped.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from backlight.core import DataError
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
)
from backlight.watch.records_json import from_json, to_json

SCHEMA: Final = 2
"""The version of the lines, which is raised when an older reader could no longer read them. Version 1 had no types: a
line of facts and then a line for each step, all written anew at each save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first line.

    Attributes:
        schema: version of the lines.
        framework, source, model, interval: see `Measurements`.
    """

    schema: int
    framework: Literal["backlight", "torch"]
    source: Literal["watch", "examine"]
    model: str
    interval: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is known of the network besides its steps. It comes before the first step, and again if it has changed.

    Attributes:
        step: the step that it was found out in.
        layers, parameters, optimiser, loss: see `Measurements`.
    """

    step: int
    layers: tuple[LayerFacts, ...] = ()
    parameters: tuple[ParameterFacts, ...] = ()
    optimiser: OptimiserFacts | None = None
    loss: LossFacts | None = None


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


def write_stream(seen: Measurements, path: Path) -> None:
    """Write measurements to a file, as a stream."""
    path.write_bytes(b"".join(line_of(*one) for one in records_of(seen)))


def read_stream(path: Path) -> Measurements:
    """Return what is in a file so far; see `parse`.

    Raises:
        DataError: this is no stream, or a line of it is damaged.
        OSError: the file cannot be read.
    """
    return parse(path.read_bytes(), str(path))


def parse(data: bytes, name: str) -> Measurements:
    """Return what a stream holds so far. A last line without its end, which is being written, is left out.

    Streams of version 1 can be read too.

    Args:
        data: the stream.
        name: what to call it in a message.

    Raises:
        DataError: this is no stream, or a line of it is damaged.
    """
    lines = list(_lines(data, name))
    if not lines:
        raise DataError(f"a record stream begins with a line of type start; {name} holds none. Record again.")
    if lines[0].type is None:
        return _of_version_1(lines, name)
    _check_start(lines[0], name)
    records: dict[str, list[Any]] = {type_: [] for type_ in TYPES}
    total = 0
    for number, line in enumerate(lines, 1):
        if line.type is None or line.type not in TYPES:
            known = ", ".join(TYPES)
            raise DataError(f"line {number} of {name} has the type {line.type!r}; known are {known}. Record again.")
        record = _built(TYPES[line.type], line, number, name)
        records[line.type].append(record)
        total = max(total, _steps_taken(line.type, record))
    return _assembled(records, total)


def kept_bytes(data: bytes, step: int, name: str) -> int:
    """Return how much of a stream stays if a training goes on after `step` steps: it will write the rest again.

    Raises:
        DataError: this is no stream.
    """
    end = 0
    for line in _lines(data, name):
        at = line.values.get("step")
        if line.type == "end" or (isinstance(at, int) and (at > step if line.type == "evaluation" else at >= step)):
            return end
        end = line.end
    return end


def _assembled(records: dict[str, list[Any]], total: int) -> Measurements:
    start: Start = records["start"][0]
    network = records["network"][-1] if records["network"] else Network(step=0)
    return Measurements(
        framework=start.framework,
        source=start.source,
        model=start.model,
        interval=start.interval,
        total_steps=total if start.source == "watch" else 0,
        layers=network.layers,
        parameters=network.parameters,
        optimiser=network.optimiser,
        loss=network.loss,
        steps=tuple(records["step"]),
        evaluation=_last(records["evaluation_mode"]),
        losses=tuple(records["loss"]),
        evaluations=tuple(records["evaluation"]),
        split=_last(records["split"]),
        probes=tuple(records["probe"]),
        first_nonfinite=records["not_finite"][0] if records["not_finite"] else None,
        not_measured=tuple(records["not_measured"]),
    )


def _last(found: list[Any]) -> Any:
    return found[-1] if found else None


def _steps_taken(type_: str, record: Any) -> int:
    if type_ in {"step", "loss"}:
        return int(record.step) + 1
    return int(record.step) if type_ in {"evaluation", "end"} else 0


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
        *((one.step, -1, "evaluation", one) for one in seen.evaluations),
        *((one.step or 0, 2, "not_measured", one) for one in seen.not_measured),
    ]
    if seen.first_nonfinite is not None:
        timed.append((seen.first_nonfinite.step, 2, "not_finite", seen.first_nonfinite))
    for _, _, type_, record in sorted(timed, key=lambda one: one[:2]):
        yield type_, record
    if seen.evaluation is not None:
        yield "evaluation_mode", seen.evaluation
    yield from (("probe", one) for one in seen.probes)
    if seen.source == "watch":
        yield "end", End(step=seen.total_steps)


def network_of(seen: Measurements, step: int) -> Network:
    """Return what is known of a network besides its steps, as a line's record."""
    return Network(step=step, layers=seen.layers, parameters=seen.parameters, optimiser=seen.optimiser, loss=seen.loss)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its type (None in version 1), its other entries, and where it ends."""

    type: str | None
    values: dict[str, Any]
    end: int


def _lines(data: bytes, name: str) -> Iterator[_Line]:
    """Yield the whole lines."""
    end = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            return
        end += len(line)
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"line {number} of {name} is not JSON ({error}). Delete it and record again.") from error
        if not isinstance(values, dict):
            raise DataError(f"line {number} of {name} must be an object; got {values!r:.40}. Delete it.")
        yield _Line(values.pop("type", None), values, end)


def _built(kind: Any, line: _Line, number: int, name: str) -> Any:
    try:
        return from_json(kind, line.values)
    except DataError as error:
        raise DataError(f"line {number} of {name} cannot be read: {error}") from error


def _check_start(line: _Line, name: str) -> None:
    schema = line.values.get("schema")
    if line.type != "start" or not isinstance(schema, int):
        raise DataError(f"a record stream begins with a line of type start; {name} begins otherwise. Record again.")
    if schema > SCHEMA:
        raise DataError(f"{name} has schema {schema}; this Backlight reads up to {SCHEMA}. Upgrade Backlight.")


def _of_version_1(lines: list[_Line], name: str) -> Measurements:
    """Return what was written before lines had types: facts first, then steps."""
    facts: Measurements = _built(Measurements, lines[0], 1, name)
    steps = (_built(StepRecord, line, number, name) for number, line in enumerate(lines[1:], 2))
    return replace(facts, steps=tuple(steps))
