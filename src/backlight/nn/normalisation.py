"""Layers that normalise activations to mean 0 and variance 1, so that deep networks train from the first step."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd import Buffer, Parameter, Tensor, apply, no_grad
from backlight.autograd.ops.normalisation import BatchNorm, Running
from backlight.autograd.ops.normalisation import LayerNorm as LayerNormOp
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError, ShapeError
from backlight.core.arguments import check_number, check_whole, is_number, shown
from backlight.nn.kind import Kind
from backlight.nn.module import Module, as_input, check_module


class BatchNorm1d(Module):
    """Normalise each channel to mean 0 and variance 1 over the batch, then rescale.

    In training mode, the statistics are those of the minibatch, with the biased variance (divided by N). The running
    statistics are updated: running = (1 - momentum) running + momentum batch, with the unbiased variance (divided by
    N - 1), as in PyTorch. In evaluation mode, the running statistics are used, so that an example's output does not
    depend on the rest of its batch.

    Args:
        num_features: size of the last axis, C.
        eps: added to the variance, in the input's units squared.
        momentum: the weight of a new minibatch in the running statistics, from 0 to 1.

    Attributes:
        weight: the gain, (C,), initially 1.
        bias: (C,), initially 0. It makes the bias of a linear layer before this one redundant.
        running_mean: (C,), initially 0.
        running_var: (C,), initially 1.

    Shape: (..., C) -> (..., C). The statistics are over all axes but the last: N rows in all.

    Raises:
        ConfigError: a setting outside its range.
        ShapeError: the last axis is not `num_features` long, or there is a single row in training mode.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
    """

    layer_kind = Kind("batch_norm", settings=("eps", "momentum"))

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        check_whole(num_features=num_features)
        check_number(0, eps=eps)
        if not is_number(momentum) or not 0 <= momentum <= 1:
            raise ConfigError(f"momentum must be from 0 to 1; got {shown(momentum)}. The usual value is 0.1.")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.running_mean = Buffer(np.zeros(num_features, np.float32))
        self.running_var = Buffer(np.ones(num_features, np.float32))

    def forward(self, x: Operand) -> Tensor:
        """Return the normalised activations, in x's shape."""
        x = as_input(x, self.weight)
        _check_channels(self, self.num_features, x)
        return self._by_batch(x) if self.training else self._by_running(x)

    def _by_batch(self, x: Tensor) -> Tensor:
        N = math.prod(x.array.shape[:-1])
        if N < 2:
            raise ShapeError(
                f"BatchNorm1d({self.num_features}) needs at least 2 rows in training mode, to compute a variance; "
                f"got x of shape {tuple(x.shape)}. Use a larger batch, or call eval() to use the running statistics."
            )
        running = Running(self.running_mean.array, self.running_var.array, self.momentum)
        return apply(BatchNorm, x, self.weight, self.bias, eps=self.eps, running=running)

    def _by_running(self, x: Tensor) -> Tensor:
        rstd = 1 / np.sqrt(self.running_var.array + self.eps)
        shift = self.bias - self.weight * Tensor(self.running_mean.array * rstd)
        return x * (self.weight * Tensor(rstd)) + shift

    def extra_repr(self) -> str:
        """Return the number of channels, eps and momentum."""
        return f"{self.num_features}, eps={self.eps:g}, momentum={self.momentum:g}"


class LayerNorm(Module):
    """Normalise each row to mean 0 and variance 1 over its channels, then rescale.

    Rows are independent of each other, and training and evaluation mode are the same.

    Args:
        normalized_shape: size of the last axis, C, or (C,).
        eps: added to the variance, in the input's units squared.

    Attributes:
        weight: the gain, (C,), initially 1.
        bias: (C,), initially 0.

    Shape: (..., C) -> (..., C)
    Raises: ShapeError: the last axis is not C long.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 4.
    """

    layer_kind = Kind("norm", settings=("eps",))

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5) -> None:
        sizes = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        if len(sizes) != 1:
            raise ConfigError(f"normalized_shape must be the size of the last axis; got {shown(normalized_shape)}.")
        check_whole(normalized_shape=sizes[0])
        check_number(0, eps=eps)
        self.normalized_shape = sizes
        self.eps = eps
        self.weight = Parameter(np.ones(sizes, np.float32))
        self.bias = Parameter(np.zeros(sizes, np.float32))

    def forward(self, x: Operand) -> Tensor:
        """Return the normalised rows, in x's shape."""
        x = as_input(x, self.weight)
        _check_channels(self, self.normalized_shape[0], x)
        return apply(LayerNormOp, x, self.weight, self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        """Return the normalised shape and eps."""
        return f"{self.normalized_shape}, eps={self.eps:g}"


def update_bn(model: Module, x: Any) -> None:
    """Set the running statistics of every batch norm in a model to those of one large batch.

    After training, the running statistics are averages over the last minibatches, computed with earlier weights; after
    weight averaging, they fit no weights at all. This function computes them for the present weights in one pass, as at
    the end of lecture 4. Only batch norms are in training mode during that pass: dropout stays off.

    Args:
        model: the model. Its weights and the modes of its modules stay the same.
        x: an input of the model, with as many rows as memory allows.
    """
    check_module(model, "update_bn")
    norms = [module for _, module in model.named_modules() if isinstance(module, BatchNorm1d)]
    if not norms:
        return
    before = [(module, module.training) for _, module in model.named_modules()]
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.training, norm.momentum = True, 1.0
    with no_grad():
        model(x)
    for module, training in before:
        module.training = training
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _check_channels(module: Module, channels: int, x: Tensor) -> None:
    shape = x.array.shape
    if not shape or shape[-1] != channels:
        name = type(module).__name__
        advice = f"Is the channel axis last, or should it be {name}({shape[-1]})?" if shape else "Add an axis."
        raise ShapeError(f"{name}({channels}) needs x.shape[-1] == {channels}; got x of shape {shape}. {advice}")
