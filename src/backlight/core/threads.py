"""Threads: how many NumPy's matrix products use, and how many the compiled kernels.

BLAS, NumPy's library of matrix products, and the kernels have threads of their own.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

_kernel_threads: int | None = None  # None outside of `limit_threads`


@contextmanager
def limit_threads(count: int | None, *, blas: int | None = None) -> Iterator[None]:
    """Context manager in which the compiled kernels use `count` threads, and NumPy's matrix products at most `blas`.

    The results of the kernels do not depend on the number of threads; those of BLAS do. So a computation by kernels has
    `blas=1`, and its few products by NumPy are the same as well.

    Args:
        count: the number of threads. The kernels use at most as many as there are processors. None: as outside.
        blas: the largest number of threads of BLAS; None: `count`.
    """
    global _kernel_threads  # noqa: PLW0603  (of the process, as the threads of BLAS are)
    before = _kernel_threads
    with _limited_blas(count if blas is None else blas):
        _kernel_threads = before if count is None else max(1, min(count, processors()))
        try:
            yield
        finally:
            _kernel_threads = before


def kernel_threads() -> int:
    """Return the number of threads that the compiled kernels use.

    Outside of `limit_threads` it is the number of processors, or that of the environment variable OMP_NUM_THREADS,
    which limits BLAS and PyTorch as well.
    """
    return _kernel_threads or _default()


@cache
def _default() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(int(asked), processors())) if asked.isdecimal() else processors()


def processors() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _limited_blas(count: int | None) -> AbstractContextManager[object]:
    """Return a context that limits BLAS. A browser has a single thread, and no threadpoolctl is needed there."""
    if sys.platform == "emscripten":
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(count)
    return limits


def blas_libraries() -> list[dict[str, Any]]:
    """Return facts about each loaded BLAS, such as its path and number of threads; in a browser, none."""
    if sys.platform == "emscripten":
        return []
    from threadpoolctl import threadpool_info

    return [info for info in threadpool_info() if info["user_api"] == "blas"]
