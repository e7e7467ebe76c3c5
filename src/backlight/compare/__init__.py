"""Train several models on one text, and compare them in a table."""

from backlight.compare.configs import comparison
from backlight.compare.run import Callbacks, Failure, compare_models
from backlight.compare.table import as_markdown

__all__ = ["Callbacks", "Failure", "as_markdown", "compare_models", "comparison"]
