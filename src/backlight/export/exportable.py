"""What is exported: a network, its vocabulary, and held-out examples with the logits that a reader must reproduce."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from backlight.autograd import no_grad
from backlight.core import DataError, ExportError, FloatArray, IntArray, RunError
from backlight.models import GPT
from backlight.models.neural import NeuralModel
from backlight.runs import RunDirectory
from backlight.sample import SampleConfig, sample_batch
from backlight.text import Dataset, Items
from backlight.text.tokenizers import TextVocabulary, TokenVocabulary
from backlight.training import Run
from backlight.training.evaluate import dataset, evenly
from backlight.training.weights import folded

TARGETS: Final = 1_000
"""About as many predictions are compared."""

SAMPLES: Final = 20

_SAMPLE_LENGTH: Final = 200
_TEXTS: Final = 200
_LONGEST: Final = 2_000


@dataclass(frozen=True)
class Exportable:
    """A trained network to export.

    Attributes:
        run: its run.
        network: the network in evaluation mode, with batch norms folded into the layers before them.
        x: (B, T) ids of examples that the network reads.
        logits: (B, V) of windows or (B, T, V) of sequences: the network's logits of `x`.
        texts: texts to encode.
        held_out: whether examples and texts are from the test split; otherwise the model has drawn them.
        samples: some samples of the model, for its description.
    """

    run: Run
    network: NeuralModel
    x: IntArray
    logits: FloatArray
    texts: list[str]
    held_out: bool
    samples: list[str]

    @classmethod
    def of(cls, run: Run, *, target: str) -> "Exportable":
        """Return the network of a run whose weights are loaded, with held-out examples.

        If the text of the run cannot be read, the examples are drawn from the model.

        Args:
            run: the run.
            target: the name of the format, for messages.

        Raises:
            ExportError: the model is not a network alone.
        """
        network = _network(run, target)
        samples = _samples(run, network)
        data, texts, held_out = _examples(run, network, samples)
        x = evenly(data, TARGETS).x
        return cls(run, network, x, logits_of(network, x), texts, held_out, samples)

    @property
    def vocabulary(self) -> TextVocabulary:
        """The vocabulary."""
        return self.run.vocabulary

    @property
    def order(self) -> IntArray:
        """Our id of each id in the exported files, (V,).

        A byte-pair tokenizer keeps its own numbering, with the boundary as its `<|endoftext|>`: if it has none, this is
        one more token at the end. All other vocabularies keep ours, in which the boundary is 0.
        """
        if isinstance(self.vocabulary, TokenVocabulary):
            return self.vocabulary.order
        return np.arange(self.vocabulary.size)

    @property
    def places(self) -> IntArray:
        """The id in the exported files of each of our ids, (V,)."""
        return np.argsort(self.order)

    @property
    def name(self) -> str:
        """The name of the run's folder; of a run in memory, that of its model."""
        return self.run.path.name if isinstance(self.run.store, RunDirectory) else self.run.config.model

    def gpt(self, target: str) -> GPT:
        """Return the network as a GPT.

        Raises:
            ExportError: it is another network.
        """
        if isinstance(self.network, GPT):
            return self.network
        raise ExportError(
            f"{target} can hold a gpt only, as GPT-2; this model is {self.run.config.model}. Use --to onnx or --to "
            "torch, which take every network."
        )


def logits_of(network: NeuralModel, x_BT: IntArray) -> FloatArray:
    """Return the logits of examples, without a graph. Shape: (B, T) -> (B, V) or (B, T, V)."""
    with no_grad():
        logits: FloatArray = network(x_BT).array
    return logits


def _network(run: Run, target: str) -> NeuralModel:
    network = run.network
    name = run.config.model
    if network is None:
        raise ExportError(
            f"only a network can be exported; {name} is a table of counts. Train a network, such as --model gpt."
        )
    if network is not run.model:
        raise ExportError(
            f"only a network can be exported; {name} is mixed with counts, which {target} cannot hold. "
            f" Train the network alone: --model {name.removesuffix('+ngram')}."
        )
    whole = folded(network.eval())
    assert isinstance(whole, NeuralModel)  # noqa: S101  (folding a network gives one)
    return whole


def _samples(run: Run, network: NeuralModel) -> list[str]:
    config = SampleConfig(max_length=min(run.sample_length, _SAMPLE_LENGTH))
    count = SAMPLES if run.ends else 1
    found = sample_batch(network, run.vocabulary, count, config=config, rng=np.random.default_rng(1), ends=run.ends)
    return [run.composed(one.text) for one in found]


def _examples(run: Run, network: NeuralModel, samples: list[str]) -> tuple[Dataset, list[str], bool]:
    try:
        items, held_out = run.splits.test.items, True
    except (DataError, RunError):  # it was moved or has changed, or the run has none
        drawn = [one for one in samples if one] or [run.vocabulary.decode([1])]
        items, held_out = Items.of(drawn), False
    data = dataset(network, run.vocabulary, items, ends=run.ends)
    return data, [text[:_LONGEST] for text in items[:_TEXTS]], held_out
