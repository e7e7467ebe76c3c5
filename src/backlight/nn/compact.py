"""Weights kept in 8 or 16 bits, for generation: one more token reads every weight once, so fewer bytes take less time.

"bfloat16" is the upper half of a float32, and "float16" has 11 significant bits. In "int8", each row of a matrix, the
weights of one output, is q s with whole numbers q from -127 to 127 and one scale s. All sums are those of float32 or
more exact ones. Such a layer cannot be trained.

Products with one vector are computed by a kernel (autograd/native/compact.h), which also rounds the vector to 16 bits
if the weights have 8. Otherwise some rows at a time are made float32 again, and NumPy multiplies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

from backlight.autograd import Parameter, Tensor, as_array
from backlight.autograd.native import library
from backlight.autograd.tensor_base import Operand
from backlight.core import Array, ConfigError, GraphError, IntArray
from backlight.nn.kind import Kind
from backlight.nn.layers import Embedding, Linear
from backlight.nn.module import Module

Weights = Literal["float32", "bfloat16", "float16", "int8"]
WEIGHTS: Final[tuple[str, ...]] = get_args(Weights)
"""The types in which weights can be kept, by the bytes of a number."""

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "int8": np.dtype(np.int8),
    "bfloat16": np.dtype(np.uint16),
    "float16": np.dtype(np.float16),
}
_PADDING: Final = 64
_AT_ONCE: Final = 1 << 18
"""About as many weights are made float32 at a time: 1 MB, which stays in the cache."""

_LARGEST_INT8: Final = 127
_LARGEST_FLOAT16: Final = 65_504.0


@dataclass(frozen=True)
class CompactMatrix:
    """A matrix W (O, I) whose numbers are kept in 8 or 16 bits.

    Attributes:
        weights: the type of its numbers.
        inputs: I.
        stored: (O, I and padding) the numbers; those of bfloat16 as uint16.
        scales: (O,) the scale of each row; all 1 unless the type is int8.
    """

    weights: str
    inputs: int
    stored: Array
    scales: Array

    @classmethod
    def of(cls, w_OI: Array, weights: str, place: Array | None = None) -> "CompactMatrix":
        """Round a matrix.

        Args:
            w_OI: the matrix.
            weights: "int8", "bfloat16" or "float16".
            place: memory for `bytes_of` bytes; None allocates it.

        Raises:
            ConfigError: a number is too large for float16.
        """
        O, I = w_OI.shape
        padded = -(-I // _PADDING) * _PADDING
        place = np.empty(cls.bytes_of(w_OI.shape, weights), np.uint8) if place is None else place
        made = cls(weights, I, place.view(_DTYPES[weights]).reshape(O, padded), np.ones(O, np.float32))
        made.stored[:, I:] = 0
        for part in made._parts():
            made.stored[part, :I] = _rounded(w_OI[part].astype(np.float32, copy=False), weights, made.scales[part])
        return made

    @staticmethod
    def bytes_of(shape: tuple[int, ...], weights: str) -> int:
        """Return the memory that a matrix takes, without its scales."""
        return shape[0] * -(-shape[1] // _PADDING) * _PADDING * _DTYPES[weights].itemsize

    @property
    def shape(self) -> tuple[int, int]:
        """(O, I)."""
        return len(self.stored), self.inputs

    def rows(self, which: "slice | IntArray") -> Array:
        """Return some rows in float32, (..., I)."""
        stored = self.stored[which][..., : self.inputs]
        if self.weights == "bfloat16":
            return (stored.astype(np.uint32) << 16).view(np.float32)
        wide: Array = stored.astype(np.float32)
        if self.weights == "int8":
            wide *= self.scales[which][..., None]
        return wide

    def times_columns(self, x_IB: Array, bias: Array | None = None) -> Array:
        """Return W x + bias, (O, B), for columns (I, B)."""
        kernels = library()
        if x_IB.shape[1] == 1 and x_IB.dtype == np.float32 and kernels is not None:
            x = np.ascontiguousarray(x_IB[:, 0])
            return kernels.inference.compact_product(self.weights, self.stored, self.scales, x, bias)[:, None]
        y = np.empty((len(self.stored), x_IB.shape[1]), x_IB.dtype)
        for part in self._parts():
            np.matmul(self._wide(part), x_IB, out=y[part])
        if bias is not None:
            y += bias[:, None]
        return y

    def times_rows(self, x: Array, bias: Array | None = None) -> Array:
        """Return x Wᵀ + bias, (..., O), for rows (..., I)."""
        flat = x.reshape(-1, self.inputs)
        y: Array = np.empty((len(flat), len(self.stored)), x.dtype)
        for part in self._parts():
            np.matmul(flat, self._wide(part).T, out=y[:, part])
        if bias is not None:
            y += bias
        return y.reshape(*x.shape[:-1], -1)

    def _wide(self, part: slice) -> Array:
        """Return some rows in float32, (..., I), made by the kernel if there is one."""
        kernels = library()
        if kernels is None:
            return self.rows(part)
        return kernels.inference.compact_widen(self.weights, self.stored[part], self.scales[part], self.inputs)

    def _parts(self) -> Iterator[slice]:
        rows = max(1, _AT_ONCE // self.stored.shape[1])
        for first in range(0, len(self.stored), rows):
            yield slice(first, first + rows)


def _rounded(w_OI: Array, weights: str, scales: Array) -> Array:
    """Return rows as they are stored; for int8, set their scales."""
    if weights == "bfloat16":  # to the nearest number, and to an even one if two are equally near
        bits = w_OI.view(np.uint32) if w_OI.flags.c_contiguous else np.ascontiguousarray(w_OI).view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    if weights == "float16":
        _check_float16(w_OI)
        return w_OI
    scales[:] = np.abs(w_OI).max(axis=1, initial=0) / np.float32(_LARGEST_INT8)
    return np.rint(w_OI / np.where(scales > 0, scales, 1)[:, None])


class CompactLinear(Module):
    """A linear layer, y = x W + b, whose weights are kept in 8 or 16 bits.

    Args:
        layer: the layer, of which the bias is kept.
        weights: the type of the weights.
        place: memory for them.

    Shape: (..., I) -> (..., O)
    Raises: GraphError: in training mode.
    """

    layer_kind = Kind("linear")

    def __init__(self, layer: Linear, weights: str, place: Array | None = None) -> None:
        self.matrix = CompactMatrix.of(layer.weight.array.T, weights, place)
        self.bias: Parameter | None = layer.bias
        self.training = layer.training

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of inputs and outputs."""
        return np.dtype(np.float32)

    def forward(self, x: Operand) -> Tensor:
        """Return x W + b, (..., O), without a graph."""
        _check_evaluating(self)
        return Tensor(self.matrix.times_rows(as_array(x, self.dtype), self._bias))

    def in_columns(self, x_IB: Array) -> Array:
        """Return Wᵀ x + b, (O, B), for columns (I, B)."""
        return self.matrix.times_columns(x_IB, self._bias)

    def in_rows(self, x: Array) -> Array:
        """Return x W + b, (..., O)."""
        return self.matrix.times_rows(x, self._bias)

    @property
    def _bias(self) -> Array | None:
        return None if self.bias is None else self.bias.array

    def extra_repr(self) -> str:
        """Return the sizes and the type of the weights."""
        return f"{self.matrix.shape[1]}, {self.matrix.shape[0]}, weights={self.matrix.weights}"


class CompactEmbedding(Module):
    """An embedding whose vectors are kept in 8 or 16 bits; also the output layer that is tied to it.

    Args:
        layer: the embedding.
        weights: the type of the weights.
        place: memory for them.

    Shape: (...) ids -> (..., E)
    Raises: GraphError: in training mode.
    """

    layer_kind = Kind("embedding")

    def __init__(self, layer: Embedding, weights: str, place: Array | None = None) -> None:
        self.matrix = CompactMatrix.of(layer.weight.array, weights, place)
        self.training = layer.training

    def forward(self, x: Operand) -> Tensor:
        """Return the vectors of the ids, (..., E), without a graph."""
        _check_evaluating(self)
        return Tensor(self.vectors(as_array(x)))

    def vectors(self, ids: IntArray) -> Array:
        """Return the vectors of the ids, (..., E)."""
        return self.matrix.rows(ids)

    def transposed(self, x: Tensor) -> Tensor:
        """Return x Wᵀ, (..., V)."""
        return Tensor(self.matrix.times_rows(x.array))

    def transposed_columns(self, x_EB: Array) -> Array:
        """Return W x, (V, B)."""
        return self.matrix.times_columns(x_EB)

    def extra_repr(self) -> str:
        """Return the sizes and the type of the weights."""
        return f"{self.matrix.shape[0]}, {self.matrix.shape[1]}, weights={self.matrix.weights}"


def compact(network: Module, weights: str) -> None:
    """Keep the weights of all linear layers and embeddings of tokens of a network in 8 or 16 bits, in place.

    All are in one part of memory, which the operating system can then map in large pages.

    Args:
        network: a network that decodes with `decode_step.in_columns`, in evaluation mode.
        weights: "int8", "bfloat16" or "float16"; "float32" changes nothing.

    Raises:
        ConfigError: another type, or a weight that is too large for it. Then nothing is changed.
    """
    check_weights(weights)
    if weights == "float32":
        return
    layers = {id(one): one for _, one in network.named_modules() if isinstance(one, Linear | Embedding)}
    sizes = [
        CompactMatrix.bytes_of(shape[::-1] if isinstance(one, Linear) else shape, weights)
        for one in layers.values()
        for shape in (one.weight.array.shape,)
    ]
    if weights == "float16":
        for one in layers.values():
            _check_float16(one.weight.array)
    memory = np.empty(sum(sizes), np.uint8)
    places = dict(zip(layers, np.split(memory, np.cumsum(sizes)[:-1]), strict=True))
    layers.clear()  # so that the float32 weights of each are given back before the next is made
    for _, module in list(network.named_modules()):
        for name, part in vars(module).items():
            if isinstance(part, list):
                part[:] = [_made(one, weights, places) for one in part]
            else:
                vars(module)[name] = _made(part, weights, places)


def _made(part: Any, weights: str, places: dict[int, Array]) -> Any:
    if isinstance(part, Linear):
        return CompactLinear(part, weights, places[id(part)])
    if isinstance(part, Embedding):
        return CompactEmbedding(part, weights, places[id(part)])
    return part


def compact_numbers(network: Module) -> int:
    """Return how many weights of a network are kept in 8 or 16 bits."""
    return sum(one.shape[0] * one.shape[1] for one in _matrices(network))


def weight_bytes(network: Module) -> int:
    """Return the memory that the weights of a network take."""
    wide = sum(parameter.array.nbytes for parameter in network.parameters())
    return wide + sum(one.stored.nbytes + one.scales.nbytes for one in _matrices(network))


def _matrices(network: Module) -> Iterator[CompactMatrix]:
    layers = (one for _, one in network.named_modules())
    yield from (one.matrix for one in layers if isinstance(one, CompactLinear | CompactEmbedding))


def check_weights(weights: Any) -> None:
    """Raise ConfigError for a type in which weights cannot be kept."""
    if weights not in WEIGHTS:
        raise ConfigError(f"weights must be {', '.join(WEIGHTS[:-1])} or {WEIGHTS[-1]}; got {weights!r}. Choose one.")


def _check_float16(w: Array) -> None:
    largest = max(float(w.max(initial=0)), -float(w.min(initial=0)))
    if largest > _LARGEST_FLOAT16:
        raise ConfigError(f"float16 holds weights up to 65,504; one is {largest:.3g}. Choose bfloat16.")


def _check_evaluating(layer: Module) -> None:
    if layer.training:
        raise GraphError(
            "weights in 8 or 16 bits cannot be trained; this layer is in training mode. Call eval(), or load the model "
            "in float32."
        )
