"""Signals that stop a training after its current step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from backlight.training.trainer import Trainer


@contextmanager
def stopped_by(
    trainer: Trainer, *numbers: signal.Signals, also: Callable[[signal.Signals], None] = lambda _: None
) -> Iterator[None]:
    """Context manager in which these signals stop the trainer after its current step, with everything saved.

    A second signal has its usual effect. An ignored signal stays ignored, as after `nohup`, except Ctrl-C. Only the
    main thread can handle signals; in another thread, nothing changes.

    Args:
        trainer: the trainer to stop.
        numbers: the signals.
        also: called with the signal that arrived.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        trainer.request_stop()
        also(signal.Signals(number))
        signal.signal(number, before[signal.Signals(number)])

    before: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
                if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                    before[number] = signal.signal(number, ask)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
