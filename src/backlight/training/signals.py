"""Signals that end a training after its step, with everything saved."""

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
    """Let these signals end the loop after its step, with everything saved; a second one has its usual effect.

    A signal that is ignored stays ignored, as after `nohup`, but for Ctrl-C. Only the main thread can handle signals:
    in another one, nothing is changed.

    Args:
        trainer: is asked to stop.
        numbers: the signals.
        also: called with the signal that came.
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
