"""What a notebook shows of a training without a widget: its facts, the doctor's summary, and the curve of its loss."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

from backlight.core.html import facts
from backlight.figures import NoFigureError, loss
from backlight.health.diagnosis import diagnose
from backlight.health.text import summary
from backlight.studio.displayed import in_notebook
from backlight.studio.recording import RunRecording
from backlight.training import Run


class Still:
    """A training as a picture and some text, for where no widget is displayed.

    Args:
        recording: the training; None for one that has not begun.
        about: a sentence that says why there is no widget; empty for none.
    """

    def __init__(self, recording: RunRecording | None, about: str = "") -> None:
        self.recording = recording
        self._about = about

    @contextmanager
    def showing(self, run: Run) -> Iterator[None]:
        """Display a run once the block has trained it, for `backlight.train(..., progress=backlight.view())`."""
        try:
            yield
        finally:
            self.recording = RunRecording(run.store)
            if in_notebook():
                from IPython.display import display

                display(self)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        what = "a training that has not begun" if self.recording is None else self.recording.path.name
        return f"<the viewer of {what}; displayed in a notebook{f'. {self._about}' if self._about else ''}>"

    def _repr_html_(self) -> str:
        parts = [f"<p>{escape(self._about)}</p>"] if self._about else []
        if self.recording is not None:
            parts += [f"<p><b>{escape(self.recording.path.name)}</b></p>", facts(self.recording.facts())]
            parts += _drawn(self.recording)
        return f"<div>{''.join(parts)}</div>"


def _drawn(recording: RunRecording) -> list[str]:
    """Return what the doctor says, and the curve of the loss, where they are recorded."""
    measured = recording.measured()
    parts = []
    if measured.layers:
        diagnosis = diagnose(measured)
        titles = "".join(f"<li>{escape(one.severity)}: {escape(one.title)}</li>" for one in diagnosis.findings)
        parts += [f"<p>{escape(summary(diagnosis))}</p>", f"<ul>{titles}</ul>" if titles else ""]
    try:
        drawn = loss.of(measured)
    except NoFigureError as error:
        return [*parts, f"<p>No curve of the loss: {escape(str(error))}.</p>"]
    png = base64.b64encode(drawn.to_bytes()).decode()
    return [*parts, f'<img src="data:image/png;base64,{png}" alt="{escape(drawn.about)}" style="max-width: 100%">']
