"""Linear and embedding layers, layers that reshape, and `Sequential`."""

import math
from collections.abc import Iterator
from typing import Any, overload

import numpy as np

from backlight.autograd import Buffer, Parameter, Tensor, apply, as_array, as_tensor, embed, ops
from backlight.autograd.tensor_base import Operand
from backlight.core import Array, IndexingError, IntArray, OperandError, ShapeError
from backlight.core.arguments import check_flag, check_number, check_rng, check_whole, shown
from backlight.nn import init
from backlight.nn.kind import Kind
from backlight.nn.module import Module, as_input


class Linear(Module):
    """y = x W + b.

    Args:
        in_features: length of the input's last axis, I.
        out_features: length of the output's last axis, O.
        bias: whether to add a bias b, initially 0.
        nonlinearity: the activation that follows, which sets the gain of the Kaiming initialisation.
        scale: a further factor on the initial weights. A small factor (0.1, 0.01) in the last layer makes the first
            logits nearly equal, so that the first loss is ln V rather than that of confident wrong predictions.
        rng: draws the initial weights.

    Attributes:
        weight: (I, O), as in the lectures; PyTorch's is the transpose.
        bias: (O,), or None.

    Shape: (..., I) -> (..., O)

    Raises:
        ConfigError: a size below 1, or no rng.
        ShapeError: the input's last axis is not `in_features` long.
    Source: He et al. 2015, arXiv:1502.01852, eq. 10, for the initialisation.
    """

    layer_kind = Kind("linear")

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, nonlinearity: str = "linear",
        scale: float = 1.0, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        check_whole(in_features=in_features, out_features=out_features)
        check_number(scale=scale)
        check_flag(bias=bias)
        rng = check_rng(rng, f"Linear({in_features}, {out_features})")
        self.in_features = in_features
        self.out_features = out_features
        first = init.kaiming_normal(in_features, out_features, rng=rng, nonlinearity=nonlinearity)
        self.weight = Parameter(first * np.float32(scale))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the weights."""
        return self.weight.array.dtype

    def in_columns(self, x_IB: Array) -> Array:
        """Return Wᵀ x + b, (O, B), for columns (I, B), outside the graph."""
        y_OB: Array = self.weight.array.T @ x_IB
        if self.bias is not None:
            y_OB += self.bias.array[:, None]
        return y_OB

    def in_rows(self, x: Array) -> Array:
        """Return x W + b, (..., O), outside the graph."""
        y: Array = x.reshape(-1, self.in_features) @ self.weight.array
        if self.bias is not None:
            y += self.bias.array
        return y.reshape(*x.shape[:-1], self.out_features)

    def forward(self, x: Operand) -> Tensor:
        """Return x W + b, (..., O)."""
        x = as_input(x, self.weight)
        shape = x.array.shape
        if not shape or shape[-1] != self.in_features:
            last = f"Linear({shape[-1]}, {self.out_features})" if shape else "a row of numbers"
            raise ShapeError(
                f"Linear({self.in_features}, {self.out_features}) needs x.shape[-1] == {self.in_features}; got x of "
                f"shape {shape}. Should it be {last}, or is a Flatten missing before it?"
            )
        if self.bias is None:
            return apply(ops.MatMul, x, self.weight)
        return apply(ops.Linear, x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """A lookup table with a vector for each id: row `id` of W, or equivalently a one-hot vector times W.

    Args:
        num_embeddings: number of ids, V.
        embedding_dim: length of a vector, E.
        scale: standard deviation of the initial vectors.
        rng: draws the initial vectors.

    Attributes:
        weight: (V, E).

    Shape: (...) integer ids in 0..V-1 -> (..., E)

    Raises:
        ConfigError: a size below 1, no rng, or an id that is not in 0..V-1.
    Source: Bengio et al. 2003, section 2: the mapping C.
    """

    layer_kind = Kind("embedding")

    def __init__(
        self, num_embeddings: int, embedding_dim: int, *, scale: float = 1.0, rng: np.random.Generator | None = None
    ) -> None:
        check_whole(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        check_number(scale=scale)
        rng = check_rng(rng, f"Embedding({num_embeddings}, {embedding_dim})")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.weight = Parameter((rng.standard_normal((num_embeddings, embedding_dim)) * scale).astype(np.float32))

    def forward(self, x: Operand) -> Tensor:
        """Return the vectors of the ids, (..., E)."""
        return embed(x, self.weight)

    def vectors(self, ids: IntArray) -> Array:
        """Return the vectors of the ids, (..., E), outside the graph."""
        return self.weight.array[ids]

    def transposed(self, x: Tensor) -> Tensor:
        """Return x Wᵀ, (..., V): the output layer that is tied to this embedding."""
        return x @ self.weight.T

    def transposed_columns(self, x_EB: Array) -> Array:
        """Return W x, (V, B), for columns (E, B), outside the graph."""
        y_VB: Array = self.weight.array @ x_EB
        return y_VB

    def extra_repr(self) -> str:
        """Return the number of ids and the length of a vector."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class PositionalEmbedding(Module):
    """A lookup table with a learnt vector for each position 0..num_positions-1, to be added to the token embeddings.

    Args:
        num_positions: number of positions, the longest T.
        embedding_dim: length of a vector, C.
        scale: standard deviation of the initial vectors.
        rng: draws the initial vectors.

    Attributes:
        weight: (num_positions, C).

    Shape: (...) integer positions -> (..., C)

    Raises:
        ConfigError: a size below 1, or no rng.
        ShapeError: a position that is not below `num_positions`.
    Source: Gehring et al. 2017, arXiv:1705.03122, section 3.1; Radford et al. 2018 for the decoder-only form.
    """

    layer_kind = Kind("embedding")

    def __init__(
        self, num_positions: int, embedding_dim: int, *, scale: float = 0.02, rng: np.random.Generator | None = None
    ) -> None:
        check_whole(num_positions=num_positions, embedding_dim=embedding_dim)
        check_number(scale=scale)
        rng = check_rng(rng, f"PositionalEmbedding({num_positions}, {embedding_dim})")
        self.num_positions = num_positions
        self.embedding_dim = embedding_dim
        self.weight = Parameter((rng.standard_normal((num_positions, embedding_dim)) * scale).astype(np.float32))

    def forward(self, x: Operand) -> Tensor:
        """Return the vectors of the positions, (..., C)."""
        positions = as_array(x)
        if positions.size and positions.max() >= self.num_positions:
            raise ShapeError(
                f"PositionalEmbedding({self.extra_repr()}) has the positions 0..{self.num_positions - 1}; got "
                f"{positions.max()}. Pass at most {self.num_positions} tokens at a time, or use a longer context."
            )
        return embed(positions, self.weight)

    def extra_repr(self) -> str:
        """Return the number of positions and the length of a vector."""
        return f"{self.num_positions}, {self.embedding_dim}"


class Flatten(Module):
    """Join all axes but the first: (B, T, E) -> (B, T E).

    Raises:
        ShapeError: an input without axes.
    """

    layer_kind = Kind("shape")

    def forward(self, x: Operand) -> Tensor:
        """Return x as a matrix with one row for each example."""
        x = as_tensor(x)
        if not x.array.ndim:
            raise ShapeError("Flatten needs at least one axis, which it keeps; got a scalar.")
        B, *others = x.array.shape
        return x.view(B, -1 if x.array.size else math.prod(others))


class FlattenConsecutive(Module):
    """Join the channels of every n consecutive positions: (B, T, C) -> (B, T/n, n C).

    If one position is left, its axis is removed: (B, n, C) -> (B, n C).

    Args:
        n: how many positions are joined into one.

    Shape: (B, T, C) -> (B, T/n, n C), or (B, n C) if T = n
    Raises:
        ConfigError: n below 1.
        ShapeError: an input without three axes, or T not a multiple of n.
    Source: lecture 6 of "Neural Networks: Zero to Hero"; van den Oord et al. 2016, arXiv:1609.03499, figure 3.
    """

    layer_kind = Kind("shape", settings=("n",))

    def __init__(self, n: int) -> None:
        check_whole(n=n)
        self.n = n

    def forward(self, x: Operand) -> Tensor:
        """Return x with every n consecutive positions joined."""
        x = as_tensor(x)
        shape = x.array.shape
        if len(shape) != 3 or not shape[1] or shape[1] % self.n:
            raise ShapeError(
                f"FlattenConsecutive({self.n}) needs x of shape (B, T, C) with T a multiple of {self.n}; "
                f"got x of shape {shape}. Choose a context that is divisible by {self.n} at every level."
            )
        B, T, C = shape
        joined = x.view(B, T // self.n, self.n * C)
        return joined.squeeze(1) if joined.array.shape[1] == 1 else joined

    def extra_repr(self) -> str:
        """Return how many positions are joined."""
        return f"{self.n}"


class Sequential(Module):
    """Apply modules in sequence, each to the output of the one before.

    Parameters are named by the index of their module, as in PyTorch: `0.weight`, `2.bias`.

    Args:
        layers: the modules in order.

    Shape: that of the first module's input -> that of the last module's output

    Raises:
        OperandError: something that is not a module.
    """

    layer_kind = Kind("container")

    def __init__(self, *layers: Module) -> None:
        for at, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise OperandError(
                    f"Sequential takes modules as separate arguments, as in Sequential(Linear(...), Tanh()); got a "
                    f"{type(layer).__name__} at index {at}."
                )
        self.layers = list(layers)

    def forward(self, x: Any) -> Tensor:
        """Return the last module's output."""
        y: Tensor = x  # or ids, if the first module is an embedding
        for layer in self.layers:
            y = layer(y)
        return as_tensor(y)

    def parts(self) -> Iterator[tuple[str, "Module | Parameter | Buffer"]]:
        """Yield the modules with their indices as names."""
        yield from ((name.removeprefix("layers."), part) for name, part in super().parts())

    def _former_name(self, name: str) -> str:
        return f"layers.{name}"

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...
    def __getitem__(self, index: int | slice) -> "Module | Sequential":
        try:
            return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]
        except (IndexError, TypeError):
            raise IndexingError(
                f"the index must be in 0..{len(self) - 1}; got {shown(index)}. Use -1 for the last module."
            ) from None
