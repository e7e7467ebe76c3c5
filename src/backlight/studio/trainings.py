"""Trainings that a page starts, each in a process of its own by the command line, and that outlive page and server."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backlight.core import ConfigError, RunError
from backlight.core.settings import from_json
from backlight.models import MODELS
from backlight.runs import new_run_path, write_atomically
from backlight.runs.locking import is_trained
from backlight.training import RunConfig

TEXTS: Final = "texts"
"""The folder, beside the runs, of texts that were pasted or dropped."""

MOST_TEXT: Final = 20_000_000
"""Characters of a text that a page may send. A longer one is trained on from its file: `backlight train FILE`."""

KEPT: Final = 10
"""Checkpoints that a training keeps at most that is started from a page."""

MOST_KEPT_BYTES: Final = 1_000_000_000
"""Of a large network fewer are kept, so that they have at most about this many bytes together."""

_BYTES_A_PARAMETER: Final = 20
"""Of a kept checkpoint: weights, their average, two means of AdamW, and the best weights, in float32."""

_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A training that a page asks for.

    Attributes:
        text: the text, an item a line.
        name: of the text; empty for "pasted".
        model: a name in the table of models.
        steps, lr: of the training; None for the model's default.
        start: the run whose weights it begins with; None for random ones.
        at_step: continue the training of `start` from its checkpoint of this step; None begins at step 0.
        line: a line of text to watch the network on; None for a held-out one.
    """

    text: str = ""
    name: str = ""
    model: str = "mlp"
    steps: int | None = None
    lr: float | None = None
    start: str | None = None
    at_step: int | None = None
    line: str | None = None

    @classmethod
    def from_json(cls, values: Any) -> "Wish":
        """Return the training that an object in JSON asks for.

        Raises:
            ConfigError: an entry is unknown, of the wrong type or out of range; or there is no text.
        """
        if not isinstance(values, Mapping):
            raise ConfigError("a training is asked for by an object in JSON; got something else.")
        wish = from_json(cls, values)
        if not wish.text.strip() and wish.start is None:
            raise ConfigError("a training needs a text; got an empty one. Paste some lines, or drop a file.")
        if wish.at_step is not None and (wish.start is None or wish.text.strip()):
            raise ConfigError(
                "a branch goes on with the text of its parent; got at_step without start, or with a text."
            )
        if len(wish.text) > MOST_TEXT:
            raise ConfigError(
                f"a page may send {MOST_TEXT:,} characters; got {len(wish.text):,}. Train on the file by a command: "
                "backlight train FILE."
            )
        if wish.model not in MODELS:
            raise ConfigError(f"model must be one of {', '.join(MODELS)}; got {wish.model!r:.40}. Choose one of them.")
        options = {name: getattr(wish, name) for name in ("steps", "lr") if getattr(wish, name) is not None}
        RunConfig.of("names", model=wish.model, **options)
        return wish


class Trainings:
    """Starts trainings in processes of their own.

    Args:
        runs: the folder of the runs.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, wish: Wish, *, parameters: int | None = None) -> Path:
        """Start a training, and return the path of its run.

        Args:
            wish: the training.
            parameters: of the run that it begins with, which say how many checkpoints are kept.

        Raises:
            RunError: the text cannot be written, or the training fails before it begins; the message says why.
        """
        path = self._path(wish)
        words = ["--name", path.name, "--runs", str(self._runs)]
        if wish.text.strip():
            text = self._runs / TEXTS / f"{path.name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(text, wish.text.encode("utf-8", "replace"))
            words.append(str(text))
        words += ["--model", wish.model] if wish.start is None else ["--from", wish.start]
        for option, value in (("--steps", wish.steps), ("--lr", wish.lr), ("--at-step", wish.at_step)):
            words += [] if value is None else [option, str(value)]
        if not MODELS[wish.model].counted and wish.at_step is None:  # a branch keeps and records what its parent does
            words += ["--health"] if wish.line is None else ["--line", wish.line]
            kept = min(KEPT, MOST_KEPT_BYTES // (_BYTES_A_PARAMETER * (parameters or 1)))
            words += ["--keep-checkpoints", str(kept)] if kept else []
        self._run(["train", *words], path.exists)
        return path

    def _path(self, wish: Wish) -> Path:
        """Return a path for the run, such as `names-mlp-1-at-500-1` for a branch."""
        if wish.start is None:
            return new_run_path(self._runs, wish.name or "pasted", wish.model)
        name = Path(wish.start).name
        if wish.at_step is None:
            return new_run_path(self._runs, name, wish.model)
        return new_run_path(self._runs, f"{name}-at", str(wish.at_step))

    def resume(self, path: Path) -> None:
        """Go on with the training of a run.

        Raises:
            RunError: it cannot go on; the message says why.
        """
        self._run(["train", "--resume", str(path)], lambda: is_trained(path))

    def _run(self, words: list[str], begun: Callable[[], bool]) -> None:
        """Run a command in a process of its own, and return once the training has begun.

        Raises:
            RunError: it fails before, with what it says last.
        """
        self._processes = [one for one in self._processes if one.poll() is None]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(  # noqa: S603  our own command; no shell reads the words
                [sys.executable, "-m", "backlight", *words],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
            self._processes.append(process)
            while process.poll() is None and not begun():
                time.sleep(_LOOK_SECONDS)
            if process.poll():
                said.seek(0)
                lines = said.read().decode("utf-8", "replace").strip().splitlines() or ["it said nothing."]
                raise RunError(f"the training did not begin: {lines[-1].removeprefix('backlight: ')}")
