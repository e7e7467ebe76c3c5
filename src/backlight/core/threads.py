"""The library of NumPy's matrix products: which it is, and how many threads it uses."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def limit_threads(count: int | None) -> AbstractContextManager[object]:
    """Return a context in which NumPy's matrix products use at most `count` threads; None: as many as it likes.

    A browser has a single thread, and no threadpoolctl is needed there.
    """
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
