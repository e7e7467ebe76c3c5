"""The viewer in a notebook: `view` shows a training there, finished or while it goes on."""

from pathlib import Path
from typing import Any

from backlight.core import ConfigError
from backlight.model import Model
from backlight.runs import find_run
from backlight.studio.displayed import INSTALL, has_anywidget, in_notebook, shows_widgets
from backlight.studio.notebook.still import Still
from backlight.studio.recording import RunRecording

__all__ = ["view"]


def view(run: Model | str | Path | None = None) -> Any:
    """Return the viewer of a training for a notebook to display: curves, samples, layers and findings, with a slider.

        backlight.view("runs/names-mlp-1")    # finished, or while any process trains it
        backlight.view(model)
        model = backlight.train("names", watch_every=100, progress=backlight.view())    # while this cell trains

    A run in a folder that is trained has buttons to pause it, to change its learning rate and to branch from its
    checkpoints, once the kernel can answer: not while a cell of it trains, unless the notebook runs widgets beside it.

    Args:
        run: a model; the folder of a run, or its name in `runs`; or a file of `watch(..., record_to=FILE)`. None shows
            the training whose `progress` it is.

    Returns:
        A widget. Where widgets are not displayed, where a program runs the notebook (such as nbconvert), and where
        `anywidget` is missing (it is part of `pip install 'backlight[notebook]'`), a still of the training.

    Raises:
        ConfigError: `run` is none of these.
        RunError, DataError: there is no such run or file, or it is damaged.
    """
    recording = None if run is None else _recording(run)
    if shows_widgets() and in_notebook():
        from backlight.studio.notebook.widget import RecordingWidget

        return RecordingWidget(recording)
    missing = in_notebook() and not has_anywidget()
    return Still(recording, f"The viewer needs anywidget. Install: {INSTALL}" if missing else "")


def _recording(run: Any) -> RunRecording:
    if isinstance(run, Model):
        return RunRecording(run.run.store)
    if not isinstance(run, str | Path):
        raise ConfigError(f"a viewer shows a Model, or the path of a run; got {type(run).__name__}. Name a run.")
    path = Path(run)
    return RunRecording(path if path.is_file() else find_run(path).path)
