"""What a tensor says of itself, as PyTorch prints it: its shape, a `Size`, and its element type, a `DType`."""

import math
from typing import Any, Final, SupportsIndex, overload

import numpy as np
from numpy.typing import DTypeLike


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that prints as `torch.Size([2, 3])`, and whose slices and sums are sizes too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape."""
        return math.prod(self)

    @overload
    def __getitem__(self, at: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> "Size": ...
    def __getitem__(self, at: SupportsIndex | slice) -> "int | Size":
        part = tuple.__getitem__(self, at)
        return Size(part) if isinstance(part, tuple) else part

    def __add__(self, other: tuple[Any, ...]) -> "Size":
        return Size(tuple.__add__(self, other))

    def __radd__(self, other: tuple[Any, ...]) -> "Size":
        return Size(other + tuple(self))

    def __mul__(self, times: SupportsIndex) -> "Size":
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__


class DType:
    """A type of elements: it prints as PyTorch's (`torch.float32`), and NumPy takes it wherever it takes a dtype.

    It equals NumPy's dtype of the same elements, and has the same hash.

    Attributes:
        dtype: NumPy's dtype. NumPy reads this attribute.
        kind: NumPy's letter: "f" for floats, "i" and "u" for integers, "b" for booleans.
        name: NumPy's name, such as "float32".
        itemsize: bytes per element.
        is_floating_point: whether the elements are floats.
        is_complex: always False.
        is_signed: whether elements can be negative.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.kind = dtype.kind
        self.name = dtype.name
        self.type = dtype.type
        self.itemsize = dtype.itemsize
        self.is_floating_point = dtype.kind == "f"
        self.is_complex = False
        self.is_signed = dtype.kind in "fi"

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self.dtype == other.dtype
        return isinstance(other, (np.dtype, type, str)) and bool(self.dtype == other)

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return dtype_of, (self.dtype,)


_KNOWN: Final[dict[Any, DType]] = {}


def dtype_of(dtype: DTypeLike) -> DType:
    """Return the `DType` of a NumPy dtype; always the same object for the same dtype."""
    known = _KNOWN.get(dtype)
    if known is None:
        plain = np.dtype(dtype)
        known = _KNOWN[dtype] = _KNOWN.setdefault(plain, DType(plain))
    return known


TYPE_NAMES: Final = {
    "float16": "HalfTensor", "float32": "FloatTensor", "float64": "DoubleTensor", "uint8": "ByteTensor",
    "int8": "CharTensor", "int16": "ShortTensor", "int32": "IntTensor", "int64": "LongTensor", "bool": "BoolTensor",
}  # fmt: skip
"""PyTorch's old names of tensors by the type of their elements; `Tensor.type()` returns them."""
