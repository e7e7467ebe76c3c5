"""The n-gram model: the next character is predicted from counts of what followed the last characters.

Fitting is one pass of counting, without gradients or settings to tune, which makes it the baseline for the networks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from backlight.core import (
    NOT_A_TARGET,
    Array,
    ConfigError,
    DataError,
    EncodedItems,
    FloatArray,
    IntArray,
    RunError,
    ShapeError,
    VocabularyError,
)
from backlight.core.settings import setting
from backlight.models._add_k import AddK, tune_k
from backlight.models._kneser_ney import KneserNey
from backlight.models._ngram_counts import NGramCounts, count_ngrams, no_report
from backlight.models._tables import tables
from backlight.models.spec import ModelConfig, ModelSpec

MAX_ORDER = 6
_DENSE_CELLS = 1 << 26
_BLOCK = 1 << 16
"""The number of n-grams whose losses are computed at a time."""


@dataclass(frozen=True, kw_only=True)
class NGramConfig(ModelConfig):
    """Configuration of an n-gram model.

    Args:
        vocabulary_size: V, including the boundary.
        order: n, 1 to 6: the next character is predicted from the n - 1 characters before it.
        smoothing: how unseen n-grams get a probability. "kneser-ney" backs off to shorter contexts; "add-k" adds k to
            each count.
        k: for "add-k" only. `None` takes the k with the lowest loss on the dev split. With 0 there is no smoothing: an
            unseen n-gram has probability 0 and an infinite loss.

    Raises:
        ConfigError: a setting out of range, or `k` with "kneser-ney".
    """

    order: int = setting(f"n of the n-gram, 1 to {MAX_ORDER}.", default=5, at_least=1, at_most=MAX_ORDER)
    smoothing: Literal["kneser-ney", "add-k"] = setting("Smoothing.", default="kneser-ney")
    k: float | None = setting(
        "k of add-k smoothing. Default: tuned on the dev split.", default=None, at_least=0,
        remedy="Leave it out to tune it on the dev split.",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k is not None and self.smoothing == "kneser-ney":
            raise ConfigError(
                f"k needs smoothing='add-k'; got k={self.k} with 'kneser-ney'. Leave k out, or change smoothing."
            )


class NGram:
    """A character n-gram model.

    It reads the n - 1 characters before each target, and boundaries before the first character of an item. "add-k" is

        p(w | h) = (c(h w) + k) / (c(h) + k V),    or 1 / V for an unseen context h;

    "kneser-ney" is interpolated modified Kneser-Ney, with three discounts for each order. Both sum to 1 over the V
    characters, and no probability is 0, except with k = 0. Then p = c(h w) / c(h): a character that never followed h
    has an infinite loss, and after an unseen context all V logits are -inf, for which softmax is undefined.

    Args:
        config: the configuration.
    Shape: x (B, order - 1) -> logits (B, V), float64 log probabilities.
    Source: Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling".
    """

    def __init__(self, config: NGramConfig):
        self.config = config
        self._counts: NGramCounts | None = None
        self._smoothed: KneserNey | AddK | None = None

    @property
    def vocabulary_size(self) -> int:
        """V, including the boundary."""
        return self.config.vocabulary_size

    @property
    def context(self) -> int:
        """The number of characters that the model reads, n - 1."""
        return self.config.order - 1

    @property
    def reads(self) -> Literal["windows"]:
        """The kind of batch: windows, x (B, T) with y (B,)."""
        return "windows"

    @property
    def k(self) -> float | None:
        """The k of add-k, given or tuned; `None` for Kneser-Ney."""
        smoothed = self._fitted[1]
        return smoothed.k if isinstance(smoothed, AddK) else None

    @property
    def discounts(self) -> FloatArray | None:
        """D1, D2 and D3+ of Kneser-Ney for orders 1..n, (order, 3); `None` for add-k."""
        smoothed = self._fitted[1]
        return smoothed.discounts_NK if isinstance(smoothed, KneserNey) else None

    def fit(
        self,
        train: EncodedItems,
        dev: EncodedItems | None = None,
        *,
        on_progress: Callable[[float], None] = no_report,
    ) -> "NGram":
        """Count the n-grams of `train`, and tune k on `dev` if the configuration has no k. Returns this model.

        Args:
            train: the items to count. The end of a stream (`ends` False) is not counted.
            dev: other items, needed only to tune k.
            on_progress: called with the share of `train` that is counted, if it is long.

        Raises:
            DataError: `train` or `dev` has no target.
            ConfigError: k must be tuned, but there is no `dev`.
            VocabularyError: an id is not in 1..V-1.
        """
        vars(self).pop("occurrences", None)
        counts = self._count(train, "train", on_progress)
        del train  # if the caller keeps no reference, its memory is free for what follows
        if self.config.smoothing == "kneser-ney":
            self._counts, self._smoothed = counts, KneserNey(counts)
            return self
        k = self.config.k
        if k is None:
            if dev is None:
                raise ConfigError("add-k with k=None needs dev items to tune k on; got none. Pass dev=..., or set k.")
            k = tune_k(counts, self._count(dev, "dev"))
        self._counts, self._smoothed = counts, AddK(counts, k)
        return self

    @property
    def targets(self) -> int:
        """Number of targets that were counted."""
        return int(self._fitted[0].counts.sum())

    def num_parameters(self) -> int:
        """Return the number of distinct n-grams with a count above 0."""
        return self._fitted[1].ngrams

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return log p(w | row) for every w, (B, V) float64; -inf only for add-k with k = 0.

        Raises:
            ShapeError: the rows do not have `context` ids.
            VocabularyError: an id is not in 0..V-1.
        """
        smoothed = self._fitted[1]
        self._check_context(x_BT)
        with np.errstate(divide="ignore"):  # log 0 = -inf is right for k = 0
            return np.log(smoothed.next_probabilities(x_BT))

    def log_probabilities(self, x_BT: IntArray) -> tuple[FloatArray, IntArray]:
        """Return log p(w | row) for every w, (B, V), and how often each row occurs in what was counted, (B,).

        It is for Kneser-Ney. An id of -1 is unknown: the model backs off to what follows it.
        """
        counts, smoothed = self._fitted
        assert isinstance(smoothed, KneserNey)  # noqa: S101
        nodes = counts.find(x_BT)
        return np.log(smoothed.after(nodes)), self.occurrences[nodes[-1]]

    @cached_property
    def occurrences(self) -> IntArray:
        """How often each context of `context` ids occurs, (nodes + 1,); the last one, for unseen contexts, is 0."""
        counts = self._fitted[0]
        node = counts.keys // self.vocabulary_size
        nodes = counts.nodes(self.context)
        return np.bincount(node, weights=counts.counts, minlength=nodes + 1).astype(np.int64)

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | row) in nats, (B,) float64; 0 where y is `NOT_A_TARGET`, inf only for add-k with k = 0.

        Raises:
            ShapeError: the rows do not have `context` ids, or y does not have one id for each row.
            VocabularyError: an id is not in 0..V-1.
        """
        smoothed = self._fitted[1]
        self._check_context(x_BT)
        if y.shape != x_BT.shape[:1]:
            raise ShapeError(
                f"y needs one id for each row of x, shape {x_BT.shape[:1]}; got {y.shape}. Pass windows, not sequences."
            )
        target = y.astype(np.int64) != NOT_A_TARGET
        x_BT, y = x_BT[target], y[target].astype(np.int64)
        self._check_ids(y, "y")
        nats = np.zeros(len(target))
        with np.errstate(divide="ignore"):
            nats[target] = 0.0 - np.log(smoothed.target_probabilities(x_BT, y))  # 0.0 - x gives 0, not -0, for p = 1
        return nats

    def mean_nats(self, items: EncodedItems | None = None) -> float:
        """Return the mean of -log p over the targets of these items, in nats; of the items that were counted, if None.

        Each n-gram is looked up once, however often it occurs, which is far faster than `nll` of every target.

        Raises:
            DataError: the items have no target.
            VocabularyError: an id is not in 1..V-1.
        """
        counted = self._fitted[0] if items is None else self._count(items, "items")
        total = 0.0
        for begin in range(0, len(counted.keys), _BLOCK):
            node, y = np.divmod(counted.keys[begin : begin + _BLOCK], self.vocabulary_size)
            nats = self.nll(counted.context_ids(self.context, node), y)
            total += float(nats @ counted.counts[begin : begin + _BLOCK])
        return total / float(counted.counts.sum())

    def counts(self, order: int | None = None) -> IntArray:
        """Return the counts of all n-grams of `order` as a dense array with the shape (V,) * order, oldest id first.

        For order 2 it is (V, V): the row is the first id and the column the following one. Row 0 counts the first
        characters of items, and column 0 the last ones.

        Args:
            order: 1 to the model's order; None is the model's order.

        Raises:
            ConfigError: an order that was not counted, or an array of more than 2**26 elements.
        """
        order = self.config.order if order is None else order
        V = self.vocabulary_size
        if order not in range(1, self.config.order + 1):
            raise ConfigError(
                f"counts needs an order from 1 to the model's {self.config.order}; got {order}. Use a lower order."
            )
        if V**order > _DENSE_CELLS:
            raise ConfigError(f"counts needs V**order <= 2**26; got {V}**{order}. Use a lower order.")
        counts = self._fitted[0]
        level = counts.levels()[order - 1]
        node, following = np.divmod(level.keys, V)
        before = counts.context_ids(order - 1)[node]
        dense = np.zeros((V,) * order, np.int64)
        dense[(*before.T, following)] = level.counts
        return dense

    def tables(self) -> dict[str, Array]:
        """Return arrays, of the shapes that `_tables.py` lists, from which another program computes probabilities."""
        return tables(*self._fitted)

    def state_dict(self) -> dict[str, Array]:
        """Return the counts, and k or the discounts, by name.

        `contexts.L` (L = 1..n-1), `ngrams` and `counts` are int64; `discounts` (n, 3) or `k` (1,) is float64.
        """
        counts, smoothed = self._fitted
        state: dict[str, Array] = {f"contexts.{level}": keys for level, keys in enumerate(counts.contexts, 1)}
        state |= {"ngrams": counts.keys, "counts": counts.counts}
        if isinstance(smoothed, KneserNey):
            return state | {"discounts": smoothed.discounts_NK}
        return state | {"k": np.array([smoothed.k])}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Restore the arrays that `state_dict` returned, whose shapes it lists. Every probability is bit-identical.

        Raises:
            RunError: the arrays belong to another order, smoothing or vocabulary, or are damaged.
        """
        levels = range(1, self.config.order)
        extra = "discounts" if self.config.smoothing == "kneser-ney" else "k"
        names = {*(f"contexts.{level}" for level in levels), "ngrams", "counts", extra}
        if set(state) != names:
            raise RunError(
                f"the state of this n-gram model must have the names {sorted(names)}; got {sorted(state)}. "
                "Load it with the configuration it was saved with."
            )
        counts = NGramCounts(
            vocabulary_size=self.vocabulary_size,
            contexts=tuple(state[f"contexts.{level}"] for level in levels),
            keys=state["ngrams"],
            counts=state["counts"],
        )
        if not (counts.is_sound() and _extra_is_sound(extra, state[extra], self.config.order)):
            raise RunError(
                f"an n-gram state needs sorted keys that fit V={self.vocabulary_size} and counts above 0; got others. "
                "The file is damaged or belongs to another vocabulary: train again."
            )
        vars(self).pop("occurrences", None)
        self._counts = counts
        self._smoothed = (
            KneserNey(counts, state[extra]) if extra == "discounts" else AddK(counts, float(state[extra][0]))
        )

    @property
    def _fitted(self) -> tuple[NGramCounts, KneserNey | AddK]:
        if self._counts is None or self._smoothed is None:
            raise ConfigError("an NGram needs counts before it is used; got none. Call fit or load_state_dict first.")
        return self._counts, self._smoothed

    def _count(self, items: EncodedItems, name: str, on_progress: Callable[[float], None] = no_report) -> NGramCounts:
        if not items.targets:
            raise DataError(
                f"{name} needs at least one character; got {len(items)} items without any. Give it more text."
            )
        self._check_ids(items.ids, name, lowest=1)
        return count_ngrams(
            items, vocabulary_size=self.vocabulary_size, order=self.config.order, on_progress=on_progress
        )

    def _check_context(self, x_BT: IntArray) -> None:
        if x_BT.ndim != 2 or x_BT.shape[1] != self.context:
            raise ShapeError(
                f"NGram of order {self.config.order} needs x of shape (B, {self.context}); got {x_BT.shape}. "
                "Pass the last order - 1 ids, with boundaries where there is no character."
            )
        self._check_ids(x_BT, "x")

    def _check_ids(self, ids: IntArray, name: str, *, lowest: int = 0) -> None:
        if ids.size and not (lowest <= ids.min() and ids.max() < self.vocabulary_size):
            raise VocabularyError(
                f"ids of {name} must be in {lowest}..{self.vocabulary_size - 1}; got {ids.min()}..{ids.max()}. "
                "Encode them with the vocabulary that the model was made for."
            )


def _extra_is_sound(name: str, value: Array, order: int) -> bool:
    if name == "k":
        return value.shape == (1,) and math.isfinite(value[0]) and value[0] >= 0
    return value.shape == (order, 3) and bool(((value > 0) & (value < [1, 2, 3])).all())


SPEC = ModelSpec(
    name="ngram",
    summary="counts of the last n characters, with Kneser-Ney or add-k smoothing",
    config=NGramConfig,
    build=lambda config, _: NGram(config),
    train=None,
)
