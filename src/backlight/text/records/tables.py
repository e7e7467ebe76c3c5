"""Tables: CSV, and tab-separated values."""

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain, islice
from typing import Final

from backlight.core import ConfigError, DataError
from backlight.text.items import Items
from backlight.text.labels import marked
from backlight.text.records.columns import has_header, likely, text_columns
from backlight.text.records.gathered import Gathered, counted
from backlight.text.records.reading import Reading

DELIMITERS: Final = ",;\t|"
SAMPLED: Final = 500
"""The number of rows from which a header and the columns of text are recognised."""

_SHOWN: Final = 24
_MOST_SHOWN: Final = 8
_NAMES: Final = {"\t": "TSV", ",": "CSV"}
_AS_LINES: Final = "If it is no table, --format lines."


def read_table(body: bytes, name: str, reading: Reading) -> tuple[Items, str, Reading]:
    """Return the cells of one column, a description, and the settings with what was detected.

    Args:
        body: the file in UTF-8.
        name: its name, for messages.
        reading: the settings; the format is "csv" or "tsv", or None if a table was asked for otherwise.

    Raises:
        DataError: it is no table, or it does not say which column is meant.
        ConfigError: there is no such column.
    """
    delimiter = reading.delimiter or ("\t" if reading.format == "tsv" else _delimiter(body))
    with _rows(body, name, delimiter) as rows:
        sample = list(islice(rows, SAMPLED))
        if not sample:
            raise DataError(f"a table needs a row; {name} has none. Use a file with text in it.")
        header, column, label = _layout(sample, name, reading)
        names = sample[0] if header else []
        if header and len(sample) == 1:
            raise DataError(f"a table needs a row below its header; {name} has only the header. Add some rows.")
        body_rows = chain(sample[header:], rows)
        found, labels = _labelled(body_rows, column, label, name, reading) if label is not None else (Gathered(), None)
        for row in body_rows:
            found.add(row[column])
    title = repr(names[column].strip()) if header else str(column + 1)
    items = found.items(name, f"text in column {title}")
    kind = _NAMES.get(delimiter, f"CSV with {delimiter!r}")
    without = "" if header else ", no header"
    text = f"{kind}, column {title} of {len(sample[0])}{without}, {counted(items, found.blank)}"
    if label is not None and labels is not None:
        shown = ", ".join(labels[:_MOST_SHOWN]) + (", ..." if len(labels) > _MOST_SHOWN else "")
        text += f", {len(labels):,} labels of column {_title(names, label)} ({shown})"
        reading = replace(reading, label=_title(names, label), labels=tuple(labels))
    used = replace(
        reading, format="tsv" if delimiter == "\t" else "csv", delimiter=delimiter, header="yes" if header else "no",
        column=_title(names, column),
    )  # fmt: skip
    return items, text, used


def _labelled(
    rows: Iterator[list[str]], column: int, label: int, name: str, reading: Reading
) -> tuple[Gathered, list[str]]:
    """Return the items, each after the character of its label, and the labels. Items without a label are left out."""
    pairs = [(row[column].strip(), row[label].strip()) for row in rows]
    whole = [(text, of) for text, of in pairs if text and of]
    if not whole:
        raise DataError(f"a corpus needs at least one item with a label; {name} has none. Choose another --label.")
    texts, labels = marked([text for text, _ in whole], [of for _, of in whole], reading.labels or (), name)
    found = Gathered()
    found.blank = len(pairs) - len(whole)
    for text in texts:
        found.add(text)
    return found, labels


def _title(names: list[str], column: int) -> str:
    """Return the name of a column if it has one of its own, or its number."""
    return names[column].strip() if names and _unique(names, column) else str(column + 1)


def sampled_rows(body: bytes, delimiter: str) -> list[list[str]]:
    """Return the first rows of a text, read as a table; none if it is not one."""
    try:
        with _rows(body, "", delimiter) as rows:
            return list(islice(rows, SAMPLED))
    except DataError:
        return []


def _delimiter(body: bytes) -> str:
    """Return the delimiter that divides the first rows evenly, into the most columns; a comma if none does."""
    head = body[: 1 << 16]
    if len(head) < len(body):
        head = head[: head.rfind(b"\n") + 1] or head
    by_width = {d: len(rows[0]) for d in DELIMITERS if (rows := sampled_rows(head, d))}
    return max(by_width, key=lambda d: by_width[d]) if by_width and max(by_width.values()) > 1 else ","


def _layout(sample: list[list[str]], name: str, reading: Reading) -> tuple[bool, int, int | None]:
    """Return whether there is a header, the column of the items, and that of the labels."""
    width, label = len(sample[0]), None
    names = [cell.strip() for cell in sample[0]]
    header = has_header(sample) if reading.header is None else reading.header == "yes"
    if reading.label is not None:
        header, label = _column("label", str(reading.label), sample, name, reading, header=header)
    if reading.column is None:
        candidates = [nth for nth in text_columns(sample[header:], width) if nth != label] or list(range(width))
        column = likely(names if header else [""] * width, candidates)
        if column is None:
            raise DataError(
                f"a corpus needs one column of a table; {name} has {width}: {_listed(sample, header)}. Choose one:"
                f" --column {_example(names, candidates) if header else candidates[0] + 1}, in Python column=."
                f" {_AS_LINES}"
            )
        return header, column, label
    header, column = _column("column", str(reading.column), sample, name, reading, header=header)
    if column == label:
        raise ConfigError(f"column and label must be two columns; got {names[column]!r} for both. Choose another.")
    return header, column, label


def _column(
    what: str, wanted: str, sample: list[list[str]], name: str, reading: Reading, *, header: bool
) -> tuple[bool, int]:
    """Return whether there is a header, and the column of this name or number."""
    names, width = [cell.strip() for cell in sample[0]], len(sample[0])
    if wanted in names and reading.header != "no":
        return True, names.index(wanted)
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= width:
        return header, int(wanted) - 1
    near = get_close_matches(wanted, names, n=1) if header else []
    raise ConfigError(
        f"{what} must be the name of a column or a number from 1 to {width}; {name} has {_listed(sample, header)}; got"
        f" {wanted!r}. {f'Did you mean {near[0]!r}?' if near else 'Choose one of these.'}"
    )


def _listed(sample: list[list[str]], header: bool) -> str:
    """Return the names of the columns, or their numbers with an example of each."""
    first = sample[0][:_MOST_SHOWN]
    more = ", ..." if len(sample[0]) > _MOST_SHOWN else ""
    cells = [cell.strip() if len(cell) <= _SHOWN else cell[: _SHOWN - 3].strip() + "..." for cell in first]
    if header:
        return ", ".join(map(repr, cells)) + more
    return ", ".join(f"{nth} ({cell!r})" for nth, cell in enumerate(cells, 1)) + more


def _example(names: list[str], candidates: list[int]) -> str:
    name = names[candidates[0]]
    return name if name.isidentifier() else repr(name)


def _unique(names: list[str], column: int) -> bool:
    stripped = [name.strip() for name in names]
    return bool(stripped[column]) and stripped.count(stripped[column]) == 1


@contextmanager
def _rows(body: bytes, name: str, delimiter: str) -> Iterator[Iterator[list[str]]]:
    """Context manager that yields the rows that are not blank, one at a time, with any length of a cell."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield _checked_rows(body, name, delimiter)
    finally:
        csv.field_size_limit(before)


def _checked_rows(body: bytes, name: str, delimiter: str) -> Iterator[list[str]]:
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    width = None
    try:
        for row in reader:
            if not any(map(str.strip, row)) and len(row) <= 1:
                continue
            width = len(row) if width is None else width
            if len(row) != width:
                raise DataError(
                    f"a table must have as many columns in each row; line {reader.line_num} of {name} has {len(row)},"
                    f" the first row {width}. Put quotes around a value with {delimiter!r}. {_AS_LINES}"
                )
            yield row
    except csv.Error as error:
        raise DataError(
            f"a table must have quotes in pairs around its values; {name} has not, at line {reader.line_num}:"
            f" {error}. Correct it. {_AS_LINES}"
        ) from None
