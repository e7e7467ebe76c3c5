"""The rungs trained side by side, each in a process of its own.

A process a rung, because a small network cannot keep two cores busy, and because one that the system kills shall not
take the others with it.
"""

import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol

from backlight.compare.one import train_one
from backlight.core import BacklightError
from backlight.training import Plan, Progress

# slow rungs first, or the last one would keep everybody waiting
_SLOWEST_FIRST = ("gpt", "lstm", "gru", "wavenet", "rnn", "mlp", "bigram", "ngram")


@dataclass(frozen=True)
class Fallen:
    """A rung that gave no result.

    Attributes:
        model: its name.
        reason: why, in a line.
    """

    model: str
    reason: str


class Listener(Protocol):
    """Who is told how the climb goes."""

    def moved(self, model: str, progress: Progress) -> None:
        """A rung has come further; several times a second."""

    def arrived(self, model: str, row: Mapping[str, Any]) -> None:
        """A rung is done."""

    def fell(self, fallen: Fallen) -> None:
        """A rung gave no result."""


def climb(
    plans: Sequence[Plan], folder: Path, listener: Listener, *, jobs: int, samples: int = 5, stdin: bytes | None = None
) -> list[dict[str, Any]]:
    """Train every plan, `jobs` at a time, and return a row for each that has a result, in the order of the plans.

    A row is what `Session.result` gives, and `characters_per_second` and `samples`. It does not depend on `jobs`.

    Args:
        plans: one a rung, each of another model.
        folder: where each rung's run is kept, under its model's name.
        listener: is told how it goes.
        jobs: processes at a time, at least 1.
        samples: new items to draw from each.
        stdin: what standard input held, for the corpus "-".
    """
    waiting = sorted(plans, key=lambda plan: _SLOWEST_FIRST.index(plan.model))
    rows: dict[str, dict[str, Any]] = {}
    with _crew() as crew:
        while waiting or crew:
            while waiting and len(crew) < jobs:
                plan = waiting.pop(0)
                crew.start(plan, folder / plan.model, samples, stdin)
            for model, message in crew.hear():
                match message:
                    case Progress():
                        listener.moved(model, message)
                    case Fallen():
                        listener.fell(message)
                    case _:
                        rows[model] = message
                        listener.arrived(model, message)
    return [rows[plan.model] for plan in plans if plan.model in rows]


class _Crew:
    """The processes under way, and the pipes from which they are heard."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")  # a fork would take along BLAS's threads in any state
        self.working: dict[Connection, tuple[str, SpawnProcess]] = {}

    def __len__(self) -> int:
        return len(self.working)

    def start(self, plan: Plan, path: Path, samples: int, stdin: bytes | None) -> None:
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_work, args=(theirs, plan, path, samples, stdin), daemon=True)
        process.start()
        theirs.close()  # so that a process that dies ends the pipe
        self.working[ours] = (plan.model, process)

    def hear(self) -> Iterator[tuple[str, Any]]:
        """Wait for news, and give it; a process that has told its last is let go."""
        for pipe in wait(list(self.working)):
            assert isinstance(pipe, Connection)  # noqa: S101  (all that was waited for)
            model, process = self.working[pipe]
            try:
                message = pipe.recv()
            except EOFError:
                process.join()
                message = Fallen(model, f"its process ended early, with exit code {process.exitcode}.")
            if not isinstance(message, Progress):
                del self.working[pipe]
                pipe.close()
                process.join()
            yield model, message

    def dismiss(self) -> None:
        """End what is still under way; what a run has saved stays."""
        for _, process in self.working.values():
            process.terminate()
        for pipe, (_, process) in self.working.items():
            process.join()
            pipe.close()
        self.working.clear()


@contextmanager
def _crew() -> Iterator[_Crew]:
    crew = _Crew()
    try:
        yield crew
    finally:
        crew.dismiss()


def _work(pipe: Connection, plan: Plan, path: Path, samples: int, stdin: bytes | None) -> None:
    """Train one rung in this process, and tell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    given = None if stdin is None else BytesIO(stdin)
    try:
        message: Any = train_one(plan, path, on_progress=pipe.send, samples=samples, stdin=given)
    except BacklightError as error:
        message = Fallen(plan.model, str(error))
    except MemoryError:
        message = Fallen(plan.model, "there is not enough memory for it. Take a shorter text, or fewer --jobs.")
    except BrokenPipeError:
        return  # whoever asked is gone
    pipe.send(message)
