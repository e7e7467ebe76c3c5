"""The types of elements under PyTorch's names. `float` and `int` have 32 bits, as in PyTorch."""

import numpy as np

from backlight.autograd.kinds import DType, dtype_of

dtype = DType

float32 = float = dtype_of(np.float32)
float64 = double = dtype_of(np.float64)
int8, int16 = dtype_of(np.int8), dtype_of(np.int16)
int32 = int = dtype_of(np.int32)
int64 = long = dtype_of(np.int64)
short = int16
uint8 = dtype_of(np.uint8)
bool = dtype_of(np.bool_)

__all__ = [
    "bool", "double", "dtype", "float", "float32", "float64", "int", "int8", "int16", "int32", "int64", "long", "short",
    "uint8",
]  # fmt: skip
