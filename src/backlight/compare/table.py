"""The table of compared models as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from backlight.training import bits

HEADINGS = (
    "model", "parameters", "context", "train", "dev", "test", "train bits", "dev bits", "test bits", "seconds",
    "characters/s", "samples",
)  # fmt: skip


def as_markdown(rows: Sequence[Mapping[str, Any]], *, foot: str) -> str:
    """Return the rows as a Markdown table, one model per line, with losses in nats and bits per character.

    Args:
        rows: the rows that `compare_models` returned.
        foot: a line below the table.
    """
    align = ["---"] + ["---:"] * (len(HEADINGS) - 2) + ["---"]
    lines = [_line(HEADINGS), _line(align), *(_line(_cells(row)) for row in rows)]
    return "\n".join(lines) + f"\n\n{foot}\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    nats = [row[f"{part}_nats"] for part in ("train", "dev", "test")]
    return [
        row["model"],
        f"{row['parameters']:,}",
        str(row["context"]),
        *(f"{value:.4f}" for value in nats),
        *(f"{bits(value):.3f}" for value in nats),
        f"{row['seconds']:.1f}",
        f"{row['characters_per_second']:,.0f}",
        ", ".join(_escaped(text) for text in row["samples"]),
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Return text on one line, with Markdown's special characters escaped."""
    flat = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|~$" else c for c in flat)
