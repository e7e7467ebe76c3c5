"""The format of a file, from its name and its first lines."""

import json
import re
from pathlib import PurePath
from typing import Final

from backlight.text.records.columns import has_header, is_number
from backlight.text.records.reading import END_OF_TEXT, Format
from backlight.text.records.tables import sampled_rows

SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".fasta": "fasta", ".fa": "fasta", ".faa": "fasta", ".fna": "fasta", ".fas": "fasta", ".smi": "smi",
    ".smiles": "smi", ".abc": "blank-lines",
}  # fmt: skip
"""The formats of names, in small letters and without .gz."""

HEAD: Final = 1 << 16
"""The number of bytes from which the format is recognised."""

_FEWEST: Final = 3
"""Fewer lines are no table."""

_SEQUENCE: Final = re.compile(r"[A-Za-z*.-]+")


def detected(body: bytes, path: str) -> Format:
    """Return the format of a file: by its name, or by its first lines.

    Args:
        body: the content in UTF-8.
        path: the path; "-" for standard input.
    """
    named = SUFFIXES.get(PurePath(path.casefold().removesuffix(".gz")).suffix)
    if named is not None:
        return "jsonl" if named == "json" and not body.lstrip().startswith(b"[") else named
    head = head_of(body)
    if END_OF_TEXT in head:
        return "delimited"
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    if not lines:
        return "lines"
    if all(line[0] == "{" and line[-1] == "}" for line in lines):
        return "jsonl"
    if lines[0][0] == "[" and _is_array(body):
        return "json"
    if _is_fasta(lines):
        return "fasta"
    if re.match(r"X: *\d", lines[0]) and any(re.match(r"K:", line) for line in lines):
        return "blank-lines"  # tunes in ABC
    return "csv" if len(lines) >= _FEWEST and _is_table(head) else "lines"


def hint(body: bytes) -> str | None:
    """Return what a file of lines may be instead, and the option for it; None if it looks like lines."""
    head = head_of(body).strip()
    blocks = [block.strip().count("\n") + 1 for block in re.split(r"\n[^\S\n]*\n", head) if block.strip()]
    if len(blocks) >= _FEWEST and 2 * sum(lines > 1 for lines in blocks) >= len(blocks):
        return (
            "blocks of lines between blank lines; each line is an item. For a block as one item: --format blank-lines"
        )
    rows = sampled_rows(head.encode(), ",")
    if len(rows) >= _FEWEST and len(rows[0]) > 1:
        commas = f"{len(rows[0]) - 1} comma{'s' * (len(rows[0]) > 2)}"
        return f"{commas} in each line; each line is an item. For one column of a table: --column 1"
    return None


def head_of(body: bytes) -> str:
    """Return the first whole lines of a file, or all of it if it is short, with line ends as line feeds."""
    head = body[:HEAD]
    if len(head) < len(body):
        cut = max(head.rfind(b"\n"), head.rfind(b"\r"))
        head = head[: cut + 1] if cut > 0 else b""
    return head.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def _is_array(body: bytes) -> bool:
    """Return whether the text is one array. Lines may start with a bracket too: SMILES, Markdown, logs."""
    if not body.rstrip().endswith(b"]"):
        return False
    try:
        return isinstance(json.loads(body), list)
    except (ValueError, RecursionError):
        return False


def _is_fasta(lines: list[str]) -> bool:
    rest = [line for line in lines if line[0] not in ">;"]
    return lines[0][0] == ">" and bool(rest) and all(map(_SEQUENCE.fullmatch, rest))


def _is_table(head: str) -> bool:
    """Return whether each line has as many tabs, commas or semicolons, and the parts look like columns.

    A comma with a space after it may be prose, as in "Paris, France", unless a column has numbers only.
    """
    for delimiter in "\t;,":
        rows = sampled_rows(head.encode(), delimiter)
        if len(rows) < _FEWEST or len(rows[0]) < 2:
            continue
        columns = list(zip(*rows, strict=True))
        numeric = [all(is_number(cell.strip()) for cell in column[1:] if cell.strip()) for column in columns]
        if all(numeric):  # 3,14 and 1,000
            continue
        if delimiter == "\t" or any(numeric) or has_header(rows) or delimiter + " " not in head:
            return True
    return False
