"""Reading a record stream, whole or while it grows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from backlight.core import DataError
from backlight.watch.records import Measurements, StepRecord
from backlight.watch.records_json import from_json
from backlight.watch.stream import SCHEMA, TYPES, Network, Start

_BETWEEN: Final = frozenset({"evaluation", "text"})
"""Lines about the network as it is after so many steps; other lines are about a step."""


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
        if line.type == "end" or (isinstance(at, int) and (at > step if line.type in _BETWEEN else at >= step)):
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
        total_steps=total if start.source != "examine" else 0,
        layers=network.layers,
        parameters=network.parameters,
        optimiser=network.optimiser,
        loss=network.loss,
        restored_itself=network.restored_itself,
        steps=tuple(records["step"]),
        evaluation=_last(records["evaluation_mode"]),
        losses=tuple(records["loss"]),
        evaluations=tuple(records["evaluation"]),
        texts=tuple(records["text"]),
        split=_last(records["split"]),
        probes=tuple(records["probe"]),
        first_nonfinite=records["not_finite"][-1] if records["not_finite"] else None,
        not_measured=tuple(records["not_measured"]),
    )


def _last(found: list[Any]) -> Any:
    return found[-1] if found else None


def _steps_taken(type_: str, record: Any) -> int:
    if type_ in {"step", "loss"}:
        return int(record.step) + 1
    return int(record.step) if type_ in {*_BETWEEN, "end"} else 0


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
