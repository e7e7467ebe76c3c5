"""NumPy's dtypes under PyTorch's names. `float` and `int` have 32 bits, as in PyTorch."""

import numpy as np

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8, int16 = np.dtype(np.int8), np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)

__all__ = [
    "bool", "double", "float", "float32", "float64", "int", "int8", "int16", "int32", "int64", "long", "uint8",
]  # fmt: skip
