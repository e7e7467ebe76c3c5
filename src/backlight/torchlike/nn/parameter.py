"""`Parameter`: a tensor that a module trains."""

from typing import Any, Self

import numpy as np

from backlight import autograd
from backlight.autograd import as_array
from backlight.core.arguments import check_flag


class Parameter(autograd.Parameter):
    """A tensor that a module lists among its parameters as soon as it is one of its attributes.

    Args:
        data: (...) a tensor, whose array is shared, or anything that `torch.tensor` takes; by default no elements.
        requires_grad: whether the parameter is trained.
    """

    __slots__ = ()

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        check_flag(requires_grad=requires_grad)
        super().__init__(np.empty(0, np.float32) if data is None else as_array(data))
        if not requires_grad:
            self.requires_grad = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = type(self)(np.array(self.array), self.requires_grad)
        if self._grad is not None:
            copied._grad = np.array(self._grad)
        memo[id(self)] = copied
        return copied
