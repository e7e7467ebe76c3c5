"""The files of a training that may still go on, as messages for a viewer: all so far, and what is new."""

from pathlib import Path
from typing import Protocol

from backlight.core import DataError, RunError
from backlight.runs import RunDirectory, RunStore
from backlight.runs.kept import kept_steps
from backlight.runs.locking import is_trained
from backlight.runs.store import HEALTH, RESULT, SAMPLED
from backlight.studio import messages
from backlight.studio.line_index import LineIndex
from backlight.studio.live_diagnosis import LiveDiagnosis
from backlight.studio.messages import State
from backlight.studio.metrics import Metrics
from backlight.studio.stored_lines import StoredLines
from backlight.training.branching import branch_steps
from backlight.training.control import paused_at
from backlight.training.run_watcher import load_measurements, with_losses
from backlight.watch.records import Measurements
from backlight.watch.stream_reader import read_stream


class Lines(Protocol):
    """Lines of a record stream that grows."""

    @property
    def count(self) -> int:
        """How many there are."""

    def grow(self) -> bool:
        """Take in what is new. Return False if the lines so far have changed: then start anew."""

    def lines(self, since: int = 0, *, share: float = 1.0) -> list[bytes]:
        """Return the lines from one on, thinned if they are many, to a share of what a page gets at most."""


class RunRecording:
    """A training as messages.

    Args:
        where: the folder of a run, or a file written by `watch(..., record_to=FILE)`; or a run, such as one in memory.
        trained: whether a run in memory is being trained; a folder says so itself.

    Attributes:
        path: the folder or file; that of a run in memory is its name.
        run: the run; None for a file.
        trained: see above.

    Raises:
        RunError, DataError: it is neither.
    """

    def __init__(self, where: Path | RunStore, *, trained: bool = False) -> None:
        self.run: RunStore | None = None
        if isinstance(where, RunStore):
            self.path, self.run = where.path if isinstance(where, RunDirectory) else Path(where.name), where
        else:
            self.path = where
            self.run = RunDirectory.open(where) if where.is_dir() else None
        self.trained = trained
        if self.run is None:
            _check_stream(self.path)
        self._begin()

    @property
    def in_folder(self) -> bool:
        """Whether it is a run in a folder, which others can ask something of."""
        return isinstance(self.run, RunDirectory)

    def _begin(self) -> None:
        self._is_watched = self.run is None or self.run.has(HEALTH)
        self._lines: Lines
        if self.run is None:
            self._lines = LineIndex(self.path)
        else:
            self._lines = self._lines_of(HEALTH) if self._is_watched else Metrics(self.run)
        self._sampled = self._lines_of(SAMPLED)
        self._doctor = LiveDiagnosis(self.path.name)
        self._told = (0, 0)
        self._state = self._checkpoints = b""
        self._signs: object = None

    def _lines_of(self, name: str) -> Lines:
        in_memory = self.run is not None and not self.in_folder
        return StoredLines(self.run, name) if in_memory and self.run else LineIndex(self.path / name)

    def news(self) -> list[bytes] | None:
        """Return the messages about what is new since the last call; None if the page must start anew, with `whole`.

        Raises:
            BacklightError: a file is damaged.
            OSError: a file cannot be read.
        """
        signs = self._read_signs()
        if signs == self._signs:
            return []
        if not self._grow():
            self._begin()
            self.news()
            return None
        lines, sampled = self._told
        self._told = self._lines.count, self._sampled.count
        found = []
        if new := self._lines.lines(lines) if self._lines.count > lines else []:
            found.append(messages.records(new))
            self._doctor.take(new)
        if self._sampled.count > sampled:
            found += self._sampled.lines(sampled)
        checkpoints, state = self.checkpoints(), self.state()
        if checkpoints != self._checkpoints:
            self._checkpoints = checkpoints
            found.append(checkpoints)
        if state != self._state:
            self._state = state
            found.append(state)
        self._signs = signs
        return found

    def _read_signs(self) -> object:
        """Return what changes with everything that `news` tells: dates and sizes of files, and who trains.

        The folder's date changes with the files that are replaced as a whole.
        """
        if self.run is not None and not self.in_folder:
            return self.is_trained, self.run.sizes()
        stream = self.path if self.run is None else self.path / HEALTH
        return self.is_trained, [_sign(one) for one in (self.path, stream, self.path / SAMPLED)]

    @property
    def is_trained(self) -> bool:
        """Whether a process trains the run."""
        return is_trained(self.path) if self.in_folder else self.trained

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes unless somebody resumes the training."""
        if self.run is None:
            return self._lines.count > 0 and self._lines.lines(self._lines.count - 1)[-1].startswith(b'{"type":"end"')
        return not self.is_trained and (self.run.has(RESULT) or self.run.has_checkpoint or not self.in_folder)

    def diagnose(self) -> list[bytes]:
        """Return what the doctor says of what `news` returned, if it is time to look; it may take a second.

        Nothing for a training that is not watched: only its losses are known.

        Raises:
            DataError: a line of the record stream is damaged.
        """
        return self._doctor.look() if self._is_watched else []

    @property
    def is_diagnosed(self) -> bool:
        """Whether the doctor has seen everything that `news` returned."""
        return not self._is_watched or self._doctor.is_up_to_date

    def _grow(self) -> bool:
        if self.run is not None and not self._is_watched and self.run.has(HEALTH):
            return False  # the training has begun, and it is watched
        return self._lines.grow() and self._sampled.grow()

    def whole(self, *, share: float = 1.0) -> list[bytes]:
        """Return all messages so far, for a page that begins.

        Args:
            share: of what a page gets of a long recording at most, how much is taken.

        Raises:
            BacklightError: a file is damaged.
            OSError: a file cannot be read.
        """
        stream = messages.records(self._lines.lines(share=share))
        rest = [one for one in (self._checkpoints, self._state) if one]
        return [self._hello(), stream, *self._sampled.lines(), *self._doctor.told, *rest]

    def facts(self) -> list[tuple[str, str]]:
        """Return what is known of the run besides its records, as pairs of a name and a value."""
        if self.run is None:
            return []
        config = self.run.config
        train, branch = config.get("train") or {}, config.get("branch")
        facts = {
            "model": config["model"]["name"], "text": config["corpus"]["name"],
            "parameters": f"{config['parameters']:,}" if config.get("parameters") else None,
            "learning rate": f"{train['lr']:g}" if "lr" in train else None, "seed": str(config["seed"]),
            "branch of": f"{Path(branch['run']).name} at step {branch['step']:,}" if branch else None,
        }  # fmt: skip
        return [(name, str(value)) for name, value in facts.items() if value is not None]

    def _hello(self) -> bytes:
        steps = None if self.run is None else (self.run.config.get("train") or {}).get("steps")
        return messages.hello(title=self.path.name, facts=self.facts(), total_steps=steps, live=True)

    def measured(self) -> Measurements:
        """Return what is recorded so far; of a run that is not watched, its losses.

        Raises:
            BacklightError: a file is damaged.
            OSError: a file cannot be read.
        """
        if self.run is None:
            return read_stream(self.path)
        found = load_measurements(self.run)
        unwatched = Measurements(framework="backlight", source="watch", model=self.run.config["model"]["name"])
        return with_losses(unwatched, self.run) if found is None else found

    def checkpoints(self) -> bytes:
        """Return the message about the steps from which the training can be branched; nothing without a folder."""
        if self.run is None or not self.in_folder:
            return b""  # a record of another loop, or a run in memory
        return messages.checkpoints(branch_steps(self.run), sum(kept_steps(self.run).values()))

    def state(self) -> bytes:
        """Return the message about the process that trains."""
        if self.run is None:
            return messages.state("watched", 0)
        if self.is_trained:
            step = paused_at(self.run)
            return messages.state("training", 0) if step is None else messages.state("paused", step)
        state: State = "finished" if self.run.load_result() else "stopped" if self.run.has_checkpoint else "waiting"
        return messages.state(state, 0)


def _sign(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _check_stream(path: Path) -> None:
    try:
        with path.open("rb") as file:
            first = file.read(16)
    except FileNotFoundError as error:
        raise RunError(f"there is no run and no record stream at {path}. Correct the path.") from error
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
    if first and not first.startswith(b'{"type":"start"'[: len(first)]):
        raise DataError(
            f"a record stream begins with a line of type start; {path} begins otherwise. Name another file."
        )
