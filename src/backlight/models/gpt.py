"""A decoder-only transformer: layers of causal self-attention and an MLP."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from backlight.autograd import Tensor, cross_entropy, no_grad
from backlight.autograd.ops.attention import PackedIndex, causal_weights, split_heads
from backlight.core import Array, Batch, ConfigError, FloatArray, IntArray
from backlight.core.settings import setting
from backlight.models._packed import PackedBatch
from backlight.models.cached import CachedDecoder
from backlight.models.neural import NeuralModel, nll_of
from backlight.models.protocol import Reads
from backlight.models.spec import MOST, ModelConfig, ModelSpec
from backlight.nn import (
    GELU,
    CausalSelfAttention,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    Module,
    PositionalEmbedding,
    Sequential,
)
from backlight.nn.compact import compact_numbers
from backlight.nn.decode_step import KeyValueCache, in_columns, in_rows

_LOGITS: Final = 1 << 22
"""The number of logits that are computed at a time when texts are scored."""

_GPT2_STD: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class GPTConfig(ModelConfig):
    """Configuration of a GPT. With the defaults it has 204,000 parameters on names.

    Args:
        vocabulary_size: V, including the boundary.
        context: maximum number of characters that it reads, T.
        n_embd: embedding dimension, C; a multiple of `n_head`.
        n_layer: number of transformer blocks.
        n_head: number of attention heads.
        dropout: dropout probability of embeddings, attention weights and what blocks add. A high one helps if training
            reads each character many times; 0 is best if it reads each one once or twice.
        tie_weights: whether the output layer shares its weights with the character embedding, as in GPT-2.
        init: the first weights of linear layers: "kaiming", with a small output layer; or "gpt2", all normal with a
            standard deviation of 0.02. In both, what a block adds is scaled by 1 / √(2 n_layer).

    Raises:
        ConfigError: a size out of range, or an `n_embd` that is not a multiple of `n_head`.
    """

    context: int = setting("Context length in characters.", default=16, at_least=1, at_most=MOST)
    n_embd: int = setting("Embedding dimension of each position.", default=64, at_least=1, at_most=MOST)
    n_layer: int = setting("Transformer blocks.", default=4, at_least=1, at_most=1_000)
    n_head: int = setting("Attention heads.", default=4, at_least=1, at_most=MOST)
    dropout: float = setting("Dropout probability.", default=0.05, at_least=0, below=1)
    tie_weights: bool = setting("Share input and output embeddings.", default=False)
    init: Literal["kaiming", "gpt2"] = setting(
        "First weights: kaiming, or gpt2 (normal, 0.02).", default="kaiming", remedy="Leave it out for kaiming."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"n_embd must be a multiple of n_head; got n_embd {self.n_embd} and n_head {self.n_head}. "
                f"Try n_embd {math.ceil(self.n_embd / self.n_head) * self.n_head}."
            )


class Block(Module):
    """A transformer block: attention and an MLP, each with a residual connection.

        x = x + attention(norm(x))        x = x + W₂ gelu(W₁ norm(x))

    Args:
        config: the configuration.
        rng: the random generator of the initial weights.

    Shape: (B, T, C) -> (B, T, C), or with `places` (N, C) -> (N, C)
    Source: Radford et al. 2019, section 2.3: each norm precedes its sublayer ("pre-norm").
    """

    def __init__(self, config: GPTConfig, *, rng: np.random.Generator) -> None:
        C = config.n_embd
        # 2 * n_layer residual additions; without the scale, the variance would grow in proportion to their number
        scale = 1 / math.sqrt(2 * config.n_layer)
        self.first_norm = LayerNorm(C)
        self.attention = CausalSelfAttention(C, config.n_head, dropout=config.dropout, scale=scale, rng=rng)
        self.dropout = Dropout(config.dropout, rng=rng)
        self.second_norm = LayerNorm(C)
        self.mlp = Sequential(
            Linear(C, 4 * C, rng=rng), GELU(), Linear(4 * C, C, scale=scale, rng=rng), Dropout(config.dropout, rng=rng)
        )

    def __call__(self, x: Tensor, places: PackedIndex | None = None) -> Tensor:
        """Return `forward(x, places)`."""
        return self.forward(x, places)

    def forward(self, x: Tensor, places: PackedIndex | None = None) -> Tensor:
        """Return x plus the outputs of attention and MLP, in the shape of x."""
        x = x + self.dropout(self.attention(self.first_norm(x), places))
        return x + self.mlp(self.second_norm(x))

    def begin(self, x_BTC: Array, cache: KeyValueCache) -> None:
        """Apply the block in place to the first positions of each text, (B, T, C), and add them to the empty cache."""
        x_BTC += self.attention.begin(in_rows(self.first_norm, x_BTC), cache)
        x_BTC += in_rows(self.mlp, in_rows(self.second_norm, x_BTC))

    def step(self, x_CB: Array, cache: KeyValueCache) -> None:
        """Apply the block in place to the next position of each text, (C, B), as in evaluation mode."""
        x_CB += self.attention.step(in_columns(self.first_norm, x_CB), cache)
        x_CB += in_columns(self.mlp, in_columns(self.second_norm, x_CB))


class GPT(NeuralModel):
    """logits_t = W norm(h_t), h = blocks(C[x_t] + P[t]): each position predicts the next character from those up to it.

    Nothing is computed after the last target of each sequence: padding costs something in attention only.

    Args:
        config: the configuration.
        rng: the random generator of the initial weights.

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
        C = config.n_embd
        self.token = Embedding(config.vocabulary_size, C, scale=0.02, rng=rng)
        self.position = PositionalEmbedding(config.context, C, scale=0.02, rng=rng)
        self.dropout = Dropout(config.dropout, rng=rng)
        self.blocks = [Block(config, rng=rng) for _ in range(config.n_layer)]
        self.norm = LayerNorm(C)
        # small weights, tied or not, make the initial logits nearly equal and the initial loss ln V
        small = 0.1 if config.init == "kaiming" else 1.0
        V = config.vocabulary_size
        self.output = None if config.tie_weights else Linear(C, V, bias=False, scale=small, rng=rng)
        if config.init == "gpt2":
            self._scale_as_gpt2()

    def _scale_as_gpt2(self) -> None:
        """Give the first weights of linear layers a standard deviation of 0.02, and those that add less in proportion.

        Source: GPT-2's model.py, and Radford et al. 2019, section 2.3, for the weights of residual layers.
        """
        for _, module in self.named_modules():
            if isinstance(module, Linear):  # 1 / √inputs so far
                module.weight.array *= np.float32(_GPT2_STD * math.sqrt(module.in_features))

    def num_parameters(self) -> int:
        """Return the number of learnt numbers, also of those kept in 8 or 16 bits."""
        return super().num_parameters() + compact_numbers(self)

    def forward(self, x: IntArray) -> Tensor:
        """Return (B, T, V) logits of the character that follows each position of (B, T) ids."""
        return self._logits(self._read_whole(x))

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """Return ids, their positions, their places in the batch (None if nothing is padded), and targets."""
        needed = PackedBatch.by_sequence(batch.x, batch.y)
        return needed.of(batch.x), needed.positions, needed.attended, needed.of(batch.y)

    def masks_drawn(self, batch: Batch) -> int:
        """Return how many random numbers dropout draws for a batch: for the embeddings, and in each block."""
        if not self.config.dropout:
            return 0
        ids, _, places, _ = self.inputs(batch)
        B, T = ids.shape if places is None else places.shape
        L, H, C = self.config.n_layer, self.config.n_head, self.config.n_embd
        return int(ids.size * C * (1 + 2 * L) + L * B * H * T * T)

    def kind(self, inputs: tuple[Any, ...]) -> Hashable:
        """Return the shape of a batch without padding; None for one with padding, whose size is among the inputs."""
        ids, _, places, _ = inputs
        return ids.shape if places is None else None

    def loss_of(self, inputs: tuple[Any, ...]) -> Tensor:
        """Return the mean cross-entropy of what `inputs` returned, in nats per target, with its graph."""
        ids, positions, places, targets = inputs
        return cross_entropy(self._logits(self._blocks(self._vectors(ids, positions), places)), targets)

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) in nats for each target, in the shape of y, (B, T); 0 where y is not a target."""
        x = self._whole(x_BT)
        needed = PackedBatch.by_sequence(x, y)
        with no_grad():
            read = self._blocks(self._vectors(needed.of(x), needed.positions), needed.attended).array
            read_NC, targets_N = read.reshape(-1, read.shape[-1]), needed.of(y).reshape(-1)
            size = max(1, _LOGITS // self.vocabulary_size)  # not all logits at once: GPT-2 has 50,257 a position
            parts = [
                nll_of(self._logits(Tensor(read_NC[at : at + size])).array, targets_N[at : at + size])
                for at in range(0, len(read_NC), size)
            ]
        nll = np.concatenate(parts) if parts else np.zeros(0, read.dtype)
        return needed.spread(nll if needed.places is not None else nll.reshape(x.shape))

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character that follows each row of (B, T) ids, without a graph."""
        with no_grad():
            return self._logits(self._read_whole(self._whole(x_BT))[:, -1]).array

    def decoder(self, x_BT: IntArray) -> CachedDecoder:
        """Return a decoder of texts that begin with these ids (B, T), which caches keys and values."""
        return CachedDecoder(self, self._whole(x_BT))

    def caches(self, rows: int) -> list[KeyValueCache]:
        """Return the key-value cache of each block for this many texts, as `step` needs them."""
        return [block.attention.cache(rows, self.context) for block in self.blocks]

    def begin(self, x_BT: IntArray, caches: list[KeyValueCache]) -> FloatArray:
        """Read the beginning of each text in one pass, (B, T) ids, and return (B, V) logits.

        The positions are added to the empty caches. The network is in evaluation mode, and there is no graph.
        """
        x_BTC = self.token.vectors(x_BT) + self.position.weight.array[: x_BT.shape[1]]
        for block, cache in zip(self.blocks, caches, strict=True):
            block.begin(x_BTC, cache)
        return self._next_logits(np.ascontiguousarray(x_BTC[:, -1].T))

    def step(self, ids: IntArray, caches: list[KeyValueCache]) -> FloatArray:
        """Read the next character of each text, (B,) ids, add it to the caches, and return (B, V) logits.

        It computes as in evaluation mode, without a graph.
        """
        at = self.position.weight.array[caches[0].length]
        x_CB = np.ascontiguousarray((self.token.vectors(ids) + at).T)
        for block, cache in zip(self.blocks, caches, strict=True):
            block.step(x_CB, cache)
        return self._next_logits(x_CB)

    def _next_logits(self, x_CB: Array) -> FloatArray:
        """Return (B, V) logits for what the blocks computed of one position of each text."""
        x_CB = in_columns(self.norm, x_CB)
        logits_VB = self.token.transposed_columns(x_CB) if self.output is None else in_columns(self.output, x_CB)
        return logits_VB.T

    def _read_whole(self, x_BT: IntArray) -> Tensor:
        x = np.asarray(x_BT)
        return self._blocks(self._vectors(x, np.arange(x.shape[-1])))

    def _blocks(self, x: Tensor, places: PackedIndex | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, places)
        return x

    def _vectors(self, ids: IntArray, positions: IntArray) -> Tensor:
        return self.dropout(self.token(ids) + self.position(positions))

    def _logits(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.token.transposed(x) if self.output is None else self.output(x)


def attention_weights(network: GPT, x_BT: IntArray) -> list[FloatArray]:
    """Return the attention weights (H, T, T) of each block for the first row of ids (B, T).

    A row is the position that reads, a column the position that is read.
    """
    found = []
    with no_grad():
        x: Any = network.token(x_BT) + network.position(np.arange(x_BT.shape[1]))
        for block in network.blocks:
            q, k, _ = split_heads(block.attention.qkv(block.first_norm(x)).array, block.attention.num_heads)
            found.append(causal_weights(q, k)[0].swapaxes(-1, -2))
            x = block(x)
    return found


SPEC = ModelSpec(
    name="gpt",
    summary="a transformer: characters read each other through attention (Radford et al. 2019)",
    config=GPTConfig,
    build=lambda config, rng: GPT(config, rng=rng),
    # 20 epochs of the names; twice the steps gain 0.005 nats. Pre-norm and clipping allow the high rate
    train={"steps": 8_000, "batch_size": 64, "lr": 3e-3, "warmup": 200, "weight_decay": 0.1, "grad_clip": 1.0},
    quick={"steps": 6_000},
    quick_settings={"dropout": 0.03},  # fewer epochs need less dropout
    cost=90,
)
