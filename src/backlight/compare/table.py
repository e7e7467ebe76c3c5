"""The table of compared models as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from backlight.training import bits

HEADINGS = (
    "model", "parameters", "context", "train", "dev", "test", "train bits", "dev bits", "test bits", "seconds",
    "characters/s", "samples",
)  # fmt: skip


def as_markdown(rows: Sequence[Mapping[str, Any]], *, foot: str) -> str:
    """Return the rows as a Markdown table, a model a line; losses per character, in nats and in bits.

    Args:
        rows: what `compare_models` gave.
        foot: a line below it: what the seconds depend on.
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
    """Return text that Markdown shows as it is, on one line."""
    flat = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|~$" else c for c in flat)
