"""The choice of the column of a table, or of the field of objects, that has the items."""

import re
from collections.abc import Sequence
from typing import Final

KNOWN: Final = (
    "name", "text", "smiles", "canonical_smiles", "sequence", "seq", "word", "title", "item", "sentence", "content",
    "string", "molecule", "names", "words", "titles", "items", "texts", "sequences", "sentences", "strings",
)  # fmt: skip
"""Names of columns that hold the items of a list, in small letters."""

LABELS: Final = (
    *KNOWN, "id", "sex", "gender", "country", "year", "count", "births", "split", "label", "class", "category", "type",
    "date", "lat", "lng", "lon", "latitude", "longitude", "city", "state", "region", "language", "lang", "first_name",
    "last_name", "surname", "rank", "score", "price", "description", "url", "email", "index", "number", "code", "key",
    "value", "source", "author", "artist", "genre", "population", "frequency", "freq", "origin", "meaning", "brand",
)  # fmt: skip
"""Words that name columns, in small letters: a first row that has one is a header."""

_NUMBER: Final = re.compile(r"[-+]?[\d.,:/ %-]*\d[\d.,:/ %eE+-]*")


def is_number(cell: str) -> bool:
    """Return whether a cell holds a number, a date or a time, rather than text."""
    return _NUMBER.fullmatch(cell) is not None


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first of some rows names the columns.

    It does if its cells are distinct, none is blank or a number, and one of them is a word that names columns, or
    stands above a column of numbers.
    """
    first, rest = rows[0], rows[1:]
    folded = [cell.strip().casefold() for cell in first]
    if len(set(folded)) < len(folded) or any(not cell or is_number(cell) for cell in folded):
        return False
    if any(re.sub("[ -]", "_", cell) in LABELS for cell in folded):
        return True
    return bool(rest) and any(
        all(is_number(cell) for cell in cells) for nth in range(len(first)) if (cells := _some(rest, nth))
    )


def text_columns(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the columns, from 0, whose cells are not all blank or numbers."""
    return [nth for nth in range(width) if any(not is_number(cell) for cell in _some(rows, nth))]


def likely(names: Sequence[str], candidates: Sequence[int]) -> int | None:
    """Return the column that has the items: the only candidate, or the only one with a known name; None if unclear."""
    if len(candidates) == 1:
        return candidates[0]
    folded = {nth: names[nth].strip().casefold() for nth in candidates}
    known = [nth for nth, name in folded.items() if name in KNOWN]
    return known[0] if len(known) == 1 else None


def _some(rows: Sequence[Sequence[str]], nth: int) -> list[str]:
    return [cell for row in rows if nth < len(row) and (cell := row[nth].strip())]
