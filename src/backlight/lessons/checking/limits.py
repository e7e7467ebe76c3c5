"""Limits of a learner's code, in processor time and in memory. On Windows the process that waits limits the time."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

try:
    import resource
except ImportError:
    WINDOWS = True
else:
    WINDOWS = False

_GRACE = 3
"""Seconds after which the system ends a process that goes on after the exception."""


class OutOfTimeError(BaseException):
    """The processor time is used up. Not an Exception, so that `except Exception` does not stop it."""


def limit_memory(number: int) -> None:
    """Let this process allocate at most so many bytes; then it gets MemoryError."""
    if not WINDOWS:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (number if hard < 0 else min(number, hard), hard))


def no_core_files() -> None:
    """Write no memory dump if the process crashes."""
    if not WINDOWS:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Context manager that raises OutOfTimeError once its block has used so many seconds of processor time.

    If the block catches the exception, it is raised again every second, and the system soon ends the process.
    """
    if WINDOWS:
        yield
        return
    signal.signal(signal.SIGPROF, _out_of_time)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time() + seconds) + _GRACE
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))
    try:
        signal.setitimer(signal.ITIMER_PROF, max(seconds, 0.01), 1.0)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def _out_of_time(number: int, frame: Any) -> None:
    del number, frame
    raise OutOfTimeError
