"""Run a function of one example, written with Values, on a whole batch as arrays, with the same gradients.

    @batched
    def loss(x, y):                                 # one example: x is a list of Values, y a Value
        return (1 - y * net(x)).relu()

    losses = loss(X, y)                             # (B,) from (B, 2) and (B,)
    loss.backward(1 / len(X))                       # the gradient of the mean, in the .grad of every parameter

The function is traced once, with unknown numbers. The nodes of its graph are grouped into calls on arrays
(`execution_order`), and from then on only these are run.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from backlight.autograd.batching.execution_order import execution_order
from backlight.autograd.batching.recording import Recording, record
from backlight.autograd.batching.vectors import Work
from backlight.autograd.native.graphs import FINE, CompiledGraph
from backlight.autograd.native.library import library
from backlight.autograd.number import Value, add_gradients, read_numbers
from backlight.autograd.tensor_base import as_array
from backlight.core import FloatArray, GraphError, OperandError, ShapeError
from backlight.core.arguments import shown


class Batched:
    """A function of one example that runs on all examples of a batch at once.

    Each argument is a column, an array with the examples along its first axis: (B,) stands for a Value per example,
    (B, n) for a list of n Values, (B, n, m) for a list of n lists. All other Values that the function uses are shared
    by all examples. Their data is read at each call; if they were computed from other Values, they are recomputed.

    The function is traced once for each combination of shapes, so decisions that depend on anything but its arguments
    are made once. It must do the same for every example, so it cannot decide by the data of an argument (`if`,
    comparisons, `float`). It may read `.data`, as a number through which no gradient flows, and take `max` and `min` of
    such numbers. An argument of whole numbers may be the index of a list, as in `table[token]`.

    Args:
        function: takes one example and returns a Value or a sequence of n Values.

    Shape: columns (B, ...) -> (B,) for a Value, (B, n) for a sequence. float64.

    Raises:
        OperandError: the function is not callable.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise OperandError(f"batched takes a function of one example; got {shown(function)}.")
        self.function = function
        self._recordings: dict[object, _Recorded] = {}
        self._last: _Recorded | None = None

    def __call__(self, *columns: ArrayLike) -> FloatArray:
        """Return the results for all examples.

        Raises:
            ShapeError: the columns have different lengths, or are empty.
            IndexingError: an index is out of range.
            GraphError: the function decides by the data of an argument, does not return Values, or is not
                deterministic.
            DomainError: an op is undefined for the numbers of an example.
        """
        arrays = [as_array(column, np.float64) for column in columns]
        _check_columns(arrays)
        whole = [np.asarray(column).dtype.kind in "iu" for column in columns]
        shapes = tuple(array.shape[1:] for array in arrays)
        key = shapes, tuple(whole)
        recorded = self._recordings.get(key)
        if recorded is None:
            self._last = None
            recorded = _Recorded(record(self.function, shapes, _picked(arrays, whole)))
        out = recorded.forward(arrays)
        if key not in self._recordings:
            self._check(arrays, out[0])
            self._recordings[key] = recorded
        self._last = recorded
        return out

    def backward(self, gradient: ArrayLike = 1.0) -> list[FloatArray]:
        """Add the gradients of the last call, summed over all examples, to `grad` of each shared Value.

        Args:
            gradient: the output gradient: a number for all results (1 for their sum, 1 / B for their mean), or an array
                in the shape of the results.

        Returns:
            The gradient of each column, in its shape.

        Raises:
            GraphError: the function has not been called yet.
            ShapeError: the gradient is neither a number nor in the shape of the results.
        """
        if self._last is None:
            raise GraphError("backward() needs a forward call before it; got none. Call the function first.")
        return self._last.backward(as_array(gradient, np.float64))

    def _check(self, arrays: Sequence[FloatArray], computed: FloatArray) -> None:
        """Compare the recording with the function itself on the first example, to detect random numbers in it."""
        outputs = self.function(*(_in_values(array[0], _Index) for array in arrays))
        numbers = list(map(float, outputs)) if isinstance(outputs, (list, tuple)) else float(outputs)
        if not np.allclose(numbers, computed, rtol=1e-9, atol=1e-9, equal_nan=True):
            raise GraphError(
                f"a batched function must be deterministic; for the first example it returned {computed.tolist()} and "
                f"then {numbers}. Pass what differs as a column."
            )


def batched(function: Callable[..., Any]) -> Batched:
    """Return a function of one example as a function of a batch. Usable as a decorator; see `Batched`."""
    return Batched(function)


class _Recorded:
    """The computation of one recording, in C if that was compiled, and the results of its last run."""

    def __init__(self, made: Recording) -> None:
        self._made = made
        self._shapes: list[tuple[int, ...]] = []
        kernels = library()
        self._compiled: CompiledGraph | None = None
        self._work: Work | None = None  # in NumPy: without kernels, and to say which example an op refuses
        if kernels is not None:
            try:
                self._compiled = CompiledGraph(
                    kernels.graphs, leaves=len(made.leaves), inputs=made.inputs, ops=made.ops, counts=made.counts,
                    parents=made.parents, by=made.by, outputs=made.outputs,
                )  # fmt: skip
            except ValueError:  # an op that Value does not define, which `Work` refuses
                self._work = Work(execution_order(made))
        self._last: CompiledGraph | Work | None = None

    def forward(self, arrays: Sequence[FloatArray]) -> FloatArray:
        """Return the outputs for columns of B examples."""
        self._shapes = [array.shape for array in arrays]
        size = len(arrays[0])
        leaves = read_numbers(self._made.leaves)
        parts = [array.reshape(size, -1) for array in arrays]
        inputs = (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)).T
        out = None
        self._last = None
        if self._compiled is not None:
            state, out = self._compiled.forward(leaves, inputs)
            self._last = self._compiled if state == FINE else None
        if self._last is None:
            self._work = self._work or Work(execution_order(self._made))
            out = self._work.forward(leaves, inputs)
            self._last = self._work
        assert out is not None  # noqa: S101
        return out[0].copy() if self._made.single else out.T.copy()

    def backward(self, gradient: FloatArray) -> list[FloatArray]:
        """Add to the gradients of the leaves, and return those of the columns."""
        size = self._shapes[0][0]
        shape = (size,) if self._made.single else (size, len(self._made.outputs))
        if gradient.shape not in {(), shape}:
            raise ShapeError(f"gradient must be a number or have the result's shape, {shape}; got {gradient.shape}.")
        above = np.broadcast_to(gradient, shape)
        assert self._last is not None  # noqa: S101
        by_leaves, by_inputs = self._last.backward(above[None, :] if self._made.single else above.T)
        add_gradients(self._made.leaves, by_leaves)
        ends = np.cumsum([int(np.prod(shape[1:])) for shape in self._shapes])
        parts = np.split(by_inputs, ends[:-1])
        return [np.ascontiguousarray(part.T).reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]


def _check_columns(arrays: Sequence[FloatArray]) -> None:
    lengths = [len(array) if array.ndim else 0 for array in arrays]
    if not lengths or not lengths[0] or len(set(lengths)) > 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ShapeError(f"columns must have the same number of examples, at least one; got {shapes or 'no columns'}.")


def _picked(arrays: Sequence[FloatArray], whole: Sequence[bool]) -> list[int | None]:
    """Return the whole numbers of the first example, which may be used as indices, and None for the other numbers."""
    return [
        int(number) if is_whole else None
        for array, is_whole in zip(arrays, whole, strict=True)
        for number in array[0].reshape(-1).tolist()
    ]


class _Index(Value):
    """A Value that may be used as an index."""

    __slots__ = ()

    def __index__(self) -> int:
        return int(self.data)


def _in_values(array: FloatArray, kind: type[Value] = Value) -> Any:
    return [_in_values(part, kind) for part in array] if array.ndim else kind(float(array))
