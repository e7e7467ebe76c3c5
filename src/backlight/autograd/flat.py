"""All parameters of a model in one array and all gradients in another.

An optimiser step, a clipping, a checkpoint and an all-reduce then are one pass over one array, however many layers
there are. The tensors stay what they were; only their numbers move into slices of the flat ones.
"""

from collections.abc import Iterable

import numpy as np

from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, FloatArray, OperandError
from backlight.core.arguments import shown


class FlatParameters:
    """The parameters' numbers and gradients, flat.

    Attributes:
        tensors: the parameters, in order.
        data: (P,) all numbers; each tensor's array is a view of its slice.
        grad: (P,) all gradients; valid after `gather()`.
    """

    def __init__(self, tensors: list[Tensor], data: FloatArray, grad: FloatArray) -> None:
        self.tensors = tensors
        self.data = data
        self.grad = grad

    @classmethod
    def of(cls, parameters: "Iterable[Tensor] | FlatParameters") -> "FlatParameters":
        """Return the flat form of parameters, moving their numbers unless they lie in one already.

        Raises:
            ConfigError: no parameters, one given twice, one that needs no gradient, or dtypes that differ.
        """
        if isinstance(parameters, FlatParameters):
            return parameters
        tensors = _checked(parameters)
        return cls._standing(tensors) or cls._moved(tensors)

    @classmethod
    def gradients(cls, parameters: "Iterable[Tensor] | FlatParameters") -> list[FloatArray]:
        """Return the gradients that there are, as one array if they lie in one; nothing is moved."""
        if isinstance(parameters, FlatParameters):
            return [parameters.gather()]
        tensors = _checked(parameters)
        flat = cls._standing(tensors)
        return [t._grad for t in tensors if t._grad is not None] if flat is None else [flat.gather()]

    @classmethod
    def _standing(cls, tensors: list[Tensor]) -> "FlatParameters | None":
        """Return the flat arrays that the tensors already tile in this order, if they do."""
        first = tensors[0]
        data, home = first.array.base, first._grad_home
        grad = None if home is None else home.base
        if data is None or grad is None or data.ndim != 1 or data.size != sum(t.array.size for t in tensors):
            return None
        place = data.__array_interface__["data"][0]
        for tensor in tensors:
            if tensor.array.base is not data or tensor.array.__array_interface__["data"][0] != place:
                return None
            place += tensor.array.nbytes
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
        """Return all gradients, (P,): 0 for a parameter that the last backward pass did not reach.

        Raises:
            ConfigError: the parameters have moved elsewhere, and changing `data` would no longer change them.
        """
        for tensor in self.tensors:
            home = tensor._grad_home
            if home is None or home.base is not self.grad:
                raise ConfigError(
                    "an optimiser needs its parameters where it put them; they have since moved to another "
                    "optimiser, or to another dtype. Make the optimiser anew, and only one for each parameter."
                )
            if tensor._grad is None:
                home[...] = 0
        return self.grad

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients: they become None, or 0 where `set_to_none` is false."""
        zero_gradients(self.tensors, set_to_none=set_to_none)


def zero_gradients(tensors: Iterable[Tensor], *, set_to_none: bool = True) -> None:
    """Clear gradients: they become None, or stay and become 0."""
    for tensor in tensors:
        if set_to_none or tensor._grad is None:
            tensor._grad = None
        else:
            tensor._grad[...] = 0


def _checked(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters as a list, if they can share one array."""
    tensors = list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor) else None
    if tensors is None or not all(isinstance(one, Tensor) for one in tensors):
        raise OperandError(
            f"an optimiser takes a list of tensors, such as model.parameters(); got {shown(parameters)}."
        )
    if not tensors:
        raise ConfigError("an optimiser needs at least one parameter; got none.")
    if len({id(tensor) for tensor in tensors}) < len(tensors):
        raise ConfigError(
            "a parameter must be given once; got one twice. Is a shared layer listed under both its names?"
        )
    if not all(tensor.requires_grad for tensor in tensors):
        raise ConfigError("a parameter must have requires_grad=True; got one that has not.")
    dtypes = sorted({str(tensor.array.dtype) for tensor in tensors})
    if len(dtypes) > 1:
        raise ConfigError(f"the parameters of one optimiser must be of one dtype; got {' and '.join(dtypes)}.")
    return tensors
