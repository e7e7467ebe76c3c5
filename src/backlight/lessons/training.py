"""Training a network of the package inside a notebook: in compiled kernels, and nothing is left on the disk."""

from collections.abc import Mapping
from typing import Any

from backlight.models import LanguageModel
from backlight.training import Run, RunConfig, TrainConfig, load_model


def trained(model: str, settings: Mapping[str, Any], config: TrainConfig) -> tuple[LanguageModel, dict[str, float]]:
    """Train a network on the train part of `names`, print how good it is, and return it with its numbers.

    Args:
        model: its name, as in "wavenet".
        settings: its sizes; what is missing takes the model's defaults.
        config: how it is trained.

    Returns: the network, ready for use; and "parameters", and its losses on "train" and "dev", in nats per character.
    """
    run = Run.create(RunConfig(corpus="names", model=model, settings=settings, train=config))
    run.train()
    result = run.result
    assert result is not None  # noqa: S101  (nothing asked it to stop)
    found = {"parameters": result["parameters"], "train": result["train_nats"], "dev": result["dev_nats"]}
    print(  # noqa: T201  (a cell's output)
        f"{model}, {found['parameters']:,} parameters: train {found['train']:.4f}, dev {found['dev']:.4f}"
    )
    return load_model(run.store)[0], found
