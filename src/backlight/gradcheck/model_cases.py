"""The sizes and batches on which every network is checked, small enough for central differences."""

from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np

from backlight.core import NOT_A_TARGET, Batch
from backlight.models import model_spec
from backlight.models.neural import NeuralModel


@dataclass(frozen=True)
class ModelCase:
    """A network and a batch for it.

    Attributes:
        name: what distinguishes the case.
        model: the name of the network in `MODELS`.
        settings: its configuration, without dropout, since PyTorch draws other masks.
        batch_size: the number of rows of the batch.
    """

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 7

    def __str__(self) -> str:
        return f"{self.model}, {self.name}" if self.name else self.model

    def build(self, rng: np.random.Generator) -> NeuralModel:
        """Return the network as created, in float32."""
        kind = model_spec(self.model)
        return cast("NeuralModel", kind.build(kind.configure(SMALL[self.model] | self.settings), rng))

    def make(self, rng: np.random.Generator) -> NeuralModel:
        """Return the network in float64, with weights large enough for different logits, and biases that are not 0."""
        model = self.build(rng).to(np.float64)
        for parameter in model.parameters():
            parameter.array[...] = rng.standard_normal(parameter.shape)
        for name, buffer in model.named_buffers():
            drawn = rng.standard_normal(buffer.shape)
            buffer.array[...] = np.abs(drawn) + 0.3 if name.endswith("var") else drawn
        return model

    def batch(self, model: NeuralModel, rng: np.random.Generator) -> Batch:
        """Return a batch of random ids."""
        return random_batch(model, self.batch_size, rng)


def random_batch(model: NeuralModel, size: int, rng: np.random.Generator) -> Batch:
    """Return a batch of random ids and targets, for models of sequences with random lengths and padding.

    Args:
        model: the network that reads the batch.
        size: the number of rows.
        rng: draws the ids.
    """
    ids = rng.integers(0, model.vocabulary_size, (size, model.context + 1))
    if model.reads == "windows":
        return Batch(ids[:, :-1], ids[:, -1])
    lengths = rng.integers(1, model.context + 1, (size, 1))
    return Batch(ids[:, :-1], np.where(np.arange(model.context) < lengths, ids[:, 1:], NOT_A_TARGET))


_RECURRENT = {"vocabulary_size": 11, "context": 5, "embedding": 3, "hidden": (7,), "dropout": 0}

SMALL: Final[dict[str, dict[str, Any]]] = {
    "bigram": {"vocabulary_size": 11},
    "mlp": {"vocabulary_size": 11, "context": 3, "embedding": 5, "hidden": (13,)},
    "wavenet": {"vocabulary_size": 11, "embedding": 5, "hidden": 7},
    "rnn": _RECURRENT,
    "gru": _RECURRENT,
    "lstm": _RECURRENT,
    "gpt": {"vocabulary_size": 11, "context": 5, "n_embd": 6, "n_layer": 2, "n_head": 2, "dropout": 0},
}
"""The default configuration of each network in the cases."""

_RECURRENT_CASES: Final[list[tuple[str, dict[str, Any], int]]] = [
    ("", {}, 7),
    ("batch of 1", {}, 1),
    ("one step", {"context": 1}, 3),
    ("two layers", {"hidden": (5, 3)}, 5),
    ("one unit", {"embedding": 1, "hidden": (1,)}, 2),
]

CASES: Final[list[ModelCase]] = [
    ModelCase("", "bigram"),
    ModelCase("batch of 1", "bigram", {"vocabulary_size": 2}, batch_size=1),
    ModelCase("", "mlp"),
    ModelCase("batch of 1", "mlp", batch_size=1),
    ModelCase("context 1", "mlp", {"context": 1, "embedding": 1, "hidden": (1,)}),
    ModelCase("three hidden layers", "mlp", {"context": 8, "hidden": (7, 9, 3)}, batch_size=33),
    ModelCase("direct", "mlp", {"direct": True}),
    ModelCase("direct, two hidden layers", "mlp", {"context": 5, "hidden": (13, 7), "direct": True}, batch_size=3),
    ModelCase("batch norm", "mlp", {"batch_norm": True}),
    ModelCase("batch norm, batch of 2", "mlp", {"batch_norm": True}, batch_size=2),
    ModelCase("batch norm, five hidden layers", "mlp", {"hidden": (9,) * 5, "batch_norm": True}, batch_size=33),
    ModelCase("", "wavenet"),
    ModelCase("batch of 2", "wavenet", batch_size=2),
    ModelCase("context 2", "wavenet", {"context": 2, "hidden": 1}),
    ModelCase("context 32", "wavenet", {"context": 32}, batch_size=9),
    *[
        ModelCase(name, model, settings, batch_size)
        for model in ("rnn", "gru", "lstm")
        for name, settings, batch_size in _RECURRENT_CASES
    ],
    ModelCase("", "gpt"),
    ModelCase("batch of 1", "gpt", batch_size=1),
    ModelCase("one layer, one head", "gpt", {"n_layer": 1, "n_head": 1, "n_embd": 3, "context": 9}, batch_size=3),
    ModelCase("a head for each channel", "gpt", {"n_head": 6}, batch_size=5),
    ModelCase("tied weights", "gpt", {"tie_weights": True}),
]
