"""`torch.nn.init`: first values in place, with PyTorch's bits for the same seed.

Every function changes its tensor and returns it. Gains and fans are PyTorch's: a weight (O, I, ...) has fan-in I times
the sizes of the further axes. Without `generator=`, the global generator draws.
"""

import math
from typing import Any, Final

import numpy as np

from backlight.autograd import Tensor
from backlight.autograd.writes import WRITES
from backlight.core import Array, ConfigError, OperandError, ShapeError, missing
from backlight.core.arguments import check_number, shown
from backlight.torchlike import draws
from backlight.torchlike.generator import Generator
from backlight.torchlike.random import _source

__all__ = [
    "calculate_gain", "constant_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_",
    "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

__path__: list[str] = []  # as of a package, so that an import of a name that is not there is explained
__getattr__ = missing.names_of("torch.nn.init", missing.INIT)

_GAINS: Final = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0),
    "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor on the standard deviation by the activation that follows.

    Args:
        nonlinearity: "linear", "conv1d", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        param: the slope of a leaky ReLU, 0.01 by default.

    Raises:
        ConfigError: another name.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        check_number(slope=slope)
        return math.sqrt(2 / (1 + slope**2))
    if not isinstance(nonlinearity, str) or nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise ConfigError(f"nonlinearity must be one of {names}; got {shown(nonlinearity)}.")
    return _GAINS[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with uniform numbers from [a, b)."""
    check_number(a=a, b=b)
    return _filled(tensor, lambda array: draws.uniform(array, a, b, _source(generator)))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with normal numbers."""
    return _filled(tensor, lambda array: draws.normal(array, mean, std, _source(generator)))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill a tensor with one number."""
    return _filled(tensor, lambda array: np.full_like(array, val))


def ones_(tensor: Tensor) -> Tensor:
    """Fill a tensor with 1."""
    return constant_(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill a tensor with 0."""
    return constant_(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with 1 on the diagonal and 0 elsewhere. Raises ShapeError for another number of axes."""
    if _checked(tensor).ndim != 2:
        raise ShapeError(f"eye_ needs a matrix; got shape {tensor.shape}.")
    return _filled(tensor, lambda array: np.eye(*array.shape, dtype=array.dtype))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a weight (O, I, ...) with uniform numbers of standard deviation gain sqrt(2 / (fan_in + fan_out)).

    Source: Glorot & Bengio 2010, eq. 16.
    """
    fan_in, fan_out = _fans(tensor)
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(fan_in + fan_out)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a weight (O, I, ...) with normal numbers of standard deviation gain sqrt(2 / (fan_in + fan_out)).

    Source: Glorot & Bengio 2010, eq. 12.
    """
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Fill a weight (O, I, ...) with uniform numbers of standard deviation gain / sqrt(fan).

    Args:
        tensor: the weight.
        a: the slope of the leaky ReLU that follows.
        mode: "fan_in" or "fan_out".
        nonlinearity: the activation that follows.
        generator: draws the numbers.

    Source: He et al. 2015, arXiv:1502.01852, eq. 10.
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Fill a weight (O, I, ...) with normal numbers of standard deviation gain / sqrt(fan). Args: as before."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Fill a tensor with normal numbers of which those outside [a, b] are drawn again.

    Raises:
        ConfigError: less than 0.3 of the distribution lies in [a, b].
    """
    check_number(mean=mean, a=a, b=b)
    check_number(0, std=std)
    inside = (math.erf((b - mean) / std / math.sqrt(2)) - math.erf((a - mean) / std / math.sqrt(2))) / 2 if std else 0
    if not inside > 0.3:  # PyTorch uses another algorithm for these
        raise ConfigError(f"trunc_normal_ needs [a, b] around the mean, with 0.3 of all numbers; got {inside:.2g}.")

    def drawn(array: Array) -> Array:
        low, high = array.dtype.type(a), array.dtype.type(b)
        numbers = draws.normal(array, mean, std, _source(generator))
        while ((numbers < low) | (numbers > high)).any():
            again = draws.normal(array, mean, std, _source(generator))
            numbers = np.where((numbers < low) | (numbers > high), again, numbers)
        return numbers

    return _filled(tensor, drawn)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill a weight (O, I, ...) with a random matrix (O, I ...) whose rows, or columns, are orthonormal, times a gain.

    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120; Mezzadri 2007, arXiv:math-ph/0609050, for the signs.
    """
    if _checked(tensor).ndim < 2:
        raise ShapeError(f"orthogonal_ needs at least 2 axes; got shape {tensor.shape}.")

    def drawn(array: Array) -> Array:
        rows = array.shape[0]
        flat = draws.normal(np.empty((rows, array.size // rows), array.dtype), 0.0, 1.0, _source(generator))
        wide = flat.shape[0] < flat.shape[1]
        Q, R = np.linalg.qr(flat.T if wide else flat)
        Q = Q * np.sign(np.diagonal(R))
        rotation: Array = (Q.T if wide else Q).reshape(array.shape) * array.dtype.type(gain)
        return rotation

    return _filled(tensor, drawn)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with normal numbers, of which a share `sparsity` of each column is 0, at random."""
    if _checked(tensor).ndim != 2:
        raise ShapeError(f"sparse_ needs a matrix; got shape {tensor.shape}.")
    from backlight.torchlike.distributions import randperm

    zeros = math.ceil(sparsity * tensor.shape[0])

    def drawn(array: Array) -> Array:
        numbers = draws.normal(array, 0.0, std, _source(generator))
        for column in range(array.shape[1]):
            numbers[randperm(array.shape[0], _source(generator))[:zeros], column] = 0
        return numbers

    return _filled(tensor, drawn)


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return fan-in and fan-out of a weight (O, I, ...), under PyTorch's name."""
    return _fans(tensor)


def _fans(tensor: Tensor) -> tuple[int, int]:
    shape = _checked(tensor).shape
    if len(shape) < 2:
        raise ShapeError(f"a weight needs at least 2 axes, (outputs, inputs); got shape {shape}. Use normal_.")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in {"fan_in", "fan_out"}:
        raise ConfigError(f"mode must be 'fan_in' or 'fan_out'; got {shown(mode)}.")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def _checked(tensor: Any) -> Array:
    if not isinstance(tensor, Tensor) or tensor.array.dtype.kind != "f":
        given = tensor.array.dtype if isinstance(tensor, Tensor) else shown(tensor)
        raise OperandError(f"initial weights need a tensor of floats; got {given}.")
    return tensor.array


def _filled(tensor: Tensor, draw: Any) -> Tensor:
    array = _checked(tensor)
    array[...] = draw(array)
    WRITES.record(array)
    return tensor
