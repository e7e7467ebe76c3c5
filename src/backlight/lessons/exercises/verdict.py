"""The verdict of a check."""

import html
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["exact", "close", "wrong", "shape", "invalid", "error", "partial", "unfinished"]
"""`exact` and `close` are right; `partial` is right but incomplete; `invalid` cannot be compared; `error` raised an
error."""

_BUT: dict[State, str] = {"partial": ", but right so far", "unfinished": ", nothing is filled in"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether an answer is right and, if not, where it first goes wrong. Print it, or let a notebook display it.

    Attributes:
        id: the exercise.
        state: the kind of verdict.
        mistake: the name of the mistake that was recognised; None if none was.
        lines: the details, after the headline.
    """

    id: str
    state: State
    mistake: str | None = None
    lines: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the exercise is done."""
        return self.state in {"exact", "close"}

    @property
    def headline(self) -> str:
        """The first line, such as "1.1 is right: exact." or "1.1: not yet."."""
        if self.right:
            return f"{self.id} is right: {self.state}."
        return f"{self.id}: not yet{_BUT.get(self.state, '')}."

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as a dictionary of plain values."""
        return {
            "id": self.id, "right": self.right, "state": self.state, "mistake": self.mistake, "lines": list(self.lines),
        }  # fmt: skip

    def __str__(self) -> str:
        return "\n  ".join([self.headline, *self.lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = "#008a63" if self.right else "#5b6b82" if self.state in _BUT else "#c8400a"
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in self.lines)
        return (
            f'<div style="border-left:4px solid {colour};padding:.2em .8em"><b>{html.escape(self.headline)}</b>'
            f"{lines}</div>"
        )
