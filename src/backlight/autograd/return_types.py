"""The pairs that `max(dim)`, `sort` and others return: `torch.return_types`, with the names and texts of PyTorch."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Picked(NamedTuple, Generic[T]):
    """Elements that were picked along an axis, and their indices."""

    values: T
    indices: T

    def __repr__(self) -> str:
        return f"torch.return_types.{type(self).__name__}(\nvalues={self.values!r},\nindices={self.indices!r})"


class max(Picked[T]):
    """The result of `max(dim)`."""

    __slots__ = ()


class min(Picked[T]):
    """The result of `min(dim)`."""

    __slots__ = ()


class sort(Picked[T]):
    """The result of `sort`."""

    __slots__ = ()


class topk(Picked[T]):
    """The result of `topk`."""

    __slots__ = ()


class median(Picked[T]):
    """The result of `median(dim)`."""

    __slots__ = ()


class mode(Picked[T]):
    """The result of `mode`."""

    __slots__ = ()
