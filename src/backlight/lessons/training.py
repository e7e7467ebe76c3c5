"""Training a network of the package inside a notebook: in compiled kernels, and nothing is left on the disk."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backlight.models import LanguageModel
from backlight.training import Plan, Recipe, load_model, prepare


def trained(model: str, settings: Mapping[str, Any], recipe: Recipe) -> tuple[LanguageModel, dict[str, float]]:
    """Train a network on the train part of `names`, print how good it is, and return it with its numbers.

    Args:
        model: the kind, as in "wavenet".
        settings: its sizes; what is missing takes the model's defaults.
        recipe: how it is trained.

    Returns: the network, ready for use; and "parameters", and its losses on "train" and "dev", in nats per character.
    """
    plan = Plan(corpus="names", model=model, settings=settings, recipe=recipe)
    with tempfile.TemporaryDirectory() as folder:
        session = prepare(plan, Path(folder) / "run")
        session.trainer().fit()
        result = session.result(steps=recipe.steps, seconds=0.0)
        net, _ = load_model(session.run)
    found = {"parameters": result["parameters"], "train": result["train_nats"], "dev": result["dev_nats"]}
    print(  # noqa: T201  (a cell's output)
        f"{model}, {found['parameters']:,} parameters: train {found['train']:.4f}, dev {found['dev']:.4f}"
    )
    return net, found
