"""A network mixed with n-gram counts: the network generalises, and the counts remember.

The two err in different places, so together they predict better than either. Counting takes a second, and the weights
are fitted in closed form on held-out text, so a mixture costs hardly more than its network.
"""

from collections.abc import Callable, Mapping
from dataclasses import make_dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backlight.autograd import no_grad
from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.core import BOUNDARY, NOT_A_TARGET, Array, Batch, EncodedItems, FloatArray, IntArray, RunError
from backlight.core.settings import setting
from backlight.models._mixing import HALVES, fit_weights, mixed
from backlight.models._ngram_counts import UNKNOWN, no_report
from backlight.models.decoding import Decoder, decode
from backlight.models.neural import NeuralModel, nll_of
from backlight.models.ngram import MAX_ORDER, NGram, NGramConfig
from backlight.models.protocol import Reads
from backlight.models.spec import ModelSpec, settings_of
from backlight.nn import fold

SUFFIX: Final = "+ngram"
"""A mixture is called after its network, as in `gpt+ngram`."""

BUCKETS: Final = 10
"""Contexts are told apart by how often they occur in the training text: never, once, 2 or 3 times, 4 to 7 times, ..."""

FITTED_CELLS: Final = 1 << 22
"""The weights are fitted on as many targets as have this many log probabilities, 32 MB of each kind."""

COUNTS: Final = "ngram."
"""What the names of the arrays of the counts begin with."""

WEIGHTS: Final = "mixture.weights"


class Mixture:
    """log p(w | h) = a log p_network(w | h) + b log p_ngram(w | h) - log Z(h).

    The weights a and b depend on how often the n-gram's context occurs in the training text. They are fitted on the dev
    split by `fit_weights`; before, both are 1/2.

    Args:
        config: the configuration of the network, with the `order` of the n-gram.
        network: the network.

    Attributes:
        network: the network, which is trained as without the n-gram.
        ngram: the n-gram model, with Kneser-Ney smoothing; `fit` counts it.
        weights_K2: (K, 2) a and b of each bucket of contexts.

    Shape: x as the network reads it; rows of windows have the longer of the two contexts.
    """

    def __init__(self, config: Any, network: NeuralModel) -> None:
        self.config = config
        self.network = network
        self.ngram = NGram(NGramConfig(vocabulary_size=config.vocabulary_size, order=config.order))
        self.weights_K2: FloatArray = np.tile(np.array(HALVES), (BUCKETS, 1))

    @property
    def vocabulary_size(self) -> int:
        """V, including the boundary."""
        return self.network.vocabulary_size

    @property
    def reads(self) -> Reads:
        """The kind of batch that the network reads."""
        return self.network.reads

    @property
    def context(self) -> int:
        """The maximum number of characters on which a prediction depends, T."""
        return max(self.network.context, self.ngram.context) if self.reads == "windows" else self.network.context

    def num_parameters(self) -> int:
        """Return the number of parameters of the network and of n-grams."""
        return self.network.num_parameters() + self.ngram.num_parameters()

    def count(self, train: EncodedItems, *, on_progress: Callable[[float], None] = no_report) -> None:
        """Count the n-grams of these items; `on_progress` gets the share that is counted, if they are many."""
        self.ngram.fit(train, on_progress=on_progress)

    def fit_weights(self, dev: Batch) -> None:
        """Fit the weights to a batch of held-out targets, with the network in evaluation mode."""
        network_NV, ngram_NV, bucket, y = self._both(dev.x, dev.y)
        self.weights_K2 = fit_weights(shifted_log_softmax(network_NV), ngram_NV, y, bucket, buckets=BUCKETS)

    def folded(self) -> "Mixture":
        """Return the mixture with the network's batch norms folded into its layers, for evaluation."""
        made = Mixture(self.config, fold(self.network))
        made.ngram, made.weights_K2 = self.ngram, self.weights_K2
        return made

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character that follows each row of (B, T) ids."""
        network = self.network.next_logits(self._for_network(x_BT)).astype(np.float64)
        return mixed(self.weights_K2, *self._counted(_last_windows(x_BT, self.ngram.context), network))

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) in nats for each target, in the shape of y, (B,) or (B, T); 0 for `NOT_A_TARGET`."""
        network_NV, ngram_NV, bucket, targets = self._both(x_BT, y)
        nats = np.zeros(y.shape)
        nats[y != NOT_A_TARGET] = nll_of(mixed(self.weights_K2, bucket, network_NV, ngram_NV), targets)
        return nats

    def decoder(self, x_BT: IntArray) -> "MixedDecoder":
        """Return a decoder of texts that begin with these ids, (B, T)."""
        return MixedDecoder(self, x_BT)

    def state_dict(self) -> dict[str, Array]:
        """Return the network's arrays, the weights of the mixture, and the counts, arrays of any shape, by name."""
        counts = {COUNTS + name: array for name, array in self.ngram.state_dict().items()}
        return {**self.network.state_dict(), WEIGHTS: self.weights_K2, **counts}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Restore the arrays, of any shape, that `state_dict` returned; without the weights, both are 1/2.

        Raises:
            RunError: the arrays belong to another model, or are damaged.
        """
        weights = state.get(WEIGHTS, np.tile(np.array(HALVES), (BUCKETS, 1)))
        if weights.shape != (BUCKETS, 2) or not np.isfinite(weights).all():
            raise RunError(
                f"{WEIGHTS} must be finite numbers of shape ({BUCKETS}, 2); got an array of shape {weights.shape}. "
                "The file is damaged: train again."
            )
        counts = {name.removeprefix(COUNTS): array for name, array in state.items() if name.startswith(COUNTS)}
        own = {name: array for name, array in state.items() if name != WEIGHTS and not name.startswith(COUNTS)}
        self.ngram.load_state_dict(counts)
        self.network.load_state_dict(own)
        self.weights_K2 = weights

    def tables(self) -> dict[str, Array]:
        """Return the arrays beside those of the network from which another program computes the mixture.

        `weights` (K, 2) and, for each context of the n-gram's highest level and for unseen ones, its `buckets`,
        (nodes + 1,); and the arrays of `NGram.tables`, whose names begin with `ngram.`.
        """
        counts = {COUNTS + name: array for name, array in self.ngram.tables().items()}
        return {"weights": self.weights_K2, "buckets": _bucket(self.ngram.occurrences), **counts}

    def _for_network(self, x_BT: IntArray) -> IntArray:
        return x_BT[:, x_BT.shape[1] - self.network.context :] if self.reads == "windows" else x_BT

    def _counted(self, x_NT: IntArray, network_NV: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return bucket, network and n-gram of each context, as `mixed` takes them."""
        ngram_NV, occurrences = self.ngram.log_probabilities(x_NT)
        return _bucket(occurrences), network_NV, ngram_NV

    def _both(self, x_BT: IntArray, y: IntArray) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
        """Return the network's logits and the n-gram's log p, (N, V), the buckets and the targets, (N,), in order."""
        with no_grad():
            network_NV = self.network.logits_of_targets(self._for_network(x_BT), y).astype(np.float64)
        n = self.ngram.context
        contexts = _last_windows(x_BT, n) if self.reads == "windows" else _all_windows(x_BT, n)[y != NOT_A_TARGET]
        bucket, _, ngram_NV = self._counted(contexts if y.ndim == 2 else contexts[y != NOT_A_TARGET], network_NV)
        return network_NV, ngram_NV, bucket, y[y != NOT_A_TARGET]


class MixedDecoder(Decoder):
    """The decoder of the network beside one of the n-gram. It has a row for each pair of their rows that a text needs.

    Args:
        mixture: the mixture, with the network in evaluation mode.
        x_BT: (B, T) ids that the texts begin with.
    """

    def __init__(self, mixture: Mixture, x_BT: IntArray) -> None:
        self._mixture = mixture
        self._network = decode(mixture.network, mixture._for_network(x_BT))
        self._ngram = _Contexts(mixture.ngram, _last_windows(x_BT, mixture.ngram.context))
        self._join()

    def advance(self, ids: IntArray) -> None:
        """Append a character to each text, (B,) ids, and update the logits."""
        self._network.advance(ids)
        self._ngram.advance(ids)
        self._join()

    def keep(self, texts: IntArray) -> None:
        """Keep these texts only, given by ascending numbers; the others have ended."""
        self._network.keep(texts)
        self._ngram.keep(texts)
        self.which = self.which[texts]

    def _join(self) -> None:
        pairs, which = np.unique(
            self._network.which * len(self._ngram.x_WT) + self._ngram.which, return_inverse=True
        )  # fmt: skip
        self.which = which.reshape(-1)
        of_network, of_ngram = np.divmod(pairs, len(self._ngram.x_WT))
        self.x_WT = self._network.x_WT[of_network]
        self.logits = mixed(
            self._mixture.weights_K2,
            _bucket(self._ngram.occurrences)[of_ngram],
            shifted_log_softmax(self._network.logits.astype(np.float64))[of_network],
            self._ngram.logits[of_ngram],
        )


class _Contexts(Decoder):
    """The n-gram's rows: its distinct contexts, their log p and how often each of them occurs."""

    occurrences: IntArray

    def __init__(self, ngram: NGram, x_BT: IntArray) -> None:
        super().__init__(x_BT, vocabulary_size=ngram.vocabulary_size, context=ngram.context)
        self._ngram = ngram
        self._read()

    def advance(self, ids: IntArray) -> None:
        """Append a character to each text, (B,) ids."""
        self._part(ids)
        self.x_WT, again = np.unique(self.x_WT, axis=0, return_inverse=True)  # texts that differ further back meet
        self.which = again.reshape(-1)[self.which]
        self._read()

    def _read(self) -> None:
        self.logits, self.occurrences = self._ngram.log_probabilities(self.x_WT)


def mixture_of(spec: ModelSpec) -> ModelSpec:
    """Return the entry of a network mixed with an n-gram, with the network's settings and training, and `order`."""
    order = setting(f"n of the n-gram, 1 to {MAX_ORDER}.", default=6, at_least=1, at_most=MAX_ORDER)
    config = make_dataclass(
        f"{spec.config.__name__.removesuffix('Config')}MixtureConfig",
        [("order", int, order)], bases=(spec.config,), frozen=True, kw_only=True,
    )  # fmt: skip

    def build(of: Any, rng: np.random.Generator) -> Mixture:
        own = {name: value for name, value in settings_of(of).items() if name != "order"}
        return Mixture(of, _network(spec, own, rng))

    return ModelSpec(
        name=spec.name + SUFFIX,
        summary=f"{spec.summary}, mixed with counts",
        config=config,
        build=build,
        train=spec.train,
        quick=spec.quick,
        quick_settings=spec.quick_settings,
        cost=spec.cost,
    )


def _network(spec: ModelSpec, settings: Mapping[str, Any], rng: np.random.Generator) -> NeuralModel:
    made = spec.build(spec.configure(settings), rng)
    assert isinstance(made, NeuralModel)  # noqa: S101  (only networks are mixed)
    return made


def _bucket(occurrences: IntArray) -> IntArray:
    """Return the bucket of contexts that occur this often: the number of binary digits. Shape: (N,) -> (N,)."""
    return np.minimum(np.frexp(occurrences.astype(np.float64))[1], BUCKETS - 1).astype(np.int64)


def _last_windows(x_BT: IntArray, size: int) -> IntArray:
    """Return the last `size` ids of each row, (B, size). What precedes the ids is unknown, or more boundaries."""
    return _all_windows(x_BT, size)[:, -1]


def _all_windows(x_BT: IntArray, size: int) -> IntArray:
    """Return the last `size` ids at each position of each row, (B, T, size)."""
    B = len(x_BT)
    before = np.where(x_BT[:, :1] == BOUNDARY, BOUNDARY, UNKNOWN)
    padded = np.concatenate([np.broadcast_to(before, (B, max(size - 1, 0))), x_BT], axis=1)
    return sliding_window_view(padded, size, axis=1) if size else np.zeros((*x_BT.shape, 0), np.int64)
