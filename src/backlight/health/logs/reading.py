"""Files of a training's log to rows: the columns of each row that have a value."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

from backlight.core import ConfigError, DataError

Format = Literal["csv", "jsonl", "tensorboard", "trainer_state", "lightning"]

FORMATS: Final[tuple[Format, ...]] = get_args(Format)

Row = dict[str, Any]

_INSIDE: Final = ("trainer_state.json", "metrics.csv")
"""Files that are looked for in a folder."""


def read_rows(path: Path, format: str | None = None) -> tuple[Format, list[Row]]:  # noqa: A002  (as the option is called)
    """Return the format of a log and its rows.

    Args:
        path: a file, or a folder that Hugging Face's `Trainer`, Lightning's `CSVLogger` or TensorBoard has written.
        format: one of `FORMATS`; by default as the name and the first character say.

    Raises:
        ConfigError: no such format.
        DataError: there is no such file, or it is not of that format.
    """
    if format is not None and format not in FORMATS:
        raise ConfigError(f"a log's format is one of {', '.join(FORMATS)}; got {format!r}.")
    if not path.exists():
        raise DataError(f"a log is a file or a folder; there is no {str(path)!r}.")
    found = path
    if path.is_dir() and format != "tensorboard":
        found = next((path / name for name in _INSIDE if (path / name).is_file()), path)
    if format == "tensorboard" or (format is None and (found.is_dir() or _is_events(found))):
        return "tensorboard", _tensorboard(found)
    if found.is_dir():
        raise DataError(f"a folder with a log has a {' or '.join(_INSIDE)}; {str(path)!r} has none.")
    text = _text(found)
    if not text.strip():
        raise DataError(f"a log has rows of numbers; {str(found)!r} is empty, so nothing can be said.")
    known: Any = format or _guessed(found, text)
    return known, list(_READERS[known](text, str(found)))


def _is_events(path: Path) -> bool:
    return "tfevents" in path.name


def _guessed(path: Path, text: str) -> Format:
    first = text.lstrip()[:1]
    if first == "{":
        lines = text.strip().splitlines()
        return "jsonl" if len(lines) == 1 or _is_json(lines[0]) else "trainer_state"
    return "trainer_state" if first == "[" else "lightning" if path.name == "metrics.csv" else "csv"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"a log is text in UTF-8, or a TensorBoard event file with tfevents in its name; {str(path)!r} is neither."
        ) from None
    except OSError as error:
        raise DataError(f"the log {str(path)!r} cannot be read: {error.strerror or error}.") from None


def _csv(text: str, name: str) -> Iterator[Row]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t|", key=head.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        columns = [one.strip() for one in next(rows, [])]
        if not any(columns) or any(_number(one) is not None for one in columns if one):
            raise DataError(f"the first line of a CSV log names its columns; that of {name!r} is {head[:60]!r}.")
        for row in rows:
            if row:
                yield {key: value for key, value in zip(columns, row, strict=False) if key and value.strip()}
    except csv.Error as error:
        raise DataError(f"the log {name!r} is not CSV: line {rows.line_num}: {error}.") from None


def _json_lines(text: str, name: str) -> Iterator[Row]:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            if number == len(lines) and not line.endswith("\n"):
                return  # it is still being written
            raise DataError(f"each line of a JSON-lines log is an object; line {number} of {name!r} is not.") from None
        if isinstance(row, dict) and isinstance(row.get("log_history"), list):
            yield from _objects(row["log_history"], name)
        else:
            yield from _objects([row], name, number)


def _trainer_state(text: str, name: str) -> Iterator[Row]:
    try:
        state = json.loads(text)
    except ValueError as error:
        raise DataError(f"the log {name!r} is not JSON: {error}.") from None
    history = state.get("log_history") if isinstance(state, dict) else state
    if not isinstance(history, list):
        raise DataError(f"a trainer_state.json has a list log_history; {name!r} has none.")
    yield from _objects(history, name)


def _objects(rows: list[Any], name: str, number: int = 1) -> Iterator[Row]:
    for at, row in enumerate(rows, number):
        if not isinstance(row, dict):
            raise DataError(f"an entry of a log is an object; entry {at} of {name!r} is a {type(row).__name__}.")
        yield _flat(row)


def _flat(row: Mapping[str, Any], prefix: str = "") -> Row:
    """Return an object with "train/loss" for a loss inside of "train"."""
    found: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}/")
        elif value is not None and not isinstance(value, list):
            found[f"{prefix}{key}"] = value
    return found


def _tensorboard(path: Path) -> list[Row]:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise ConfigError(
            "reading TensorBoard's event files needs TensorBoard: pip install 'backlight[tensorboard]'. Or export the "
            "scalars as CSV."
        ) from None
    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    try:
        events.Reload()
    except Exception as error:  # noqa: BLE001  (whatever it raises, the file is not one that it can read)
        raise DataError(f"TensorBoard cannot read {str(path)!r}: {type(error).__name__}: {error}.") from None
    tags = events.Tags()
    found = [(tag, one.step, one.value) for tag in tags["scalars"] for one in events.Scalars(tag)]
    for tag in tags["tensors"]:
        for one in events.Tensors(tag):
            array = make_ndarray(one.tensor_proto)
            if array.size == 1 and array.dtype.kind in "fiu":
                found.append((tag, one.step, float(array.reshape(()))))
    if not found:
        raise DataError(f"a TensorBoard log has scalars; {str(path)!r} has none.")
    rows: dict[int, Row] = {}
    for tag, step, value in found:
        rows.setdefault(step, {"step": step})[tag] = value
    return [rows[step] for step in sorted(rows)]


_READERS: Final[Mapping[str, Callable[[str, str], Iterator[Row]]]] = {
    "csv": _csv, "lightning": _csv, "jsonl": _json_lines, "trainer_state": _trainer_state,
}  # fmt: skip


def number_in(row: Row, column: str, at: int) -> float | None:
    """Return a number of a row; None if the row has none.

    Args:
        row: the row.
        column: the column.
        at: the number of the row, for the message.

    Raises:
        DataError: what stands there is no number.
    """
    value = row.get(column)
    if value is None:
        return None
    found = _number(value)
    if found is None:
        raise DataError(f"column {column!r} of a log has numbers; in row {at} it has {value!r:.60}.")
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # an integer beyond every float
        return None
