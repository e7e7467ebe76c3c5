"""Layer norm and batch norm, on the ops of `backlight.autograd`, with PyTorch's shapes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight import nn as backlight_nn
from backlight.autograd import Tensor, apply
from backlight.autograd.ops.normalisation import BatchNorm, Running
from backlight.autograd.ops.normalisation import LayerNorm as LayerNormOp
from backlight.autograd.tensor_base import Operand
from backlight.core import ShapeError
from backlight.core.arguments import check_number, check_whole
from backlight.nn.module import as_input
from backlight.torchlike.nn import init
from backlight.torchlike.nn.module import Module
from backlight.torchlike.nn.options import empty_parameter
from backlight.torchlike.nn.parameter import Parameter


class LayerNorm(Module):
    """Normalise the last axes to mean 0 and variance 1, then rescale.

    Args:
        normalized_shape: the sizes of these axes; a number for the last axis.
        eps: added to the variance.
        elementwise_affine: whether to rescale.
        bias: whether to add a bias after rescaling.
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Attributes:
        weight: the gain, initially 1, or None.
        bias: initially 0, or None.

    Shape: (..., *normalized_shape) -> the same
    Raises: ShapeError: the last axes have other sizes.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 4.
    """

    layer_kind = backlight_nn.LayerNorm.layer_kind
    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        for size in shape:
            check_whole(normalized_shape=size)
        check_number(0, eps=eps)
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", empty_parameter(shape, device, dtype) if elementwise_affine else None)
        biased = elementwise_affine and bias
        self.register_parameter("bias", empty_parameter(shape, device, dtype) if biased else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the gain to 1 and the bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Operand) -> Tensor:
        """Return the normalised activations, in the input's shape."""
        weight, bias = self._parameters["weight"], self._parameters["bias"]
        x = input if isinstance(input, Tensor) else as_input(input, weight or Tensor(np.float32(0)))
        shape, wanted = x.array.shape, self.normalized_shape
        if shape[-len(wanted) :] != wanted:
            raise ShapeError(
                f"LayerNorm({list(wanted)}) needs an input that ends with these sizes; got shape {tuple(shape)}."
            )
        C = math.prod(wanted)
        gain = _flat(weight, C, 1, x)
        shift = _flat(bias, C, 0, x)
        if len(wanted) == 1:
            return apply(LayerNormOp, x, gain, shift, eps=self.eps)
        return apply(LayerNormOp, x.reshape(*shape[: -len(wanted)], C), gain, shift, eps=self.eps).view(shape)

    def extra_repr(self) -> str:
        """Return the sizes, eps, and whether there are a gain and a bias."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class BatchNorm1d(Module):
    """Normalise each channel to mean 0 and variance 1 over the batch, then rescale.

    Args:
        num_features: the number of channels, C, on axis 1.
        eps: added to the variance.
        momentum: the weight of a new batch in the running statistics; None for the mean over all batches.
        affine: whether to rescale.
        track_running_stats: whether to keep running statistics, and to use them in evaluation mode.
        device: "cpu" or None.
        dtype: float32 (the default) or float64.
        bias: whether to add a bias after rescaling.

    Attributes:
        weight: the gain, (C,), initially 1, or None.
        bias: (C,), initially 0, or None.
        running_mean: (C,), initially 0.
        running_var: (C,), initially 1.
        num_batches_tracked: the number of batches in training mode, ().

    Shape: (N, C) or (N, C, L) -> the same

    Raises:
        ShapeError: other shapes, or a single row in training mode.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
    """

    layer_kind = backlight_nn.BatchNorm1d.layer_kind
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        check_whole(num_features=num_features)
        check_number(0, eps=eps)
        if momentum is not None:
            check_number(0, momentum=momentum)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.register_parameter("weight", empty_parameter((num_features,), device, dtype) if affine else None)
        biased = affine and bias
        self.register_parameter("bias", empty_parameter((num_features,), device, dtype) if biased else None)
        kind = empty_parameter((0,), device, dtype).array.dtype
        kept = (np.zeros(num_features, kind), np.ones(num_features, kind), np.zeros((), np.int64))
        for name, array in zip(("running_mean", "running_var", "num_batches_tracked"), kept, strict=True):
            self.register_buffer(name, Tensor(array) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Set the running statistics to mean 0 and variance 1."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.array[...] = 0
            self.running_var.array[...] = 1
            self.num_batches_tracked.array[...] = 0

    def reset_parameters(self) -> None:
        """Set gain, bias and running statistics to their first values."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Operand) -> Tensor:
        """Return the normalised activations, in the input's shape."""
        x = input if isinstance(input, Tensor) else as_input(input, self.weight or Tensor(np.float32(0)))
        shape = x.array.shape
        if len(shape) not in {2, 3} or shape[1] != self.num_features:
            C = self.num_features
            raise ShapeError(
                f"BatchNorm1d({C}) needs (N, {C}) or (N, {C}, L); got shape {tuple(shape)}. Is the channel axis last?"
            )
        rows = x if len(shape) == 2 else x.permute(0, 2, 1)
        gain, shift = _flat(self.weight, self.num_features, 1, x), _flat(self.bias, self.num_features, 0, x)
        if self.training or self.running_mean is None or self.running_var is None:
            y = self._by_batch(rows, gain, shift)
        else:
            rstd = 1 / np.sqrt(self.running_var.array + self.eps)
            y = rows * (gain * Tensor(rstd)) + (shift - gain * Tensor(self.running_mean.array * rstd))
        return y if len(shape) == 2 else y.permute(0, 2, 1)

    def _by_batch(self, x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        N = math.prod(x.array.shape[:-1])
        if N < 2:
            raise ShapeError(
                f"BatchNorm1d({self.num_features}) needs at least 2 rows in training mode, to compute a variance; "
                f"got {N}. Use a larger batch, or call eval() to use the running statistics."
            )
        running = None
        if self.training and self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None  # noqa: S101  (registered with the other two)
            self.num_batches_tracked.array += 1
            share = 1 / self.num_batches_tracked.array.item() if self.momentum is None else self.momentum
            running = Running(self.running_mean.array, self.running_var.array, share)
        return apply(BatchNorm, x, gain, shift, eps=self.eps, running=running)

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


def _flat(parameter: Any, size: int, otherwise: float, like: Tensor) -> Tensor:
    """Return a gain or a bias as (size,), or a constant if there is none."""
    if parameter is None:
        return Tensor(np.full(size, otherwise, like.array.dtype))
    flat: Tensor = parameter if parameter.array.ndim == 1 else parameter.view(-1)
    return flat
