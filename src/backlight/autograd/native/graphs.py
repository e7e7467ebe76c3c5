"""Recorded graphs of single numbers in C: graphs.h, with NumPy arrays."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import finalize

import numpy as np

from backlight.core import FloatArray, IntArray

FINE, DOUBTFUL, OUT_OF_RANGE = range(3)
"""The results of a forward pass: no errors; a result that a Value may refuse; an index out of range."""


@dataclass(frozen=True, kw_only=True)
class GraphKernels:
    """The functions of graphs.h.

    Attributes:
        new, forward, backward, free: see there; addresses and whole numbers.
        codes: the code of each op.
    """

    new: Callable[..., Any]
    forward: Callable[..., int]
    backward: Callable[..., None]
    free: Callable[..., None]
    codes: dict[str, int]


def graph_kernels(loaded: ctypes.CDLL, level: int) -> GraphKernels:
    """Return the functions of one level of the library."""
    number, address = ctypes.c_int64, ctypes.c_void_p
    new, forward, backward, free, name = (
        loaded[f"graph_{name}_{level}"] for name in ("new", "forward", "backward", "free", "op")
    )
    new.argtypes = [number, number, number, *[address] * 5, number, address]
    new.restype = address
    forward.argtypes = [address, address, address, number, address]
    backward.argtypes = [address] * 4
    backward.restype = free.restype = None
    free.argtypes = [address]
    name.argtypes = [number]
    name.restype = ctypes.c_char_p
    codes: dict[str, int] = {}
    while (found := name(len(codes))) is not None:
        codes[found.decode()] = len(codes)
    return GraphKernels(new=new, forward=forward, backward=backward, free=free, codes=codes)


class CompiledGraph:
    """A recorded graph, run for all examples of a batch at once.

    Args:
        kernels: the functions.
        leaves: how many leaves there are.
        inputs: how many inputs there are.
        ops: the op of each computed node.
        counts, parents, by: as in `batching.recording.Recording`.
        outputs: the number of each output node.

    Raises:
        ValueError: an op has no code.
        MemoryError: there is not enough memory.
    """

    def __init__(
        self, kernels: GraphKernels, *, leaves: int, inputs: int, ops: Sequence[str], counts: IntArray,
        parents: IntArray, by: IntArray, outputs: Sequence[int],
    ) -> None:  # fmt: skip
        codes, exponents = np.empty(len(ops), np.uint8), np.zeros(len(ops))
        for kind in set(ops):
            code, exponent = _coded(kind, kernels.codes)
            here = np.fromiter((op == kind for op in ops), bool, len(ops))
            codes[here], exponents[here] = code, exponent
        ends = np.array(outputs, np.int64)
        arrays = [np.ascontiguousarray(array, np.int64) for array in (counts, parents, by)]
        graph = kernels.new(
            leaves, inputs, len(ops), codes.ctypes.data, exponents.ctypes.data,
            *[array.ctypes.data for array in arrays], len(ends), ends.ctypes.data,
        )  # fmt: skip
        if not graph:
            raise MemoryError(f"a graph of {len(ops):,} nodes")
        self._graph, self._kernels = graph, kernels
        self._leaves, self._outputs = leaves, len(ends)
        self._inputs = (inputs, 0)
        finalize(self, kernels.free, graph)

    def forward(self, leaves: FloatArray, inputs: FloatArray) -> tuple[int, FloatArray]:
        """Return the state, see FINE, and the outputs (O, B) for leaves (L,) and inputs (I, B)."""
        inputs = np.ascontiguousarray(inputs)
        self._inputs = inputs.shape
        out = np.empty((self._outputs, inputs.shape[1]))
        state = self._kernels.forward(
            self._graph, leaves.ctypes.data, inputs.ctypes.data, inputs.shape[1], out.ctypes.data
        )
        if state > OUT_OF_RANGE:
            raise MemoryError(f"a graph for {inputs.shape[1]:,} examples")
        return state, out

    def backward(self, above: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of the leaves (L,) and of the inputs (I, B), given those of the outputs (O, B)."""
        above = np.ascontiguousarray(above)
        by_leaves, by_inputs = np.empty(self._leaves), np.empty(self._inputs)
        self._kernels.backward(self._graph, above.ctypes.data, by_leaves.ctypes.data, by_inputs.ctypes.data)
        return by_leaves, by_inputs


def _coded(op: str, codes: dict[str, int]) -> tuple[int, float]:
    """Return the code of an op and its constant exponent. Raises ValueError for an op that Value does not have."""
    if op in codes:
        return codes[op], 0.0
    if not op.startswith("**"):
        raise ValueError(f"{op!r} has no kernel")
    return codes["**c"], float(op.removeprefix("**"))
