"""The first minibatch of a plan, with its loss still in the graph: for whoever wants to look at a step."""

from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.core import Array, ConfigError
from backlight.models.neural import NeuralModel
from backlight.training.setup import Setup


def first_loss(setup: Setup, *, batch_size: int | None = None, weights: dict[str, Array] | None = None) -> Tensor:
    """Return the loss, in nats per target, of the minibatch that training would begin with.

    With the first weights, it is the loss that `Trainer` meets at step 0, up to rounding: the same minibatch, the same
    dropout.

    Args:
        setup: text and model; the model is left in training mode.
        batch_size: examples; the recipe's if None.
        weights: what to load into the model first; its first weights if None.

    Raises:
        ConfigError: a model that is counted has no loss to differentiate.
    """
    model: Any = setup.model
    recipe = setup.plan.recipe
    if not isinstance(model, NeuralModel) or recipe is None:
        raise ConfigError(
            f"a step needs a network; {setup.plan.model} is counted, and has no gradient. Take another model."
        )
    if weights is not None:
        model.load_state_dict(weights)
    model.train()
    rng = setup.batches()
    model.set_rng(rng)
    batch = setup.data["train"].sample(recipe.batch_size if batch_size is None else batch_size, rng)
    with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is what one may be looking for
        return model.loss(batch)
