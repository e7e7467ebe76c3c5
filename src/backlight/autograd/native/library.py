"""Load the compiled kernels, if they were built, and find the BLAS that they use for some matrix products."""

import ctypes
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from backlight.autograd.native.building import LIBRARY, fingerprint
from backlight.autograd.native.graphs import GraphKernels, graph_kernels
from backlight.autograd.native.inference import InferenceKernels
from backlight.autograd.value_native import SWITCH
from backlight.core import FloatArray
from backlight.core.threads import blas_libraries, kernel_threads

SGEMM = (("scipy_cblas_sgemm64_", True), ("cblas_sgemm64_", True), ("scipy_cblas_sgemm", False), ("cblas_sgemm", False))
"""Possible names of the float32 matrix product in BLAS, and whether its integers have 64 bits."""


FEW_NUMBERS = 10_000
"""Fewer random numbers are drawn by NumPy: reading and writing the state of a generator takes 10 microseconds."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """The kernels for this processor.

    Attributes:
        run: (address of the steps, their number, rows of the batch, threads) -> 0, or 1 if an id was out of range.
        kernels: the names of all kernels; a step has the index of its kernel.
        adamw: (data, grad, mean, square, decaying or None, numbers): see optimisers.h. All contiguous float32.
        blend: (moved, by, keep, take): see optim/blending.py. Both arrays contiguous float32.
        uniform: (generator, array): fill an array with float32 numbers as `generator.random` does; see random.h.
        inference: the functions of compact.h and decoding.h: see inference.py.
        graphs: the functions on graphs of single numbers: see graphs.py.
        level: 4 with AVX-512, 3 with AVX2, 1 otherwise.
        blas: the path of the BLAS library; None if the kernels compute all products.
    """

    run: Callable[[int, int, int, int], int]
    kernels: tuple[str, ...]
    adamw: Callable[..., None]
    blend: Callable[[FloatArray, FloatArray, float, float], None]
    uniform: Callable[[np.random.Generator, FloatArray], None]
    inference: InferenceKernels
    graphs: GraphKernels
    level: int
    blas: str | None


@lru_cache(maxsize=1)
def library() -> Library | None:
    """Return the kernels; None if they were not built, were built from other sources, or are turned off."""
    if os.environ.get(SWITCH) == "0" or not LIBRARY.is_file():
        return None
    try:
        loaded = ctypes.CDLL(str(LIBRARY))
    except OSError:  # built for another processor or system
        return None
    level = loaded.level()
    return kernels(loaded, level) if loaded[f"fingerprint_{level}"]() == fingerprint() else None


def kernels(loaded: ctypes.CDLL, level: int, *, with_blas: bool = True) -> Library:
    """Return the kernels of one level.

    Args:
        loaded: the library.
        level: the instruction set, at most that of this processor.
        with_blas: whether matrix products may use BLAS.
    """
    run, use_blas = loaded[f"run_{level}"], loaded[f"use_blas_{level}"]
    run.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 3]
    use_blas.argtypes = [ctypes.c_void_p, ctypes.c_int]
    path, sgemm, wide = _sgemm() if with_blas else (None, None, False)
    use_blas(sgemm, wide)
    return Library(
        run=run,
        kernels=tuple(_names(loaded, level)),
        adamw=_adamw(loaded, level),
        blend=_blend(loaded, level),
        uniform=_uniform(loaded, level),
        inference=InferenceKernels(loaded, level),
        graphs=graph_kernels(loaded, level),
        level=level,
        blas=path,
    )


def _names(loaded: ctypes.CDLL, level: int) -> Iterator[str]:
    name_of = loaded[f"kernel_name_{level}"]
    name_of.argtypes = [ctypes.c_int64]
    name_of.restype = ctypes.c_char_p
    number = 0
    while (name := name_of(number)) is not None:
        yield name.decode()
        number += 1


def _adamw(loaded: ctypes.CDLL, level: int) -> Callable[..., None]:
    kernel = loaded[f"adamw_{level}"]
    kernel.argtypes = [ctypes.c_int64, *[ctypes.c_void_p] * 6, ctypes.c_int64]
    kernel.restype = None

    def adamw(*arrays: FloatArray | None) -> None:
        assert arrays[0] is not None  # noqa: S101  (the parameters)
        addresses = [None if array is None else array.__array_interface__["data"][0] for array in arrays]
        kernel(arrays[0].size, *addresses, kernel_threads())

    return adamw


def _blend(loaded: ctypes.CDLL, level: int) -> Callable[[FloatArray, FloatArray, float, float], None]:
    kernel = loaded[f"blend_{level}"]
    kernel.argtypes = [ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_float, ctypes.c_int64]
    kernel.restype = None

    def blend(moved: FloatArray, by: FloatArray, keep: float, take: float) -> None:
        addresses = [array.__array_interface__["data"][0] for array in (moved, by)]
        kernel(moved.size, *addresses, keep, take, kernel_threads())

    return blend


def _uniform(loaded: ctypes.CDLL, level: int) -> Callable[[np.random.Generator, FloatArray], None]:
    kernel = loaded[f"uniform_{level}"]
    kernel.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64]
    kernel.restype = None

    def uniform(generator: np.random.Generator, array: FloatArray) -> None:
        of = generator.bit_generator
        if type(of) is not np.random.PCG64 or array.size < FEW_NUMBERS:
            generator.random(dtype=np.float32, out=array)
            return
        with of.lock:
            facts = of.state
            state, increment = facts["state"]["state"], facts["state"]["inc"]
            halves = (*divmod(state, 1 << 64), *divmod(increment, 1 << 64), facts["has_uint32"], facts["uinteger"])
            numbers = (ctypes.c_uint64 * 6)(*halves)
            kernel(numbers, array.size, array.__array_interface__["data"][0], kernel_threads())
            facts["state"]["state"] = numbers[0] << 64 | numbers[1]
            facts["has_uint32"], facts["uinteger"] = numbers[4], numbers[5]
            of.state = facts

    return uniform


def _sgemm() -> tuple[str | None, Any, bool]:
    """Return the float32 matrix product of NumPy's BLAS: path, address, and whether its integers have 64 bits."""
    paths = [info["filepath"] for info in blas_libraries()]
    for path in sorted(paths, key=lambda path: "numpy" not in path):
        blas = ctypes.CDLL(path)
        for name, wide in SGEMM:
            if hasattr(blas, name):
                return path, ctypes.cast(blas[name], ctypes.c_void_p), wide
    return None, None, False
