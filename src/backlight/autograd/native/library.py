"""The compiled kernels, if they are there, and the BLAS that some of their products go to."""

import ctypes
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from threadpoolctl import threadpool_info

from backlight.autograd.native.building import LIBRARY, fingerprint
from backlight.core import FloatArray

SWITCH = "BACKLIGHT_NATIVE"
"""The environment variable that, set to 0, leaves all work to NumPy."""

SGEMM = (("scipy_cblas_sgemm64_", True), ("cblas_sgemm64_", True), ("scipy_cblas_sgemm", False), ("cblas_sgemm", False))
"""What a float32 product may be called, and whether its whole numbers have 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """The kernels for this processor.

    Attributes:
        run: (address of the steps, how many, rows of the batch) -> 0, or 1 if an id was not in its table.
        kernels: the names of all kernels; a step has the place of its kernel.
        adamw: (data, grad, mean, square, decaying or None, numbers): see optimisers.h. All float32, in one piece.
        blend: (moved, by, keep, take): optim/blending.py. Both arrays float32, in one piece.
        level: 4 with AVX-512, 3 with AVX2, 1 otherwise.
        blas: the file that some products come from; None if the kernels make them all.
    """

    run: Callable[[int, int, int], int]
    kernels: tuple[str, ...]
    adamw: Callable[..., None]
    blend: Callable[[FloatArray, FloatArray, float, float], None]
    level: int
    blas: str | None


@lru_cache(maxsize=1)
def library() -> Library | None:
    """Return the kernels, or None: they were not built, or from other sources, or are switched off."""
    if os.environ.get(SWITCH) == "0" or not LIBRARY.is_file():
        return None
    try:
        loaded = ctypes.CDLL(str(LIBRARY))
    except OSError:  # of another kind of machine
        return None
    level = loaded.level()
    return kernels(loaded, level) if loaded[f"fingerprint_{level}"]() == fingerprint() else None


def kernels(loaded: ctypes.CDLL, level: int, *, with_blas: bool = True) -> Library:
    """Return the kernels of one level, which must not be above this processor's."""
    run, use_blas = loaded[f"run_{level}"], loaded[f"use_blas_{level}"]
    run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
    use_blas.argtypes = [ctypes.c_void_p, ctypes.c_int]
    path, sgemm, wide = _sgemm() if with_blas else (None, None, False)
    use_blas(sgemm, wide)
    return Library(
        run=run,
        kernels=tuple(_names(loaded, level)),
        adamw=_adamw(loaded, level),
        blend=_blend(loaded, level),
        level=level,
        blas=path,
    )


def _names(loaded: ctypes.CDLL, level: int) -> Iterator[str]:
    name_of = loaded[f"kernel_name_{level}"]
    name_of.argtypes = [ctypes.c_int64]
    name_of.restype = ctypes.c_char_p
    place = 0
    while (name := name_of(place)) is not None:
        yield name.decode()
        place += 1


def _adamw(loaded: ctypes.CDLL, level: int) -> Callable[..., None]:
    kernel = loaded[f"adamw_{level}"]
    kernel.argtypes = [ctypes.c_int64, *[ctypes.c_void_p] * 6]
    kernel.restype = None

    def adamw(*arrays: FloatArray | None) -> None:
        assert arrays[0] is not None  # noqa: S101  (the parameters)
        places = [None if array is None else array.__array_interface__["data"][0] for array in arrays]
        kernel(arrays[0].size, *places)

    return adamw


def _blend(loaded: ctypes.CDLL, level: int) -> Callable[[FloatArray, FloatArray, float, float], None]:
    kernel = loaded[f"blend_{level}"]
    kernel.argtypes = [ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_float]
    kernel.restype = None

    def blend(moved: FloatArray, by: FloatArray, keep: float, take: float) -> None:
        places = [array.__array_interface__["data"][0] for array in (moved, by)]
        kernel(moved.size, *places, keep, take)

    return blend


def blas_threads() -> int:
    """Return how many threads NumPy's BLAS may use now."""
    return max((info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"), default=1)


def _sgemm() -> tuple[str | None, Any, bool]:
    """Return NumPy's product of float32 matrices: its file, its address, and whether its whole numbers have 64 bits."""
    paths = [info["filepath"] for info in threadpool_info() if info["user_api"] == "blas"]
    for path in sorted(paths, key=lambda path: "numpy" not in path):
        blas = ctypes.CDLL(path)
        for name, wide in SGEMM:
            if hasattr(blas, name):
                return path, ctypes.cast(blas[name], ctypes.c_void_p), wide
    return None, None, False
