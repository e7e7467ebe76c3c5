"""Examples joined into a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backlight.autograd import Tensor, stack
from backlight.core import OperandError, ShapeError


def default_collate(batch: Sequence[Any]) -> Any:
    """Return examples as a batch: tensors, arrays and numbers stacked along a new first axis.

    Strings stay a list. Tuples, lists and dicts are joined field by field.

    Args:
        batch: B examples of the same kind.

    Raises:
        ShapeError: tensors of different shapes, or fields of different lengths.
        OperandError: examples of another kind.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch, 0)
    if isinstance(first, (np.ndarray, np.generic)) and first.dtype.kind in "fiub":
        return Tensor(np.stack(list(batch)))
    if isinstance(first, (bool, int)):
        return Tensor(np.array(batch, np.bool_ if isinstance(first, bool) else np.int64))
    if isinstance(first, float):
        return Tensor(np.array(batch, np.float64))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {name: default_collate([one[name] for one in batch]) for name in first}
    if isinstance(first, Sequence):
        if len({len(one) for one in batch}) != 1:
            raise ShapeError(f"the examples of a batch need equally many fields; got {[len(one) for one in batch]}.")
        fields = [default_collate(field) for field in zip(*batch, strict=True)]
        return type(first)(*fields) if hasattr(first, "_fields") else fields
    raise OperandError(
        f"examples must be tensors, arrays, numbers, strings, lists or dicts; got a {type(first).__name__}. "
        "Pass your own collate_fn."
    )
