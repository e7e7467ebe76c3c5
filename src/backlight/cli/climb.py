"""What a person sees of a ladder: a bar a rung while it is climbed, and the table at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from backlight.cli.output import command, one_line, shortened, table
from backlight.compare import Fallen
from backlight.text import Corpus
from backlight.training import Plan, bits
from backlight.training import Progress as Where

_SHOWN = 24  # characters of a sample


class Climb:
    """Shows how each rung comes along.

    With a terminal, a bar a rung with its loss and the time left. Without one, a line when a rung is done.

    Args:
        out: where to print.
        plans: the rungs.
        text: what they learn.
        jobs: how many at a time.
    """

    def __init__(self, out: Console, plans: Sequence[Plan], text: Corpus, *, jobs: int) -> None:
        self.out, self.jobs = out, jobs
        self.fallen: list[Fallen] = []
        size = f"{len(text.items):,} items" if text.mode == "items" else f"{text.characters:,} characters"
        source = "standard input" if text.name == "-" else one_line(text.name)
        self.heading = f"{len(plans)} rungs on {source}: {size}; {jobs} at a time"
        self.bars = Progress(
            TextColumn("{task.description:>7}"), BarColumn(bar_width=20), TextColumn("{task.fields[told]}"),
            console=out, transient=True, disable=not out.is_terminal,
        )  # fmt: skip
        self.tasks: dict[str, TaskID] = {
            plan.model: self.bars.add_task(plan.model, total=1.0, told="waits") for plan in plans
        }

    def __enter__(self) -> Self:
        self.out.print(self.heading, soft_wrap=True)
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        self.bars.stop()

    def moved(self, model: str, progress: Where) -> None:
        """Move a rung's bar."""
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        dev = "" if progress.dev_nats is None else f"dev {progress.dev_nats:.3f}  "
        told = f"{dev}{progress.characters_per_second:,.0f} char/s  {minutes}:{seconds:02d} left"
        self.bars.update(self.tasks[model], completed=progress.step, total=progress.steps, told=told)

    def arrived(self, model: str, row: Mapping[str, Any]) -> None:
        """Tell a rung's loss."""
        self.bars.remove_task(self.tasks[model])
        example = "".join(f"   {shortened(text, _SHOWN)}" for text in row["samples"][:1])
        self.out.print(
            f"{model:>7}  dev {row['dev_nats']:.4f}  {row['seconds']:6.1f} s{example}", no_wrap=True, overflow="crop"
        )

    def fell(self, fallen: Fallen) -> None:
        """Tell why a rung has no result."""
        self.fallen.append(fallen)
        self.bars.remove_task(self.tasks[fallen.model])
        self.out.print(f"{fallen.model:>7}  {one_line(fallen.reason)}", soft_wrap=True)


def show_league(out: Console, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Print the table, new items of each rung, and where everything is."""
    league = table(
        "model", "parameters", "context", "train", "dev", "test", "bits", "seconds", "char/s", text=("model",)
    )
    for row in rows:
        league.add_row(
            row["model"], f"{row['parameters']:,}", str(row["context"]),
            *(f"{row[f'{part}_nats']:.4f}" for part in ("train", "dev", "test")),
            f"{bits(row['test_nats']):.3f}", f"{row['seconds']:.1f}", _short(row["characters_per_second"]),
        )  # fmt: skip
    out.print()
    out.print(league)
    if any(row["samples"] for row in rows):
        out.print("\nNew ones from each:\n")
        for row in rows:
            said = "  ".join(shortened(text, _SHOWN) for text in row["samples"])
            out.print(f"{row['model']:>7}  {said}", no_wrap=True, overflow="ellipsis")
    best = min(rows, key=lambda row: row["dev_nats"])
    out.print(
        f"\nThe table is in {one_line(str(folder))}: league.md, league.json, league.png. More from the best rung:\n"
        f"  {command('sample', folder / best['model'])}",
        soft_wrap=True,
    )


def _short(count: float) -> str:
    """Return a large number in three or four digits: 1,234 thousand is 1.23M."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return f"{count:.0f}"
