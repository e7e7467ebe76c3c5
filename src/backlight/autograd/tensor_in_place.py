"""The methods that change a tensor in place: their names end in an underscore. `in_place` says what they guarantee."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import numpy as np

from backlight.autograd import in_place, ops
from backlight.autograd.tensor_base import Operand, TensorBase, apply, as_array
from backlight.autograd.tensor_math import TensorMath
from backlight.autograd.tensor_picking import TensorPicking
from backlight.autograd.tensor_shape import TensorShape
from backlight.core import ShapeError

P = ParamSpec("P")
T = TypeVar("T", bound=TensorBase)


def _changing(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """Return the method that writes the result of another into the tensor, and returns the tensor."""

    @wraps(method)
    def changed(self: T, *arguments: P.args, **settings: P.kwargs) -> T:
        in_place.check_writable(self)
        return in_place.become(self, method(self, *arguments, **settings))

    changed.__name__ += "_"
    changed.__qualname__ += "_"
    changed.__doc__ = f"Change the tensor to the result of `{method.__name__}`, in place, and return it."
    return changed  # type: ignore[return-value]  # `self` is never passed by name


class TensorInPlace(TensorPicking):
    """Changes in place. Each returns the tensor.

    Raises:
        GraphError: a leaf that requires a gradient while the graph is recorded, or a result of another dtype.
        ShapeError: a result of another shape.
    """

    __slots__ = ()

    add_, sub_ = _changing(TensorPicking.add), _changing(TensorPicking.sub)
    mul_, div_ = _changing(TensorPicking.mul), _changing(TensorPicking.div)
    pow_, neg_, abs_ = _changing(TensorPicking.pow), _changing(TensorPicking.neg), _changing(TensorMath.abs)
    exp_, log_, sqrt_ = _changing(TensorMath.exp), _changing(TensorMath.log), _changing(TensorMath.sqrt)
    tanh_, relu_, sigmoid_ = _changing(TensorMath.tanh), _changing(TensorMath.relu), _changing(TensorMath.sigmoid)
    square_, rsqrt_ = _changing(TensorPicking.square), _changing(TensorPicking.rsqrt)
    reciprocal_ = _changing(TensorPicking.reciprocal)
    round_, floor_, ceil_ = (
        _changing(TensorPicking.round),
        _changing(TensorPicking.floor),
        _changing(TensorPicking.ceil),
    )
    clamp_ = clip_ = _changing(TensorPicking.clamp)
    lerp_ = _changing(TensorPicking.lerp)
    masked_fill_ = _changing(TensorShape.masked_fill)
    tril_, triu_ = _changing(TensorShape.tril), _changing(TensorShape.triu)
    scatter_, scatter_add_ = _changing(TensorPicking.scatter), _changing(TensorPicking.scatter_add)

    sin_, cos_ = _changing(TensorMath.sin), _changing(TensorMath.cos)
    trunc_, sign_ = _changing(TensorPicking.trunc), _changing(TensorPicking.sign)
    remainder_ = _changing(TensorPicking.remainder)

    def fill_diagonal_(self, fill_value: float) -> Self:
        """Set the diagonal of a matrix to one number, in place.

        Raises:
            ShapeError: the tensor has fewer than two axes.
        """
        if self.array.ndim < 2:
            raise ShapeError(f"fill_diagonal_ needs a tensor of at least two axes; got shape {self.array.shape}.")
        at = np.arange(min(self.array.shape))
        in_place.check_writable(self)
        in_place.write(self, fill_value, (at, at), None)
        return self

    def index_fill_(self, dim: int, index: Operand, value: float) -> Self:
        """Set the slices with these indices along an axis to one number, in place."""
        in_place.check_writable(self)
        where = (*(slice(None),) * self._axis(dim), as_array(index))
        try:
            in_place.write(self, value, where, None)
        except IndexError as error:
            shape = self.array.shape
            raise ShapeError(f"indices must be inside the axis; got a tensor of shape {shape}: {error}.") from None
        return self

    def index_add_(self, dim: int, index: Operand, source: Self) -> Self:
        """Add the slices of a tensor to those with these indices along an axis, in place."""
        in_place.check_writable(self)
        where = (*(slice(None),) * self._axis(dim), as_array(index))
        return in_place.become(self, apply(ops.AddIndex, self, source, index=where))

    def clamp_min_(self, min: float) -> Self:
        """Change every element to at least `min`, in place."""
        return self.clamp_(min)

    def zero_(self) -> Self:
        """Set every element to 0, in place."""
        return self._filled("Zero", 0)

    def fill_(self, value: Any) -> Self:
        """Set every element to one number, in place."""
        number = as_array(value)
        if number.ndim:
            raise ShapeError(f"fill_ takes one number; got an array of shape {number.shape}. Use copy_().")
        return self._filled("FillBackward2", number.item())

    def _filled(self, name: str, number: float) -> Self:
        in_place.check_writable(self)
        if self._needs_grad:
            filled = self.masked_fill(np.ones((), np.bool_), number)
            return in_place.become(self, self._named(name, filled))
        in_place.write(self, number, ..., None)
        return self

    def copy_(self, src: Operand, non_blocking: bool = False) -> Self:
        """Set the elements to those of another tensor, in place; its shape is broadcast."""
        del non_blocking
        in_place.check_writable(self)
        array = as_array(src)
        try:
            in_place.write(self, array, ..., src if isinstance(src, TensorBase) else None)
        except ValueError:
            raise ShapeError(
                f"copy_ needs elements that can be broadcast to {self.array.shape}; got shape {array.shape}."
            ) from None
        return self._named("CopyBackwards", self)

    def unsqueeze_(self, dim: int) -> Self:
        """Add an axis of length 1, in place."""
        return self._shaped(self.unsqueeze(dim))

    def squeeze_(self, dim: int | None = None) -> Self:
        """Remove axes of length 1, in place."""
        return self._shaped(self.squeeze(dim))

    def t_(self) -> Self:
        """Transpose a matrix, in place."""
        return self._shaped(self.t())

    def _shaped(self, view: Self) -> Self:
        in_place.reshape(self, view)
        return self

    def detach_(self) -> Self:
        """Remove the tensor from its graph, in place."""
        self._op, self._saved, self._prev, self._needs_grad = None, None, (), False
        return self
