"""Models trained side by side, each in a process of its own.

A process a model, because a small network cannot keep two cores busy, and because one that the system kills shall not
take the others with it.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backlight.core import BacklightError, DomainError
from backlight.sample import NotEnoughError, SampleConfig, sample_batch, sample_items
from backlight.training import Progress, Run, RunConfig, Trainer

_SAMPLES = 2  # a random stream of its own, as in `backlight train`
_STREAM_LENGTH = 40


@dataclass(frozen=True)
class Failure:
    """A model that gave no result.

    Attributes:
        model: its name.
        reason: why, in a line.
    """

    model: str
    reason: str


class Callbacks(Protocol):
    """What is called while models are trained."""

    def on_progress(self, model: str, progress: Progress) -> None:
        """A model's training has moved on; several times a second."""

    def on_result(self, model: str, row: Mapping[str, Any]) -> None:
        """A model is trained."""

    def on_failure(self, failure: Failure) -> None:
        """A model gave no result."""


def compare_models(
    configs: Sequence[RunConfig], folder: str | Path, callbacks: Callbacks, *, jobs: int, samples: int = 5,
    stdin: bytes | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Train each configuration, `jobs` at a time, and return a row for each that has a result, in the order given.

    A row is what `Run.evaluate` gives, and `characters_per_second` and `samples`. It does not depend on `jobs`.

    Args:
        configs: each of another model.
        folder: where each run is kept, under its model's name.
        callbacks: called while the models are trained.
        jobs: processes at a time, at least 1.
        samples: new items to draw from each; of running text, pieces of 40 characters.
        stdin: what standard input held, for the corpus "-".
    """
    waiting = sorted(configs, key=lambda config: -config.spec.cost)  # or the slowest would keep everybody waiting
    rows: dict[str, dict[str, Any]] = {}
    with _workers() as workers:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                config = waiting.pop(0)
                workers.start(config, Path(folder) / config.model, samples, stdin)
            for model, message in workers.receive():
                match message:
                    case Progress():
                        callbacks.on_progress(model, message)
                    case Failure():
                        callbacks.on_failure(message)
                    case _:
                        rows[model] = message
                        callbacks.on_result(model, message)
    return [rows[config.model] for config in configs if config.model in rows]


class _Workers:
    """The processes under way, and the pipes from which they report."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")  # a fork would take along BLAS's threads in any state
        self.working: dict[Connection, tuple[str, SpawnProcess]] = {}

    def __len__(self) -> int:
        return len(self.working)

    def start(self, config: RunConfig, path: Path, samples: int, stdin: bytes | None) -> None:
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_work, args=(theirs, config, path, samples, stdin), daemon=True)
        process.start()
        theirs.close()  # so that a process that dies ends the pipe
        self.working[ours] = (config.model, process)

    def receive(self) -> Iterator[tuple[str, Any]]:
        """Wait for reports, and give them; a process that has sent its last is let go."""
        for pipe in wait(list(self.working)):
            assert isinstance(pipe, Connection)  # noqa: S101  (all that was waited for)
            model, process = self.working[pipe]
            try:
                message = pipe.recv()
            except EOFError:
                process.join()
                message = Failure(model, f"its process ended early, with exit code {process.exitcode}.")
            if not isinstance(message, Progress):
                del self.working[pipe]
                pipe.close()
                process.join()
            yield model, message

    def terminate(self) -> None:
        """End what is still under way; what a run has saved stays."""
        for _, process in self.working.values():
            process.terminate()
        for pipe, (_, process) in self.working.items():
            process.join()
            pipe.close()
        self.working.clear()


@contextmanager
def _workers() -> Iterator[_Workers]:
    workers = _Workers()
    try:
        yield workers
    finally:
        workers.terminate()


def _work(pipe: Connection, config: RunConfig, path: Path, samples: int, stdin: bytes | None) -> None:
    """Train one model in this process, and report."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    given = None if stdin is None else BytesIO(stdin)
    try:
        message: Any = train_one(config, path, on_progress=pipe.send, samples=samples, stdin=given)
    except BacklightError as error:
        message = Failure(config.model, str(error))
    except MemoryError:
        message = Failure(config.model, "there is not enough memory for it. Use a shorter text, or fewer --jobs.")
    except BrokenPipeError:
        return  # the process that asked is gone
    pipe.send(message)


def train_one(
    config: RunConfig, path: Path, *, on_progress: Callable[[Progress], None], samples: int, stdin: BytesIO | None
) -> dict[str, Any]:
    """Train one model into a folder, and return its row. For arguments and row see `compare_models`."""
    run = Run.create(config, path, stdin=stdin)

    def setup(trainer: Trainer) -> None:
        trainer.on_progress = on_progress

    run.train(setup)
    result = run.result
    assert result is not None  # noqa: S101  (nothing asked it to stop)
    data = run.data["train"]
    batches = 1.0 if config.train is None else result["steps"] * config.train.batch_size / len(data)
    drawn = _draw(run, samples) if samples else []
    run.store.save_samples("".join(text + "\n" for text in drawn))
    return {**result, "characters_per_second": batches * data.targets / result["seconds"], "samples": drawn}


def _draw(run: Run, count: int) -> list[str]:
    """Return items that are not in the text; of a stream, a piece of text. Fewer if they do not turn up."""
    rng = np.random.default_rng([run.config.seed, _SAMPLES])
    model, vocabulary = run.model, run.vocabulary
    if not run.ends:
        config = SampleConfig(max_length=_STREAM_LENGTH)
        return [one.text for one in sample_batch(model, vocabulary, count, config=config, rng=rng, ends=False)]
    known = run.training_hashes()
    try:
        found = sample_items(model, vocabulary, count, config=SampleConfig(), rng=rng, novel_to=known, unique=True)
    except NotEnoughError as error:
        found = error.found
    except DomainError:  # counts without smoothing can lead where nothing was counted
        return []
    return [one.text for one in found]
