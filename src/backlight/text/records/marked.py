"""Records that marks in the text separate: FASTA, the first word of a line, blank lines, and a delimiter."""

import re
from collections.abc import Iterator
from typing import Final

from backlight.core import DataError
from backlight.text.items import Items
from backlight.text.reading import LINE_END
from backlight.text.records.gathered import Gathered, counted

_BLANK_LINES: Final = re.compile(r"\n(?:[^\S\n]*\n)+")


def read_fasta(body: bytes, name: str) -> tuple[Items, str]:
    """Return the sequences of a FASTA file, without their headers and line ends, and a description.

    Source: Pearson & Lipman 1988. A line that starts with `>` is a header, one that starts with `;` a comment.

    Raises:
        DataError: there is no header, or no sequence.
    """
    found, begun = Gathered(), False
    parts: list[str] = []
    for number, line in _lines(body):
        if line.startswith(";"):
            continue
        if line.startswith(">"):
            if begun:
                found.add("".join(parts))
            parts, begun = [], True
        elif line:
            if not begun:
                raise DataError(
                    f"a FASTA file must start with a header, a line with '>'; line {number} of {name} is"
                    f" {line[:40]!r}. Add one, or use --format lines."
                )
            parts.append("".join(line.split()))
    if begun:
        found.add("".join(parts))
    items = found.items(name, "FASTA sequence")
    return items, f"FASTA, {counted(items, found.blank, blank_word='without a sequence')}"


def read_smi(body: bytes, name: str) -> tuple[Items, str]:
    """Return the first word of each line, and a description. What follows a blank or a tab is an identifier.

    Source: the .smi format of Daylight and Open Babel. A first line that starts with "smiles" names the columns.

    Raises:
        DataError: there is no line.
    """
    found, with_id, header = Gathered(), 0, False
    for number, line in _lines(body):
        word, *rest = line.split(None, 1)[:2] or [""]
        if number == 1 and word.casefold() == "smiles":
            header = True
        elif word:
            found.add(word)
            with_id += bool(rest)
    items = found.items(name, "molecule")
    ids = f", {with_id:,} with an identifier, which is left out" if with_id else ""
    return items, f"SMILES{', with a header' if header else ''}, {counted(items)}{ids}"


def read_blocks(body: bytes, name: str) -> tuple[Items, str]:
    """Return the blocks of lines between blank lines, and a description.

    Raises:
        DataError: all lines are blank.
    """
    found = Gathered()
    for block in _BLANK_LINES.split(_text(body)):
        if block.strip():
            found.add(block)
    items = found.items(name, "block of lines")
    return items, f"blocks of lines between blank lines, {counted(items)}"


def read_delimited(body: bytes, name: str, delimiter: str) -> tuple[Items, str]:
    """Return the texts between marks, and a description. A text before the first mark, or after the last, is one too.

    Raises:
        DataError: the mark does not occur, or there is nothing between the marks.
    """
    text = _text(body)
    if delimiter not in text:
        raise DataError(
            f"the delimiter must occur in the text; {name} has no {delimiter!r}. Correct it, or leave it out."
        )
    found = Gathered()
    for part in text.split(delimiter):
        if part.strip():
            found.add(part)
    items = found.items(name, f"text between {delimiter!r}")
    return items, f"texts between {delimiter!r}, {counted(items)}"


def read_whole(body: bytes, name: str) -> tuple[Items, str]:
    """Return the whole text as one item, and a description.

    Raises:
        DataError: it is blank.
    """
    found = Gathered()
    found.add(_text(body))
    return found.items(name, "text"), "one item"


def _text(body: bytes) -> str:
    return body.decode().replace("\r\n", "\n").replace("\r", "\n")


def _lines(body: bytes) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line, stripped of white space."""
    begin, number = 0, 1
    for match in LINE_END.finditer(body):
        yield number, body[begin : match.start()].decode().strip()
        begin, number = match.end(), number + 1
    if begin < len(body):
        yield number, body[begin:].decode().strip()
