"""A function of one example in Values, as a function of a whole batch in arrays."""

from backlight.autograd.batching.function import Batched, batched

__all__ = ["Batched", "batched"]
