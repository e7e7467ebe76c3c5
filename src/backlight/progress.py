"""A progress bar for training, in a terminal or a notebook."""

from html import escape
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from backlight.training import Progress


class ProgressBar:
    """Shows step, loss, speed and time left, and disappears at the end. Lines may be printed above it.

    Args:
        console: where to show the bar; if it is neither a terminal nor a notebook, nothing is shown.
        steps: total number of steps; of a model that is counted, any number above 0.
        step: number of steps already taken.
    """

    def __init__(self, console: Console, *, steps: int, step: int = 0) -> None:
        self._notebook = console.is_jupyter
        self._display: Any = None
        self._bar = RichProgress(
            TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[text]}"),
            console=console, transient=True, auto_refresh=False, disable=self._notebook or not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("training", total=steps, completed=step, text="")

    def __enter__(self) -> Self:
        if not self._notebook:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        self._bar.stop()
        if self._display is not None:
            self._display.update(_html(""))

    def counted(self, share: float) -> None:
        """Show the share of a text whose n-grams are counted."""
        text = f"counting n-grams: {share:.0%}"
        if self._notebook:
            self._show(share, 1, text)
        else:
            total = self._bar.tasks[self._task].total or 0
            self._bar.update(self._task, completed=share * total, text=text, refresh=True)

    def update(self, progress: Progress) -> None:
        """Update the bar."""
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        dev = "" if progress.dev_nats is None else f"  dev {progress.dev_nats:.3f}"
        text = (
            f"loss {progress.loss:.3f}{dev}  {progress.characters_per_second:,.0f} char/s  {minutes}:{seconds:02d} left"
        )
        if self._notebook:
            self._show(progress.step, progress.steps, f"step {progress.step:,} of {progress.steps:,}  {text}")
        else:
            self._bar.update(self._task, completed=progress.step, text=text, refresh=True)

    def _show(self, done: float, of: int, text: str) -> None:
        # rich's own bar needs ipywidgets, and shows nothing without them
        shown = _html(f'<progress value="{done:g}" max="{of}"></progress> {escape(text)}')
        if self._display is None:
            from IPython.display import display

            self._display = display(shown, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._display.update(shown)


def _html(text: str) -> Any:
    from IPython.display import HTML

    return HTML(f"<code>{text}</code>" if text else "")  # type: ignore[no-untyped-call]
