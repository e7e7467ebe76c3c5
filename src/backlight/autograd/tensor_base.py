"""The core of a tensor: its array, its gradient, its parents in the graph, and the backward pass.

`tensor_math` adds arithmetic, functions and reductions. `tensor` adds shapes and indexing and defines the public class.
Methods return `Self`: always a plain `Tensor`, also for a `Parameter` or a `Buffer` (see `plain`).
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import in_place
from backlight.autograd.graph import Node, next_serial, recording
from backlight.autograd.in_place import SPENT
from backlight.autograd.kinds import DType
from backlight.autograd.op import Op
from backlight.autograd.writes import WRITES
from backlight.core import Array, BacklightError, GraphError, OperandError, ShapeError
from backlight.core.arguments import shown

Number = float | int | bool

_new: Callable[[Any], Any] = object.__new__
_NONE: dict[str, Any] = {}


class TensorBase(Node):
    """An n-dimensional array in a graph. `Tensor` has the public documentation."""

    __slots__ = (
        "__weakref__",
        "_base",
        "_before",
        "_grad",
        "_grad_home",
        "_grad_name",
        "_hooks",
        "_needs_grad",
        "_op",
        "_prev",
        "_retains_grad",
        "_saved",
        "_serial",
        "_settings",
        "_unwatched",
        "array",
        "label",
    )

    plain: ClassVar[type["TensorBase"]]
    """The class of every result, whatever the classes of its inputs: `Tensor`."""

    _prev: tuple[Self, ...]
    # these four are set only where they are needed, so that a new tensor costs nothing
    _grad_name: str  # PyTorch's name of the step, if it is not that of the op
    _base: tuple[Self, type[Op], dict[str, Any]] | None  # of a view outside the graph: what it is a view of, and how
    _before: Self  # the node as it was before it was rewritten in place
    _unwatched: bool  # whether writes are not recorded, as PyTorch does for .data

    def __init__(
        self, data: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False, label: str = ""
    ) -> None:
        self.array: Array = as_array(data, dtype)
        self.label = label
        self._grad: Array | None = None
        self._grad_home: Array | None = None  # the slice of a flat array that must hold the gradient, if any
        self._needs_grad = False
        self._retains_grad = False
        self._hooks: tuple[Callable[[Array], None], ...] = ()
        self._op: type[Op] | None = None
        self._saved: Any = None
        self._settings: dict[str, Any] = {}
        self._prev = ()
        self._serial = next_serial()
        self.requires_grad = requires_grad

    @classmethod
    def _holding(cls, array: Array) -> Self:
        """Return a tensor that shares this array."""
        made: Self = _new(cls.plain)
        made.array = array
        made.label = ""
        made._grad = made._grad_home = made._op = made._saved = None
        made._settings = _NONE
        made._needs_grad = made._retains_grad = False
        made._prev = made._hooks = ()
        made._serial = next_serial()
        return made

    @staticmethod
    def _named(name: str, made: "T") -> "T":
        """Return a new tensor, after recording the name of its `grad_fn` where it is not that of its op."""
        if made._prev:
            made._grad_name = name
        return made

    def _view(self, op: type[Op], **settings: Any) -> Self:
        """Return a view by an op. Outside the graph it remembers what it is a view of, for changes in place."""
        made = apply(op, self, **settings)
        if not made._prev:
            made._base = (self, op, settings)
        return made

    def _axis(self, dim: Any, new: int = 0) -> int:
        """Return `dim` as an index that is not negative, after `new` axes are added. A scalar counts as one axis."""
        rank = max(self.array.ndim + new, 1)
        if not isinstance(dim, (int, np.integer)):
            raise ShapeError(f"dim must be a whole number; got {shown(dim)}.")
        if not -rank <= dim < rank:
            raise ShapeError(f"dim must be in {-rank}..{rank - 1} for shape {self.array.shape}; got {shown(dim)}.")
        return int(dim % rank)

    # -- gradient ------------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether a backward pass computes this tensor's gradient."""
        return self._needs_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not isinstance(wanted, (bool, np.bool_)):
            raise OperandError(f"requires_grad must be True or False; got {shown(wanted)}.")
        if wanted and self.array.dtype.kind != "f":
            raise GraphError(
                f"only floating-point tensors have gradients; got {self.array.dtype}. Call .float() first."
            )
        if not wanted and self._prev:
            raise GraphError("requires_grad=False must be set on a leaf. Use .detach() for a tensor without history.")
        self._needs_grad = wanted

    def requires_grad_(self, wanted: bool = True) -> Self:
        """Set `requires_grad` and return this tensor."""
        self.requires_grad = wanted
        return self

    @property
    def grad(self) -> Self | None:
        """The gradient with respect to this tensor, in its shape, summed over backward passes; None before any."""
        return None if self._grad is None or self._grad is SPENT else self._holding(self._grad)

    @grad.setter
    def grad(self, gradient: "Operand | None") -> None:
        if gradient is None:
            self._grad = None
            return
        array = as_array(gradient, self.array.dtype)
        if array.shape != self.array.shape:
            raise ShapeError(f"a gradient must have its tensor's shape, {self.array.shape}; got {array.shape}.")
        self._grad = None
        self._receive(array)

    @property
    def data(self) -> Self:
        """The same array as a tensor outside the graph. Changing it in place changes this tensor, unwatched."""
        made = self._holding(self.array)
        made._unwatched = True
        return made

    @data.setter
    def data(self, numbers: "Operand") -> None:
        array = as_array(numbers, self.array.dtype)
        if array is self.array:
            return
        if self._grad_home is None:
            self.array = array
        elif array.shape == self.array.shape:
            self.array[...] = array  # a slice of a flat array must stay one
        else:
            raise ShapeError(f"a parameter of a model must keep its shape, {self.array.shape}; got {array.shape}.")

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor has no parents in the graph."""
        return not self._prev

    def retain_grad(self) -> None:
        """Keep this intermediate result's gradient; by default it is freed once it has been propagated."""
        self._retains_grad = True

    def register_hook(self, hook: Callable[[Array], None]) -> None:
        """Call `hook(gradient)` when this intermediate result's gradient is complete, before it is propagated.

        The gradient is an array in this tensor's shape. It may be shared with other nodes and must not be changed.

        Raises:
            OperandError: the hook is not callable.
        """
        if not callable(hook):
            raise OperandError(f"a hook must be a function of the gradient; got {shown(hook)}.")
        self._hooks = (*self._hooks, hook)

    def zero_grad(self) -> None:
        """Set `grad` to None."""
        self._grad = None

    def _receive(self, gradient: Array) -> None:
        """Add the gradient of one path. The array may be shared with other nodes and must not be changed."""
        if gradient.dtype != self.array.dtype:
            gradient = gradient.astype(self.array.dtype)
        if self._grad is not None:
            if self._prev:
                self._grad = self._grad + gradient
            else:  # a leaf owns its gradient
                self._grad += gradient
        elif self._grad_home is not None:
            self._grad_home[...] = gradient
            self._grad = self._grad_home
        else:
            self._grad = gradient if self._prev else np.array(gradient)

    def _push(self, after: Array | None) -> None:
        prev = self._prev
        if not prev:
            return
        op: type[Op] = self._op  # type: ignore[assignment]  # a node with parents has one
        for hook in self._hooks:
            hook(cast("Array", self._grad))
        for parent, gradient in zip(prev, op.backward(cast("Array", self._grad), self._saved), strict=True):
            if parent._needs_grad:
                parent._receive(gradient)
        if self._retains_grad:
            # a copy, since the gradient may be shared with other nodes and the user may change it
            self._grad = np.array(self._grad)
        else:
            self._grad = after if op.keeps_arrays else None

    def backward(
        self, gradient: "Operand | None" = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add to every leaf's gradient the derivative of this tensor with respect to the leaf.

        Args:
            gradient: the output gradient, in this tensor's shape; may be omitted (1) for a tensor of one element.
            retain_graph: whether the graph can be used for another backward pass.
            create_graph: must be False, since there are no second derivatives.

        Raises:
            GraphError: nothing requires a gradient, or there are several elements and no output gradient; or a backward
                pass went through this graph before, or numbers that it needs were changed in place.
            ShapeError: the output gradient has another shape.
        """
        if not self._needs_grad:
            raise GraphError(
                "backward() needs a tensor that requires a gradient; "
                "no tensor that this one was computed from has requires_grad=True."
            )
        if gradient is None:
            if self.array.size != 1:
                raise GraphError(
                    f"backward() without an argument needs a single number; got a tensor of shape {self.array.shape}. "
                    "Call .sum() or .mean() first, or pass the output gradient."
                )
            gradient = np.ones_like(self.array)
        seed = as_array(gradient, self.array.dtype)
        if seed.shape != self.array.shape:
            raise ShapeError(f"a gradient must have its tensor's shape, {self.array.shape}; got {seed.shape}.")
        if create_graph:
            raise GraphError("create_graph must be False: there are no second derivatives here. Use PyTorch for them.")
        order = self._cleared()
        self._receive(seed)
        after = None if retain_graph else SPENT
        for node in order:
            node._push(after)

    def _cleared(self) -> list[Self]:
        """Return the graph, youngest first, with no gradients between its ends; refuse one that cannot be used."""
        order, oldest = self.ancestry(), self._serial
        for node in order:
            if node._prev:
                if node._grad is SPENT:
                    raise GraphError(in_place.passed(node))
                node._grad = None
                oldest = node._serial
        if oldest < WRITES.latest:
            in_place.check(order)
        return order

    def ancestry(self) -> list[Self]:
        """Return this tensor and all that it was computed from, youngest first. See `Node.ancestry`."""
        if in_place.rewritten:
            in_place.resolve(self)
        return super().ancestry()


Operand = TensorBase | Array | Sequence[Any] | np.generic | float | int
"""What an operation accepts: a tensor, an array, nested lists of numbers, or a number."""

T = TypeVar("T", bound=TensorBase)


def apply(op: type[Op], *inputs: T, **settings: Any) -> T:
    """Run an op's forward pass and, if any input needs a gradient, record it for the backward pass.

    Args:
        op: a class of `backlight.autograd.OPS`, or your own subclass of `Op`.
        inputs: tensors in the shapes that the op takes; arrays and numbers are converted.
        settings: the keyword arguments of the op's `forward`.

    Raises:
        ShapeError: the inputs' shapes or the settings do not fit the op.
        OperandError: `op` is not an op.
    """
    try:
        out, saved = op.forward(*[tensor.array for tensor in inputs], **settings)
    except BacklightError:
        raise
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        if not (isinstance(op, type) and issubclass(op, Op)):
            raise OperandError(f"the first argument must be an op, such as OPS['tanh']; got {shown(op)}.") from error
        if not all(isinstance(x, TensorBase) for x in inputs):
            tensors = [x if isinstance(x, TensorBase) else TensorBase._holding(as_array(x)) for x in inputs]
            return apply(op, *tensors, **settings)
        if isinstance(error, AttributeError):
            raise
        raise ShapeError(_misfit(op, inputs, settings, error)) from error
    made: T = TensorBase._holding(out if isinstance(out, np.ndarray) else np.asarray(out))  # type: ignore[assignment]
    if recording.on:
        for tensor in inputs:
            if tensor._needs_grad:
                made._needs_grad = True
                made._op = op
                made._saved = saved
                made._settings = settings
                made._prev = inputs
                break
    return made


def _misfit(op: type[Op], inputs: tuple[TensorBase, ...], settings: dict[str, Any], error: Exception) -> str:
    """Return the error message for inputs that an op cannot take: its formula, its rule, and what was given."""
    shapes = " and ".join(str(tensor.array.shape) for tensor in inputs)
    given = "".join(
        f", {name} {f'of shape {value.shape}' if isinstance(value, np.ndarray) else shown(value)}"
        for name, value in settings.items()
    )
    return f"{op.name} ({op.formula.split(';')[0]}): {op.fits or str(error).strip()}; got {shapes}{given}."


def as_array(data: Any, dtype: DTypeLike | None = None) -> Array:
    """Return `data` as an array of its shape. Python floats become float32, as in PyTorch.

    Raises:
        ShapeError: rows of different lengths, or elements that are not numbers.
        OperandError: not a numeric dtype.
    """
    kind = None if dtype is None else as_dtype(dtype)
    if isinstance(data, TensorBase):
        data = data.array
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind in "fiub":
        return np.asarray(data, kind)
    if isinstance(data, (list, tuple)) and any(isinstance(part, TensorBase) for part in data):
        data = [part.array if isinstance(part, TensorBase) else part for part in data]
    try:
        array = np.asarray(data, kind)
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ShapeError(
            f"a tensor must be made of numbers, in rows of equal length; got {type(data).__name__}: {reason}."
        ) from error
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"a tensor must be made of numbers; got {type(data).__name__} of {array.dtype}.")
    return array.astype(np.float32) if dtype is None and array.dtype == np.float64 else array


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return a dtype by its name.

    Raises:
        OperandError: not a dtype of real numbers or booleans.
    """
    try:
        kind = dtype.dtype if isinstance(dtype, DType) else np.dtype(dtype)
    except (TypeError, ValueError):
        kind = np.dtype(object)
    if kind.kind not in "fiub":
        raise OperandError(f"dtype must be one of real numbers, such as 'float32' or 'int64'; got {shown(dtype)}.")
    return kind
