"""Arrays that note which matrix products they take part in, to see whether an answer computes block by block."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray

_PRODUCTS: Final = frozenset({"dot", "inner"})


class Products:
    """The products of rows of length D that an answer computes.

    What an answer first turns into another kind of array is not seen.

    Args:
        length: D, which no other axis of the arrays has as its length.

    Attributes:
        sizes: the number of dot products in each matrix product, in order.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.sizes: list[int] = []

    def watched(self, array: FloatArray) -> FloatArray:
        """Return a view (..., D) of an array whose products are noted."""
        view = array.view(_Watched)
        view.products = self
        return view

    def note(self, one: Any, result: Any) -> None:
        """Note a product whose first factor is `one`, if it multiplies rows of length D."""
        if np.shape(one)[-1:] == (self.length,):
            self.sizes.append(int(np.size(result)))


class _Watched(np.ndarray[Any, Any]):
    """An array whose products are noted, as are those of the arrays that are computed from it."""

    products: Products | None = None

    def __array_finalize__(self, of: Any) -> None:
        self.products = getattr(of, "products", None)

    def __array_ufunc__(self, ufunc: Any, method: Any, *inputs: Any, **settings: Any) -> Any:
        watched = next((one.products for one in inputs if isinstance(one, _Watched)), None)
        out = settings.get("out")
        if out is not None:
            settings["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **settings)
        if ufunc is np.matmul and watched is not None:
            watched.note(inputs[0], result)
        if out is not None or watched is None:
            return out[0] if out is not None and len(out) == 1 else result
        return watched.watched(result) if isinstance(result, np.ndarray) else result

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        result = super().__array_function__(func, types, args, kwargs)
        if func.__name__ in _PRODUCTS and self.products is not None:
            self.products.note(args[0], result)
        return result


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, _Watched) else value
