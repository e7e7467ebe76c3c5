"""A table, as plain text and as HTML."""

import html
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under headings.

    Attributes:
        columns: the headings.
        rows: one text for each column.
        text: the indices of left-aligned columns; the others are right-aligned.
        note: a line below the table.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: frozenset[int] = frozenset()
    note: str = ""

    def __str__(self) -> str:
        lines = (self.columns, *self.rows)
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        shown = [
            "  ".join(
                cell.ljust(width) if at in self.text else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*shown, self.note] if self.note else shown)

    def to_html(self) -> str:
        """Return the table as HTML, without scripts or style sheets, in the colours of the page."""
        rows = "".join(f"<tr>{self._cells(row, 'td')}</tr>" for row in self.rows)
        note = f'<div style="opacity:.7">{html.escape(self.note)}</div>' if self.note else ""
        return (
            '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0">'
            f"<thead><tr>{self._cells(self.columns, 'th')}</tr></thead><tbody>{rows}</tbody></table>{note}"
        )

    def _cells(self, row: tuple[str, ...], tag: str) -> str:
        sides = ("left" if at in self.text else "right" for at in range(len(row)))
        return "".join(
            f'<{tag} style="text-align:{side};padding:.15em .7em .15em 0;white-space:pre">{html.escape(cell)}</{tag}>'
            for side, cell in zip(sides, row, strict=True)
        )
