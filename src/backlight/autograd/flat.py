"""All parameters of a model in one array and all gradients in another.

An optimiser step, gradient clipping and a checkpoint then are one pass over one array, whatever the number of layers.
The tensors remain the same objects; their arrays become views of slices of the flat ones.
"""

from collections.abc import Iterable

import numpy as np

from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, FloatArray, OperandError
from backlight.core.arguments import shown


class FlatParameters:
    """The values and gradients of parameters, flat. Made by `FlatParameters.of`.

    Args:
        tensors: the parameters, in order.
        data: (P,) all values; each tensor's array is a view of its slice.
        grad: (P,) all gradients; valid after `gather()`.
    """

    def __init__(self, tensors: list[Tensor], data: FloatArray, grad: FloatArray) -> None:
        self.tensors = tensors
        self.data = data
        self.grad = grad

    @classmethod
    def of(cls, parameters: "Iterable[Tensor] | FlatParameters") -> "FlatParameters":
        """Return the flat form of parameters; their values are moved unless they are flat already.

        Raises:
            ConfigError: no parameters, a duplicate, one that needs no gradient, or different dtypes.
            OperandError: not a list of tensors.
        """
        if isinstance(parameters, FlatParameters):
            return parameters
        tensors = _checked(parameters)
        return cls._existing(tensors) or cls._moved(tensors)

    @classmethod
    def gradients(cls, parameters: "Iterable[Tensor] | FlatParameters") -> list[FloatArray]:
        """Return the gradients that exist: one array (P,) if the parameters are flat, else one for each tensor."""
        if isinstance(parameters, FlatParameters):
            return [parameters.gather()]
        tensors = _checked(parameters)
        flat = cls._existing(tensors)
        return [t._grad for t in tensors if t._grad is not None] if flat is None else [flat.gather()]

    @classmethod
    def _existing(cls, tensors: list[Tensor]) -> "FlatParameters | None":
        """Return the flat arrays that the tensors already fill in this order, or None."""
        first = tensors[0]
        data, home = first.array.base, first._grad_home
        grad = None if home is None else home.base
        if data is None or grad is None or data.ndim != 1 or data.size != sum(t.array.size for t in tensors):
            return None
        address = data.__array_interface__["data"][0]
        for tensor in tensors:
            if tensor.array.base is not data or tensor.array.__array_interface__["data"][0] != address:
                return None
            address += tensor.array.nbytes
        return cls(tensors, data, grad)

    @classmethod
    def _moved(cls, tensors: list[Tensor]) -> "FlatParameters":
        dtype = tensors[0].array.dtype
        size = sum(tensor.array.size for tensor in tensors)
        data, grad = np.empty(size, dtype), np.zeros(size, dtype)
        start = 0
        for tensor in tensors:
            shape, end = tensor.array.shape, start + tensor.array.size
            data[start:end] = tensor.array.reshape(-1)
            tensor.array = data[start:end].reshape(shape)
            tensor._grad_home = grad[start:end].reshape(shape)
            if tensor._grad is not None:
                tensor._grad_home[...] = tensor._grad
                tensor._grad = tensor._grad_home
            start = end
        return cls(tensors, data, grad)

    def gather(self) -> FloatArray:
        """Return all gradients, (P,), with 0 for parameters that have none.

        Raises:
            ConfigError: the parameters have been moved to other arrays, so that changing `data` has no effect on them.
        """
        for tensor in self.tensors:
            home = tensor._grad_home
            if home is None or home.base is not self.grad:
                raise ConfigError(
                    "an optimiser must be the only owner of its parameters; they now belong to another optimiser or "
                    "have another dtype. Create the optimiser last, and only one for each parameter."
                )
            if tensor._grad is None:
                home[...] = 0
        return self.grad

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients: set them to None, or to 0 if `set_to_none` is false."""
        zero_gradients(self.tensors, set_to_none=set_to_none)


def zero_gradients(tensors: Iterable[Tensor], *, set_to_none: bool = True) -> None:
    """Clear the gradients of tensors of any shape: set them to None, or to 0 if `set_to_none` is false."""
    for tensor in tensors:
        if set_to_none or tensor._grad is None:
            tensor._grad = None
        else:
            tensor._grad[...] = 0


def _checked(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters as a list, if they can share one array."""
    tensors = list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor) else None
    if tensors is None or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise OperandError(
            f"an optimiser takes a list of tensors, such as model.parameters(); got {shown(parameters)}."
        )
    if not tensors:
        raise ConfigError("an optimiser needs at least one parameter; got none.")
    if len({id(tensor) for tensor in tensors}) < len(tensors):
        raise ConfigError(
            "a parameter must be given once; got one of them twice. Is a shared layer listed under both of its names?"
        )
    if not all(tensor.requires_grad for tensor in tensors):
        raise ConfigError("a parameter must have requires_grad=True; got one with requires_grad=False.")
    dtypes = sorted({str(tensor.array.dtype) for tensor in tensors})
    if len(dtypes) > 1:
        raise ConfigError(f"the parameters of an optimiser must have the same dtype; got {' and '.join(dtypes)}.")
    return tensors
