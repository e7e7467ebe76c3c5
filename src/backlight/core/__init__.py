"""What everything else may use and that uses nothing of ours: errors, array aliases, small shared records."""

from backlight.core.arrays import Array, BoolArray, FloatArray, IntArray, all_below
from backlight.core.batch import NOT_A_TARGET, Batch
from backlight.core.comparison import Comparison, compare
from backlight.core.encoded import BOUNDARY, EncodedItems
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
