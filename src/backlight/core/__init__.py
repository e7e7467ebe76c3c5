"""Shared foundations, without imports from the rest of the package: errors, checks of arguments, small records."""

from backlight.core.arrays import (
    BOUNDARY,
    NOT_A_TARGET,
    Array,
    Batch,
    BoolArray,
    EncodedItems,
    FloatArray,
    IntArray,
    all_below,
)
from backlight.core.comparison import Comparison, compare
from backlight.core.errors import (
    BacklightError,
    ConfigError,
    DataError,
    DomainError,
    GradientError,
    GraphError,
    IndexingError,
    MissingNameError,
    OperandError,
    RunError,
    ShapeError,
    VocabularyError,
)

__all__ = [
    "BOUNDARY",
    "NOT_A_TARGET",
    "Array",
    "BacklightError",
    "Batch",
    "BoolArray",
    "Comparison",
    "ConfigError",
    "DataError",
    "DomainError",
    "EncodedItems",
    "FloatArray",
    "GradientError",
    "GraphError",
    "IndexingError",
    "IntArray",
    "MissingNameError",
    "OperandError",
    "RunError",
    "ShapeError",
    "VocabularyError",
    "all_below",
    "compare",
]
