"""Print an explanation: as a table that fits the terminal, or one node per key press."""

import sys
from typing import Literal

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from backlight.cli.output import one_line
from backlight.explanation import Explanation, TensorExplanation
from backlight.explanation.numbers import shape, short
from backlight.explanation.tables import Table

_STOPS = {"q", "Q", "\x1b", "\x04"}
"""Keys that quit: q, Escape, Ctrl-D."""

_GAP = 2
_NARROWEST = 6


def show_table(out: Console, table: Table) -> None:
    """Print a table. Names that are too long for the terminal are shortened; numbers are not."""
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    rows = [tuple(map(one_line, row)) for row in table.rows]
    for at, (heading, width) in enumerate(zip(table.columns, _widths(table, rows, out.width), strict=True)):
        side: Literal["left", "right"] = "left" if at in table.text else "right"
        grid.add_column(heading, justify=side, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        grid.add_row(*row)
    out.print(grid)
    if table.note:
        out.print(table.note)


def _widths(table: Table, rows: list[tuple[str, ...]], total: int) -> list[int]:
    """Return the columns' widths. If they exceed the total, the widest text columns are narrowed."""
    widths = [max(map(cell_len, column)) for column in zip(table.columns, *rows, strict=True)]
    while sum(widths) + _GAP * (len(widths) - 1) > total:
        widest = max(table.text, key=lambda at: widths[at])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def show_formulas(out: Console, formulas: dict[str, str]) -> None:
    """Print each op's formula, wrapped beside its name."""
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    grid.add_column("op", no_wrap=True)
    grid.add_column("formula")
    for op, formula in formulas.items():
        grid.add_row(op, formula)
    out.print(grid)


def walk_through(out: Console, explanation: Explanation | TensorExplanation) -> None:
    """Print the backward pass node by node, each after a key press, or all at once where there is no terminal."""
    waits = out.is_terminal and sys.stdin is not None and sys.stdin.isatty()
    if waits:
        out.print("Press any key to continue, q to quit.", style="dim")
    count = len(explanation.steps)
    for place in range(count):
        if place:
            out.print()
        made, comes = map(one_line, _headline(explanation, place))
        out.print(Text.assemble((f"{place + 1} of {count}  ", "dim"), (made, "bold"), f"   {comes}"))
        for line in explanation.words(place).split("\n"):
            out.print(Padding(one_line(line), (0, 0, 0, 2)))
        if waits and place < count - 1 and _key() in _STOPS:
            return


def _headline(explanation: Explanation | TensorExplanation, place: int) -> tuple[str, str]:
    """Return what a step computes, and the gradient that reaches it."""
    if isinstance(explanation, Explanation):
        step = explanation.steps[place]
        made = f"{step.name} = {step.expression}" if step.expression else step.name
        return f"{made} = {short(step.data)}", f"grad {short(step.grad)}"
    tensor = explanation.steps[place]
    gradient = "" if tensor.grad_norm is None else f"   |gradient| {short(tensor.grad_norm)}"
    return f"{tensor.name} {shape(tensor.shape)}", f"|value| {short(tensor.value_norm)}{gradient}"


def _key() -> str:
    try:
        return typer.getchar()
    except EOFError:
        return "q"
