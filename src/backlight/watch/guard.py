"""Leaving a network, and random numbers, as they were."""

from types import TracebackType
from typing import Self

from backlight.core import ConfigError
from backlight.watch.adapter import Adapter


class Guard:
    """What happens inside `with Guard(adapter):` to weights, buffers, gradients, modes and random states is undone.

    Each of them is put back by itself, so that one that cannot be does not keep the others from it.

    Args:
        adapter: the network and its framework.

    Raises:
        ConfigError: on leaving: something could not be put back.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __enter__(self) -> Self:
        self._undo = list(self._adapter.undo_list())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed: list[tuple[str, Exception]] = []
        for what, undo in self._undo:
            try:
                undo()
            except Exception as reason:  # noqa: BLE001  (whatever it is, the others are still to be put back)
                failed.append((what, reason))
        self._undo = []
        if failed and error is None:
            what, cause = failed[0]
            raise ConfigError(
                f"a network that is examined is put back as it was; this could not be: {what} "
                f"({type(cause).__name__}: {cause!s:.80}). Make the network anew before you train it."
            ) from cause
