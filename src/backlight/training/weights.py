"""The network of a model, and the best weights of a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from backlight.core import Array, RunError
from backlight.models import LanguageModel, Mixture
from backlight.models.mixture import COUNTS, WEIGHTS
from backlight.models.neural import NeuralModel
from backlight.nn import fold
from backlight.runs import RunStore


def network_of(model: LanguageModel) -> NeuralModel | None:
    """Return the network of a model: the model, or the network of a mixture; None for an n-gram model."""
    if isinstance(model, Mixture):
        return model.network
    return model if isinstance(model, NeuralModel) else None


def without_counts(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of a model except those of a mixture's counts, which have a file of their own."""
    return {name: array for name, array in arrays.items() if not name.startswith(COUNTS)}


def load_weights(store: RunStore, model: LanguageModel) -> dict[str, Any]:
    """Load a run's best weights into its model, set a network to evaluation mode, and return the weights' metadata.

    Raises:
        RunError: there are no weights yet, or they are damaged or not of this model.
    """
    arrays, facts = store.load_weights()
    if not isinstance(facts.get("step"), int):
        raise RunError(f"weights must have a step; those of {store.name} have none. Train again, into a new run.")
    if isinstance(model, Mixture):
        arrays |= {COUNTS + name: array for name, array in store.load_counts().items()}
    else:
        arrays.pop(WEIGHTS, None)  # the network of a mixture is loaded alone
    network = network_of(model)
    if network is not None:
        for name, own in network.eval().state_dict().items():
            array = arrays.get(name, own)
            if array.dtype != own.dtype:
                raise RunError(
                    f"{name} must be {own.dtype}; that of {store.name} is {array.dtype}. "
                    "Restore the right weights, or train again."
                )
            if not np.isfinite(array).all():
                raise RunError(
                    f"weights must be finite; {name} of {store.name} is not: its training has diverged. "
                    "Train again with a lower learning rate."
                )
    model.load_state_dict(arrays)
    return facts


def folded(model: LanguageModel) -> LanguageModel:
    """Return the model with its batch norms folded into its layers, for evaluation; without any, the model itself."""
    network = network_of(model)
    if network is None or not any(True for _ in network.named_buffers()):
        return model
    return model.folded() if isinstance(model, Mixture) else fold(network)
