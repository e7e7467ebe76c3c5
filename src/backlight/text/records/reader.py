"""The items of a file, in whatever format it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from backlight.text.items import Items
from backlight.text.reading import lines_of, stream_of
from backlight.text.records.detecting import detected, hint
from backlight.text.records.json_records import read_json
from backlight.text.records.marked import read_blocks, read_delimited, read_fasta, read_smi, read_whole
from backlight.text.records.reading import AS_IT_IS, END_OF_TEXT, Format, Reading
from backlight.text.records.tables import read_table

_SIMPLE: Final[dict[Format, Callable[[bytes, str], tuple[Items, str]]]] = {
    "fasta": read_fasta, "smi": read_smi, "blank-lines": read_blocks, "files": read_whole,
}  # fmt: skip
"""The formats without settings of their own."""


@dataclass(frozen=True, slots=True)
class Found:
    """The items of a file.

    Attributes:
        items: the items; for the format "text" one item, the stream.
        reading: the settings, with what was detected.
        note: a line that says how the file was read; None for one item per line.
    """

    items: Items
    reading: Reading
    note: str | None


def read_items(body: bytes, path: str, where: str, reading: Reading, like: Reading = AS_IT_IS) -> Found:
    """Return the items of a file.

    Args:
        body: the content in UTF-8, without a byte-order mark.
        path: the path, whose suffix may tell the format; "-" for standard input.
        where: how messages name the file.
        reading: the settings; what is None is detected.
        like: settings of another file, which are used if this one has the same format and `reading` has none.

    Raises:
        DataError: the file does not have the format, has no items, or it is unclear which part of it is meant.
        ConfigError: a column or field that the file does not have.
    """
    name = _format(body, path, reading)
    if name == like.format and not reading.asks_for_records:
        reading = replace(like, normalise=reading.normalise)
    used, text = replace(reading, format=name), ""
    match name:
        case "lines":
            items = lines_of(body, where)
            text = (hint(body) or "") if reading.format is None else ""
        case "text":
            items = stream_of(body, where)
        case "csv" | "tsv":
            items, text, used = read_table(body, where, used)
        case "json" | "jsonl":
            items, text, used = read_json(body, where, used)
        case "delimited":
            used = replace(used, delimiter=reading.delimiter or END_OF_TEXT)
            items, text = read_delimited(body, where, used.delimiter or END_OF_TEXT)
        case _:
            items, text = _SIMPLE[name](body, where)
    return Found(items, used, f"{path if path != '-' else 'standard input'}: {text}" if text else None)


def _format(body: bytes, path: str, reading: Reading) -> Format:
    if reading.format is not None:
        return reading.format
    if reading.is_table:
        return "csv"
    if reading.field is not None:
        return "json" if body.lstrip().startswith(b"[") else "jsonl"
    return "delimited" if reading.delimiter is not None else detected(body, path)
