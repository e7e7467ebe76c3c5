"""Documents of large files, block by block: several processes read the blocks, each for itself.

How a file is divided into blocks depends on the file only, so the result does not depend on the number of processes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from backlight.core import ConfigError, DataError
from backlight.text.reading import UTF8_MARK
from backlight.text.records.detecting import HEAD, SUFFIXES
from backlight.text.records.json_records import read_json
from backlight.text.records.reading import END_OF_TEXT, Reading

Kind = Literal["text", "lines", "delimited", "jsonl", "parquet"]

BLOCK: Final = 1 << 22
"""The number of bytes of a block, to which its last document, or line, is added."""

WINDOW: Final = 1 << 16
"""The number of bytes in which a block's end is looked for at a time."""

PARQUET: Final = b"PAR1"

# Neither pattern of GPT-2 and GPT-4 has a piece that extends over one of these places, so that a text has the same
# tokens whether it is cut there or not: after a single line end, or before a single space.
_LINE_END: Final = re.compile(r"(?<=\S)(?:\r\n|\r|\n)(?=\S)")
_SPACE: Final = re.compile(r"(?<=\S)(?= \S)")


@dataclass(frozen=True)
class Source:
    """A file, and how its documents are found.

    Attributes:
        path: the file.
        name: how messages name it.
        kind: "text", one document; "lines", "delimited", "jsonl" or "parquet".
        setting: the mark between documents, the field, or the column.
    """

    path: str
    name: str
    kind: Kind
    setting: str = ""


@dataclass(frozen=True)
class Block:
    """A part of a file that one process reads.

    Attributes:
        source: the file.
        start, stop: its bytes; of Parquet, the number of the row group, and that of the next.
        begins: whether a document of running text begins here.
        held_out: whether a block of running text is held out; None where that is decided for each document.
    """

    source: Source
    start: int
    stop: int
    begins: bool = False
    held_out: bool | None = None


def source_of(path: str, name: str, reading: Reading) -> Source:
    """Return a file with what its name, its first bytes or the settings tell of it.

    Args:
        path: the file, which is not compressed.
        name: its path as given, of which the suffix may tell the format.
        reading: the settings: `format`, `field`, `column` and `delimiter`.

    Raises:
        DataError: the file cannot be read, or has no such format or field.
        ConfigError: a setting that the format does not have.
    """
    with open(path, "rb") as file:  # noqa: PTH123
        head = file.read(HEAD)
    suffix = SUFFIXES.get(Path(name.casefold().removesuffix(".gz")).suffix)
    name = repr(name)
    if head.startswith(PARQUET):
        if reading.field is not None or reading.delimiter is not None:
            raise ConfigError(f"{name} is Parquet; its texts are in a column. Use --column in place of the others.")
        return Source(path, name, "parquet", _column(path, name, reading.column))
    if reading.column is not None:
        raise ConfigError(f"a column is for Parquet; {name} is another format. Leave --column out.")
    if suffix == "json" and not head.lstrip().startswith(b"["):
        suffix = "jsonl"
    kind = reading.format or ("jsonl" if reading.field is not None else suffix)
    if kind is None and (reading.delimiter is not None or END_OF_TEXT.encode() in head):
        kind = "delimited"
    match kind or "text":
        case "jsonl":
            return Source(path, name, "jsonl", _field(path, name, reading.field))
        case "delimited":
            return Source(path, name, "delimited", reading.delimiter or END_OF_TEXT)
        case "text" | "files":
            return Source(path, name, "text")
        case "lines":
            return Source(path, name, "lines")
        case other:
            raise DataError(
                f"documents are read from text, JSON lines or Parquet; {name} is {other}. Convert it, or choose "
                "--format text or lines."
            )


def blocks_of(source: Source, held_out: float) -> Iterator[Block]:
    """Yield the blocks of a file, in order.

    Args:
        source: the file.
        held_out: the share of running text, at its end, that is held out.
    """
    if source.kind == "parquet":
        for group in range(_parquet(source.path, source.name).num_row_groups):
            yield Block(source, group, group + 1)
        return
    with open(source.path, "rb") as file:  # noqa: PTH123
        size = file.seek(0, 2)
        if source.kind != "text":
            mark = source.setting.encode() if source.kind == "delimited" else b"\n"
            yield from _cut(file, source, size, mark)
            return
        end = _safe_cut(file, int((1 - held_out) * size), size) if held_out else size
        for first, last, out in ((0, end, False), (end, size, True)):
            start = first
            while start < last:
                stop = min(_safe_cut(file, start + BLOCK, size), last)
                yield Block(source, start, stop, begins=start == first, held_out=out)
                start = stop


def documents(block: Block) -> list[bytes]:
    """Return the documents of a block in UTF-8; blank ones are left out. Of running text, the block is one.

    Raises:
        DataError: it is not UTF-8, has a NUL byte, or a record is damaged.
        ConfigError: there is no such field or column.
    """
    source = block.source
    if source.kind == "parquet":
        return [utf8 for text in _cells(block) if (utf8 := _utf8(text)).strip()]
    body = _read(block)
    match source.kind:
        case "text":
            found = [body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")]
        case "jsonl":
            found = [utf8 for text in _records(body, block) if (utf8 := _utf8(text)).strip()]
        case "delimited":
            found = [text.strip() for text in body.replace(b"\r\n", b"\n").split(source.setting.encode())]
        case "lines":
            found = [line.strip() for line in body.split(b"\n")]
    return [text for text in found if text]


# -- bytes -------------------------------------------------------------------------------------------------------------


def _cut(file: BinaryIO, source: Source, size: int, mark: bytes) -> Iterator[Block]:
    start = 0
    while start < size:
        stop = _after(file, start + BLOCK, size, mark)
        yield Block(source, start, stop)
        start = stop


def _after(file: BinaryIO, at: int, size: int, mark: bytes) -> int:
    """Return the place after the next mark from `at` on; the size of the file if there is none."""
    while at < size:
        file.seek(at)
        found = file.read(WINDOW + len(mark) - 1).find(mark)
        if found >= 0:
            return at + found + len(mark)
        at += WINDOW
    return size


def _safe_cut(file: BinaryIO, at: int, size: int) -> int:
    """Return the next place from `at` on where running text can be cut; its size if there is none."""
    while at < size:
        file.seek(max(0, at - 4))  # a character has up to 4 bytes
        start = file.tell()
        window = file.read(WINDOW)
        text = window.decode("utf-8", "ignore")
        first = next((n for n, byte in enumerate(window[:4]) if byte & 0xC0 != 0x80), 0)  # where a character begins
        found = _LINE_END.search(text)
        place = found.end() if found else next((one.start() for one in _SPACE.finditer(text)), None)
        if place is not None:
            return start + first + len(text[:place].encode())
        at += WINDOW - 8
    return size


def _read(block: Block) -> bytes:
    with open(block.source.path, "rb") as file:  # noqa: PTH123
        file.seek(block.start)
        body = file.read(block.stop - block.start)
    name = block.source.name
    nul = body.find(b"\0")
    if nul >= 0:
        raise DataError(
            f"a document must be text; {name} has a NUL byte at byte {block.start + nul:,}. Binary files cannot be "
            "used."
        )
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"a document must be UTF-8; {name} has the byte 0x{body[error.start]:02x} at byte "
            f"{block.start + error.start:,}. Save it as UTF-8."
        ) from None
    return body.removeprefix(UTF8_MARK) if block.start == 0 else body


# -- JSON lines --------------------------------------------------------------------------------------------------------


def _field(path: str, name: str, given: str | None) -> str:
    """Return the field that has the texts, which the first records have; nothing if they are strings."""
    with open(path, "rb") as file:  # noqa: PTH123
        records = file.read(HEAD) + file.readline()  # whole lines, however long
    used = read_json(records.removeprefix(UTF8_MARK), name, Reading(format="jsonl", field=given))[2]
    return used.field or ""


def _records(body: bytes, block: Block) -> Iterator[str]:
    field = block.source.setting
    for number, line in enumerate(body.split(b"\n")):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:80]
            raise DataError(
                f"each line of JSON lines must be a record; {_place(block, number)} is not: {reason}. Correct it."
            ) from None
        text = _value(record, field) if field else record
        if text is None:
            continue
        if not isinstance(text, str):
            what = f"the field {field!r}" if field else "each line"
            raise DataError(
                f"{what} must be a text; in {_place(block, number)} it is {type(text).__name__}. Choose another."
            )
        yield text


def _value(record: Any, field: str) -> Any:
    """Return a field of a record, or a field of a field, as in "meta.title"; None if there is none."""
    if isinstance(record, dict) and field in record:
        return record[field]
    for part in field.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def _utf8(text: str) -> bytes:
    """Return a text in UTF-8. A lone surrogate, which JSON may have, becomes U+FFFD, as in tiktoken."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _place(block: Block, number: int) -> str:
    """Return the line of a block in words. What precedes the block is counted now, since no one needs it otherwise."""
    before = 0
    with open(block.source.path, "rb") as file:  # noqa: PTH123
        while file.tell() < block.start:
            before += file.read(min(BLOCK, block.start - file.tell())).count(b"\n")
    return f"line {before + number + 1:,} of {block.source.name}"


# -- Parquet -----------------------------------------------------------------------------------------------------------


def _parquet(path: str, name: str) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(f"Parquet needs pyarrow; {name} is Parquet. pip install 'backlight[parquet]'.") from None
    try:
        return ParquetFile(path)
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:80]
        raise DataError(f"{name} must be complete Parquet; it is not: {reason}. Restore it.") from None


def _column(path: str, name: str, column: int | str | None) -> str:
    """Return the name of the column of the texts."""
    from backlight.core.settings import nearest

    schema = _parquet(path, name).schema_arrow
    texts = [one.name for one in schema if str(one.type) in {"string", "large_string", "string_view"}]
    if column is None and len(texts) != 1 and "text" not in texts:
        raise DataError(
            f"documents are in one column of text; {name} has {', '.join(texts) or 'none'}. Choose one with --column."
        )
    chosen = ("text" if "text" in texts else texts[0]) if column is None else str(column)
    if chosen not in texts:
        raise ConfigError(f"column must be a column of text of {name}; got {chosen!r}. {nearest(chosen, texts)}")
    return chosen


def _cells(block: Block) -> Iterator[str]:
    """Yield the cells of a row group. Memory: some of its rows, decoded, and the group as stored."""
    source = block.source
    file = _parquet(source.path, source.name)
    for batch in file.iter_batches(batch_size=1024, row_groups=[block.start], columns=[source.setting]):
        yield from (cell for cell in batch.column(0).to_pylist() if cell is not None)


def sampled(blocks: list[Block], most: int) -> list[Block]:
    """Return evenly spaced blocks that have about this many bytes together, of blocks of files of bytes."""
    step = max(1, len(blocks) * BLOCK // most)
    return list(islice(blocks, 0, None, step))
