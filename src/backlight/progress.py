"""A bar that shows how a training goes: in a terminal, in a notebook, and not at all where neither is."""

from html import escape
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from backlight.training import Progress


class ProgressBar:
    """Shows step, loss, speed and time left, and disappears at the end. Lines can be printed above it meanwhile.

    Args:
        console: where to show it. Where it is neither a terminal nor a notebook, nothing is shown.
        steps: steps in all.
        step: steps taken already.
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

    def update(self, progress: Progress) -> None:
        """Move the bar to where the training is."""
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        dev = "" if progress.dev_nats is None else f"  dev {progress.dev_nats:.3f}"
        text = (
            f"loss {progress.loss:.3f}{dev}  {progress.characters_per_second:,.0f} char/s  {minutes}:{seconds:02d} left"
        )
        if self._notebook:
            self._show(progress, text)
        else:
            self._bar.update(self._task, completed=progress.step, text=text, refresh=True)

    def _show(self, progress: Progress, text: str) -> None:
        # not rich's own: that needs ipywidgets, and shows nothing where they are missing
        bar = f'<progress value="{progress.step}" max="{progress.steps}"></progress>'
        shown = _html(f"{bar} step {progress.step:,} of {progress.steps:,}  {escape(text)}")
        if self._display is None:
            from IPython.display import display

            self._display = display(shown, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._display.update(shown)


def _html(text: str) -> Any:
    from IPython.display import HTML

    return HTML(f"<code>{text}</code>" if text else "")  # type: ignore[no-untyped-call]
