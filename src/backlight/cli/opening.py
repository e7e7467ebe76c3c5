"""The model that a command is given: a run's, or one that was trained elsewhere."""

from pathlib import Path

from backlight.cli.output import console, open_run
from backlight.model import Model
from backlight.nn.compact import Weights, weight_bytes
from backlight.pretrained import is_pretrained, read_pretrained
from backlight.training import Run


def open_model(given: Path | None, root: Path, weights: Weights = "float32") -> Model:
    """Return the model of the run with this path or name in `root`, or of a GPT-2's folder; None is the newest run.

    Args:
        given: the path or name.
        root: the folder of the runs.
        weights: the type in which weights are kept; the memory that it takes is printed.

    Raises:
        ConfigError: the model cannot keep its weights in that type.
        RunError: there is no such run, or it has no weights.
        DataError, VocabularyError: the folder is not a complete GPT-2.
    """
    if given is not None and is_pretrained(given):
        run: Run = read_pretrained(given)
    else:
        run = Run.open(open_run(given, root))
    model = Model(run, weights)
    if weights != "float32":
        network = model.run.network
        assert network is not None  # noqa: S101  (only a network has such weights)
        size, before = weight_bytes(network) / 1e6, 4 * network.num_parameters() / 1e6
        console(json_output=True).print(f"Weights in {weights}: {size:,.1f} MB instead of {before:,.1f} MB.")
    return model
