"""A decoder-only transformer: characters read each other through attention, layer over layer."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.autograd import Tensor, cross_entropy, no_grad
from backlight.autograd.ops.attention import Places
from backlight.core import Batch, ConfigError, FloatArray, IntArray
from backlight.models._ragged import Ragged
from backlight.models.decoding import slide
from backlight.models.neural import NeuralModel, nats_of
from backlight.models.protocol import Reads
from backlight.nn import GELU, Dropout, Embedding, LayerNorm, Linear, Module, Sequential
from backlight.nn.attention import CausalSelfAttention, KeyValueCache
from backlight.nn.positions import PositionalEmbedding

MOST = 1_000_000
"""The largest size: more is a slip of the keyboard, and no memory holds it."""


SPARSE = 0.7
"""A decoder with fewer of its texts than this still going on makes itself smaller. Measured: 0.5 to 0.8 are as good."""


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Sizes of a GPT. The default has 204,000 parameters on names; nanoGPT's for a CPU is 64, 128, 4, 4.

    Args:
        vocabulary_size: V, the boundary included.
        context: how many characters it reads at most, T.
        channels: length of the vector that each position carries through the layers, C; a multiple of `heads`.
        layers: blocks of attention and MLP, one after the other.
        heads: of each attention.
        dropout: share of numbers dropped in training: of the vectors, of attention's weights, of what blocks add. More
            is better where each character of the text is read many times, and 0 where it is read once or twice.
        tie_weights: whether the logits' weights are the characters' vectors, as in GPT-2, instead of their own.

    Raises:
        ConfigError: a size outside its range, or channels that cannot be shared out among the heads.
    """

    vocabulary_size: int
    context: int = 16
    channels: int = 64
    layers: int = 4
    heads: int = 4
    dropout: float = 0.05
    tie_weights: bool = False

    def __post_init__(self) -> None:
        if self.vocabulary_size < 2:
            raise ConfigError(
                f"vocabulary_size counts the boundary and at least one character; got {self.vocabulary_size}."
            )
        for name in ("context", "channels", "layers", "heads"):
            size = getattr(self, name)
            if not 1 <= size <= MOST:
                raise ConfigError(f"{name} must be from 1 to {MOST:,}; got {size}. Leave it out for the default.")
        if self.channels % self.heads:
            raise ConfigError(
                f"channels must be a multiple of heads, so that each head has as many; got {self.channels} channels "
                f"and {self.heads} heads. Try {math.ceil(self.channels / self.heads) * self.heads} channels."
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is a share, at least 0 and below 1; got {self.dropout}. Try 0.1, or 0.")


class Block(Module):
    """Positions read each other, and then each thinks for itself; both add to what was there.

        x = x + attention(norm(x))        x = x + W₂ gelu(W₁ norm(x))

    Args:
        config: sizes.
        rng: where the first weights come from.

    Shape: (B, T, C) -> (B, T, C), or with `places` (N, C) -> (N, C)
    Source: Radford et al. 2019, section 2.3: the norms stand before what they feed ("pre-norm").
    """

    def __init__(self, config: GPTConfig, *, rng: np.random.Generator) -> None:
        C = config.channels
        # 2 layers such sums of independent numbers would otherwise raise the variance as many times
        scale = 1 / math.sqrt(2 * config.layers)
        self.first_norm = LayerNorm(C)
        self.attention = CausalSelfAttention(C, config.heads, dropout=config.dropout, scale=scale, rng=rng)
        self.dropout = Dropout(config.dropout, rng=rng)
        self.second_norm = LayerNorm(C)
        self.mlp = Sequential(
            Linear(C, 4 * C, rng=rng), GELU(), Linear(4 * C, C, scale=scale, rng=rng), Dropout(config.dropout, rng=rng)
        )

    def __call__(self, x: Tensor, places: Places | None = None) -> Tensor:
        """Return `forward(x, places)`."""
        return self.forward(x, places)

    def forward(self, x: Tensor, places: Places | None = None) -> Tensor:
        """Return x with what attention and MLP add to it, in its shape."""
        x = x + self.dropout(self.attention(self.first_norm(x), places))
        return x + self.mlp(self.second_norm(x))  # type: ignore[no-any-return]

    def step(self, x_BC: Tensor, cache: KeyValueCache) -> Tensor:
        """Return the same of one more position of each text, after those in the cache."""
        x_BC = x_BC + self.dropout(self.attention.step(self.first_norm(x_BC), cache))
        return x_BC + self.mlp(self.second_norm(x_BC))  # type: ignore[no-any-return]


class GPT(NeuralModel):
    """logits_t = W norm(h_t), h = blocks(C[x_t] + P[t]): each position predicts its next from all up to it.

    Where the targets of a batch's sequences end, so does its computing: padding costs nothing but in attention.

    Args:
        config: sizes.
        rng: where the first weights come from.

    Shape: (B, T) ids, T up to the context -> (B, T, V) logits
    Raises: ShapeError: more positions than the context.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3; Radford et al. 2019, "Language Models are Unsupervised
        Multitask Learners", section 2.3; sizes after A. Karpathy's nanoGPT.
    """

    reads: Reads = "sequences"
    fixed_graph = True

    def __init__(self, config: GPTConfig, *, rng: np.random.Generator) -> None:
        self.config = config
        self.vocabulary_size = config.vocabulary_size
        self.context = config.context
        C = config.channels
        self.token = Embedding(config.vocabulary_size, C, scale=0.02, rng=rng)
        self.position = PositionalEmbedding(config.context, C, scale=0.02, rng=rng)
        self.dropout = Dropout(config.dropout, rng=rng)
        self.blocks = [Block(config, rng=rng) for _ in range(config.layers)]
        self.norm = LayerNorm(C)
        # small: the first logits are nearly equal, and the first loss is ln V; so are the tied vectors
        self.output = None if config.tie_weights else Linear(C, config.vocabulary_size, bias=False, scale=0.1, rng=rng)

    def forward(self, x: IntArray) -> Tensor:
        """Return (B, T, V) logits of the character after each position of (B, T) ids."""
        return self._logits(self._read_whole(x))

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """Return ids, their positions, where they stand in the batch (None if it is whole), and targets."""
        needed = Ragged.by_sequence(batch.x, batch.y)
        return needed.of(batch.x), needed.positions, needed.attended, needed.of(batch.y)

    def kind(self, inputs: tuple[Any, ...]) -> Hashable:
        """Return whether the batch is whole: no op's settings depend on how many ids there are."""
        return inputs[2] is None

    def loss_of(self, inputs: tuple[Any, ...]) -> Tensor:
        """Return the mean cross-entropy in nats per target, in the graph, computed from what `inputs` returned."""
        ids, positions, places, targets = inputs
        return cross_entropy(self._logits(self._blocks(self._vectors(ids, positions), places)), targets)

    def target_nats(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) in nats for each target, in y's shape; 0 where y is not a target."""
        x = self._whole(x_BT)
        needed = Ragged.by_sequence(x, y)
        with no_grad():
            read = self._blocks(self._vectors(needed.of(x), needed.positions), needed.attended)
            logits = self._logits(read).array
        return needed.spread(nats_of(logits, needed.of(y)))

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character after each row, without a graph."""
        with no_grad():
            return self._logits(self._read_whole(self._whole(x_BT))[:, -1]).array

    def decoder(self, x_BT: IntArray) -> "GPTDecoder":
        """Return texts that begin with these ids, with the keys and values of what they have read."""
        return GPTDecoder(self, self._whole(x_BT))

    def step(self, ids: IntArray, caches: list[KeyValueCache]) -> FloatArray:
        """Return (B, V) logits after one more character of each text, (B,), which joins the caches; no graph."""
        with no_grad():
            x = self._vectors(ids, np.array(caches[0].length))
            for block, cache in zip(self.blocks, caches, strict=True):
                x = block.step(x, cache)
            return self._logits(x).array

    def _read_whole(self, x_BT: IntArray) -> Tensor:
        x = np.asarray(x_BT)
        return self._blocks(self._vectors(x, np.arange(x.shape[-1])))

    def _blocks(self, x: Tensor, places: Places | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, places)
        return x

    def _vectors(self, ids: IntArray, positions: IntArray) -> Tensor:
        return self.dropout(self.token(ids) + self.position(positions))

    def _logits(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return x @ self.token.weight.T if self.output is None else self.output(x)


class GPTDecoder:
    """Texts under way, with the keys and values of what they have read: each new character is read alone.

    Texts that have been the same so far share a column of the caches, and are read once: of 10,000 names, all have the
    same beginning, and there are a few dozen first letters.

    Positions are counted from the first character in the context. Once that is full, each step drops the oldest
    character and all others move up a position, which changes their keys and values: the text is read again, as
    without a cache.

    Args:
        model: the network, in evaluation mode.
        x_BT: what the texts begin with, (B, T), T at least 1 and at most the context.
    """

    def __init__(self, model: GPT, x_BT: IntArray) -> None:
        self._model = model
        different, columns = np.unique(x_BT, axis=0, return_inverse=True)
        self._columns = columns.reshape(-1)  # of the caches, of each text
        self._width = len(different)
        self._sharing = self._width < len(x_BT)
        self._caches = [block.attention.cache(self._width, model.context) for block in model.blocks]
        self.x_BT = x_BT
        for ids in different.T:
            logits = model.step(ids, self._caches)
        self.logits = logits[self._columns]

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text, (B,), and move the logits on."""
        full = self.x_BT.shape[1] == self._model.context
        self.x_BT = slide(self.x_BT, ids, self._model.context)
        if full:
            self.logits = self._model.next_logits(self.x_BT)
        else:
            step = self._part_ways if self._sharing else self._go_on
            step(ids)

    def keep(self, rows: IntArray) -> None:
        """Go on with these texts only, given by ascending number."""
        self.x_BT, self.logits, self._columns = self.x_BT[rows], self.logits[rows], self._columns[rows]
        # moving what is kept costs more than a step, so ended texts are carried along until they are many
        if not self._sharing and len(rows) < SPARSE * self._width:
            self._take(self._columns)
            self._columns = np.arange(len(rows))

    def _part_ways(self, ids: IntArray) -> None:
        """Take a step in which texts of one column need one each, but for those that take the same character."""
        V = self._model.vocabulary_size
        different, columns = np.unique(self._columns * V + ids, return_inverse=True)
        self._take(different // V)
        self._columns = columns.reshape(-1)
        self._sharing = self._width < len(ids)
        self.logits = self._model.step(different % V, self._caches)[self._columns]

    def _go_on(self, ids: IntArray) -> None:
        """Take a step in which each text has a column of its own; those of ended texts are given any character."""
        of_all = np.zeros(self._width, ids.dtype)
        of_all[self._columns] = ids
        self.logits = self._model.step(of_all, self._caches)[self._columns]

    def _take(self, columns: IntArray) -> None:
        for cache in self._caches:
            cache.keep(columns)
        self._width = len(columns)
