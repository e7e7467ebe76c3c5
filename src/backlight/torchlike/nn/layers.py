"""Linear layers, embeddings, and layers that reshape. Weights have PyTorch's layout and first values."""

import math
from typing import Any

import numpy as np

from backlight import nn as backlight_nn
from backlight.autograd import Tensor, apply, as_tensor, embed, ops, where
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError, ShapeError
from backlight.core.arguments import check_flag, check_whole, is_whole, shown
from backlight.nn.kind import Kind
from backlight.nn.module import as_input
from backlight.torchlike.nn import init
from backlight.torchlike.nn.module import Module
from backlight.torchlike.nn.options import empty_parameter, refuse
from backlight.torchlike.nn.parameter import Parameter


class Identity(Module):
    """Return the input, whatever the arguments of the layer."""

    layer_kind = Kind("shape")

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Return the input."""
        return input


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim`; by default all but the first."""

    layer_kind = Kind("shape")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Operand) -> Tensor:
        """Return the input with these axes joined."""
        x = as_tensor(input)
        first, last = x._axis(self.start_dim), x._axis(self.end_dim)
        if first > last:
            raise ShapeError(f"Flatten needs start_dim before end_dim; got {self.start_dim} and {self.end_dim}.")
        shape = x.array.shape
        return x.view(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split an axis into several."""

    layer_kind = Kind("shape")

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Operand) -> Tensor:
        """Return the input with the axis split."""
        x = as_tensor(input)
        at = x._axis(self.dim)
        return x.view(*x.array.shape[:at], *self.unflattened_size, *x.array.shape[at + 1 :])

    def extra_repr(self) -> str:
        """Return the axis and its new lengths."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Linear(Module):
    """y = x Wᵀ + b.

    Args:
        in_features: length of the input's last axis, I.
        out_features: length of the output's last axis, O.
        bias: whether to add a bias b.
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Attributes:
        weight: (O, I), uniform within ±1 / √I.
        bias: (O,), likewise, or None.

    Shape: (..., I) -> (..., O)

    Raises:
        ConfigError: a size below 1.
        ShapeError: the input's last axis is not `in_features` long.
    """

    layer_kind = backlight_nn.Linear.layer_kind
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_whole(in_features=in_features, out_features=out_features)
        check_flag(bias=bool(bias))
        self.in_features = in_features
        self.out_features = out_features
        self.weight = empty_parameter((out_features, in_features), device, dtype)
        if bias:
            self.bias = empty_parameter((out_features,), device, dtype)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight and then the bias."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Operand) -> Tensor:
        """Return x Wᵀ + b, (..., O)."""
        held: Any = self._parameters  # read directly, which takes less time than through __getattr__
        weight, bias = held["weight"], held["bias"]
        x = as_input(input, weight)
        if not x.array.ndim or x.array.shape[-1] != self.in_features:
            raise ShapeError(
                f"Linear({self.in_features}, {self.out_features}) needs x.shape[-1] == {self.in_features}; "
                f"got x of shape {tuple(x.array.shape)}. Is a Flatten missing before it?"
            )
        W = apply(ops.Permute, weight, order=(1, 0))
        y: Tensor = apply(ops.MatMul, x, W) if bias is None else apply(ops.Linear, x, W, bias)
        return y

    def extra_repr(self) -> str:
        """Return the sizes and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y_o = x1 W_o x2ᵀ + b_o.

    Args:
        in1_features: length of the first input's last axis, I.
        in2_features: length of the second input's last axis, J.
        out_features: length of the output's last axis, O.
        bias: whether to add a bias.
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Shape: (..., I), (..., J) -> (..., O), with weight (O, I, J)
    """

    layer_kind = Kind("linear")
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_whole(in1_features=in1_features, in2_features=in2_features, out_features=out_features)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = empty_parameter((out_features, in1_features, in2_features), device, dtype)
        self.register_parameter("bias", empty_parameter((out_features,), device, dtype) if bias else None)
        bound = 1 / math.sqrt(in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Operand, input2: Operand) -> Tensor:
        """Return the products, (..., O)."""
        x1, x2 = as_input(input1, self.weight), as_input(input2, self.weight)
        left = x1.unsqueeze(-2) @ self.weight.permute(1, 0, 2).reshape(self.in1_features, -1)  # (..., 1, O J)
        left = left.view(*x1.array.shape[:-1], self.out_features, self.in2_features)
        y = (left * x2.unsqueeze(-2)).sum(-1)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Return the sizes and whether there is a bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A lookup table with a vector for each id.

    Args:
        num_embeddings: number of ids, V.
        embedding_dim: length of a vector, E.
        padding_idx: an id whose vector is initially 0 and gets no gradient.
        max_norm: not supported, like the other arguments after it.
        norm_type: the norm of `max_norm`.
        scale_grad_by_freq: must be False.
        sparse: must be False.
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Attributes:
        weight: (V, E), normal with mean 0 and standard deviation 1.

    Shape: (...) integer ids in 0..V-1 -> (..., E)

    Raises:
        ConfigError: a size below 1, an argument that is not supported, or an id out of range.
    """

    layer_kind = backlight_nn.Embedding.layer_kind
    weight: Parameter

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
        _weight: Tensor | None = None, _freeze: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_whole(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        refuse("Embedding", max_norm=(max_norm, None), scale_grad_by_freq=(scale_grad_by_freq, False))
        refuse("Embedding", sparse=(sparse, False), norm_type=(norm_type, 2.0))
        if padding_idx is not None and (
            not is_whole(padding_idx) or not -num_embeddings <= padding_idx < num_embeddings
        ):
            raise ConfigError(f"padding_idx must be an id below {num_embeddings}; got {shown(padding_idx)}.")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        if _weight is None:
            self.weight = empty_parameter((num_embeddings, embedding_dim), device, dtype)
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None) -> "Embedding":
        """Return a layer with these vectors (V, E), which are not trained if `freeze` is true."""
        V, E = embeddings.array.shape
        return cls(V, E, padding_idx, _weight=embeddings, _freeze=freeze)

    def reset_parameters(self) -> None:
        """Draw the vectors."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input: Operand) -> Tensor:
        """Return the vectors of the ids, (..., E)."""
        vectors = embed(input, self.weight)
        if self.padding_idx is None:
            return vectors
        padding = np.asarray(as_tensor(input).array == self.padding_idx)[..., None]
        return where(padding, vectors.detach(), vectors)

    def extra_repr(self) -> str:
        """Return the number of ids, the length of a vector, and the id of the padding."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
