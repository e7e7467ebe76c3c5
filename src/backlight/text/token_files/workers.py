"""A function applied to many tasks by several processes, with the results in the order of the tasks."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, Final, TypeVar

from backlight.core import ProcessEndedError

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD: Final = 3
"""How many tasks each process has, at most, that are not taken yet: this bounds the memory."""


def in_order(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    processes: int,
    setup: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Iterator[Result]:
    """Yield `function(task)` for each task, in order, computed by this many processes.

    Args:
        function: a function of a module, which other processes can import.
        tasks: what it is applied to.
        processes: the number of processes; 1 computes in this one.
        setup: is called once in each process, before the first task.
        arguments: of `setup`.

    Raises:
        ProcessEndedError: a process was ended from outside.
    """
    if processes == 1:
        if setup is not None:
            setup(*arguments)
        yield from map(function, tasks)
        return
    # a copy of this process starts at once, but would have the locks of threads that it does not have
    is_safe = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if is_safe else "spawn")
    pool = ProcessPoolExecutor(processes, context, _begin, (setup, arguments))
    waiting: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) == AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise ProcessEndedError(
            "the processes must run to the end; one was ended, perhaps because memory was short. Try fewer --processes."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(setup: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Prepare a process: Ctrl-C is for the first one, and nothing goes on without it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101  (this is a child)

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    if setup is not None:
        setup(*arguments)
