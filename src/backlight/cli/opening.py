"""The model that a command is given: a run's, or one that was trained elsewhere."""

from pathlib import Path

from backlight.cli.output import open_run
from backlight.model import Model
from backlight.pretrained import is_pretrained, read_pretrained
from backlight.training import Run


def open_model(given: Path | None, root: Path) -> Model:
    """Return the model of the run with this path or name in `root`, or of a GPT-2's folder; None is the newest run.

    Raises:
        RunError: there is no such run, or it has no weights.
        DataError, VocabularyError: the folder is not a complete GPT-2.
    """
    if given is not None and is_pretrained(given):
        return Model(read_pretrained(given))
    return Model(Run.open(open_run(given, root)))
