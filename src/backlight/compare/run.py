"""Train models in parallel, each in its own process.

A small network cannot keep two cores busy, and a process that the system kills does not stop the others.
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

_SAMPLES = 2  # a separate random stream, as in `backlight train`
_STREAM_LENGTH = 40


@dataclass(frozen=True)
class Failure:
    """A model whose training failed.

    Attributes:
        model: the model's name.
        reason: why it failed, in one line.
    """

    model: str
    reason: str


class Callbacks(Protocol):
    """Methods that are called while models are trained."""

    def on_progress(self, model: str, progress: Progress) -> None:
        """Report the progress of a model, several times a second."""

    def on_result(self, model: str, row: Mapping[str, Any]) -> None:
        """Report the row of a model that is trained."""

    def on_failure(self, failure: Failure) -> None:
        """Report a model whose training failed."""


def compare_models(
    configs: Sequence[RunConfig], folder: str | Path, callbacks: Callbacks, *, jobs: int, samples: int = 5,
    stdin: bytes | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Train each configuration, `jobs` at a time, and return a row for each that succeeds, in the order given.

    A row is the result of `Run.evaluate` with `characters_per_second` and `samples`. It does not depend on `jobs`.

    Args:
        configs: configurations of different models.
        folder: the folder for the runs, each named after its model.
        callbacks: called while the models are trained.
        jobs: number of processes, at least 1.
        samples: number of new items to draw from each model; for running text, pieces of 40 characters.
        stdin: the content of standard input, for the corpus "-".
    """
    waiting = sorted(configs, key=lambda config: -config.spec.cost)  # slowest first, so that it does not end last
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
    """The running processes, and the pipes through which they report."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")  # a fork would copy BLAS's threads in an undefined state
        self.working: dict[Connection, tuple[str, SpawnProcess]] = {}

    def __len__(self) -> int:
        return len(self.working)

    def start(self, config: RunConfig, path: Path, samples: int, stdin: bytes | None) -> None:
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_work, args=(theirs, config, path, samples, stdin), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends if the process dies
        self.working[ours] = (config.model, process)

    def receive(self) -> Iterator[tuple[str, Any]]:
        """Wait for reports and yield them. A process that has sent its last report is removed."""
        for pipe in wait(list(self.working)):
            assert isinstance(pipe, Connection)  # noqa: S101  (only connections were waited for)
            model, process = self.working[pipe]
            try:
                message = pipe.recv()
            except EOFError:
                process.join()
                message = Failure(model, f"its process ended early with exit code {process.exitcode}.")
            if not isinstance(message, Progress):
                del self.working[pipe]
                pipe.close()
                process.join()
            yield model, message

    def terminate(self) -> None:
        """Terminate the processes that are still running. What their runs have saved is kept."""
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
    """Train one model in this process, and report through the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent handles it
    given = None if stdin is None else BytesIO(stdin)
    try:
        message: Any = train_one(config, path, on_progress=pipe.send, samples=samples, stdin=given)
    except BacklightError as error:
        message = Failure(config.model, str(error))
    except MemoryError:
        message = Failure(config.model, "there is not enough memory. Use a shorter text, or fewer --jobs.")
    except BrokenPipeError:
        return  # the parent process is gone
    pipe.send(message)


def train_one(
    config: RunConfig, path: Path, *, on_progress: Callable[[Progress], None], samples: int, stdin: BytesIO | None
) -> dict[str, Any]:
    """Train one model and return its row; see `compare_models`.

    Args:
        config: the configuration.
        path: the folder of the run.
        on_progress: called several times a second.
        samples: number of new items to draw.
        stdin: the content of standard input, for the corpus "-".
    """
    run = Run.create(config, path, stdin=stdin)

    def setup(trainer: Trainer) -> None:
        trainer.on_progress = on_progress

    run.train(setup)
    result = run.result
    assert result is not None  # noqa: S101  (the training was not stopped)
    data = run.data["train"]
    batches = 1.0 if config.train is None else result["steps"] * config.train.batch_size / len(data)
    drawn = _draw(run, samples) if samples else []
    run.store.save_samples("".join(text + "\n" for text in drawn))
    return {**result, "characters_per_second": batches * data.characters / result["seconds"], "samples": drawn}


def _draw(run: Run, count: int) -> list[str]:
    """Return new items, or pieces of running text. There may be fewer items than `count`."""
    rng = np.random.default_rng([run.config.seed, _SAMPLES])
    model, vocabulary = run.model, run.vocabulary
    if not run.ends:
        config = SampleConfig(max_length=_STREAM_LENGTH)
        return [one.text for one in sample_batch(model, vocabulary, count, config=config, rng=rng, ends=False)]
    known = run.training_hashes()
    config = SampleConfig(labels=run.labels)
    try:
        found = sample_items(model, vocabulary, count, config=config, rng=rng, novel_to=known, unique=True)
    except NotEnoughError as error:
        found = error.found
    except DomainError:  # without smoothing, a context may have no counts
        return []
    return [run.composed(one.text) for one in found]
