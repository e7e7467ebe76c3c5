"""The folder of the runs: finding a run, summaries of all runs, and a name for the next one."""

import difflib
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from backlight.core import RunError
from backlight.runs.directory import RunDirectory
from backlight.runs.failures import cannot_read, shown
from backlight.runs.locking import is_trained
from backlight.runs.store import CHECKPOINT, CONFIG, PRETRAINED, VOCABULARY, WEIGHTS

_LONGEST_SHOWN = 60
_LONGEST_NAME = 40  # characters of a corpus in a folder's name; with four bytes each, file systems still accept it


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The summary of a run. An attribute is None if the run does not have it.

    Attributes:
        path: the folder of the run.
        model: the name of the model.
        corpus: the name of the corpus.
        created: time of creation, ISO 8601, UTC.
        parameters: number of parameters or counts.
        step: the last recorded step.
        dev_nats: the best dev loss, in nats per character.
        state: "training" while a process trains it, "finished" with a result, "stopped" with a checkpoint to resume
            from, "imported" if the model was trained elsewhere, "started" with none of these.
        problem: why the run cannot be opened; None if it can.
    """

    path: Path
    model: str | None = None
    corpus: str | None = None
    created: str | None = None
    parameters: int | None = None
    step: int | None = None
    dev_nats: float | None = None
    state: str = "started"
    problem: str | None = None


def new_run_path(root: str | Path, corpus: str, model: str) -> Path:
    """Return a path for the next run, such as `runs/names-mlp-3`. Nothing is written.

    Args:
        root: the folder of the runs; it need not exist.
        corpus: the name of a corpus, the path of a file, or "-" for standard input.
        model: the name of the model.

    Raises:
        RunError: `root` is not a folder, or cannot be read.
    """
    root, name = Path(root), f"{_folder_name(corpus)}-{_folder_name(model)}"
    # one more than the highest number, so that the name of a deleted run is not used again while later runs exist;
    # case-insensitive, as some file systems are
    pattern = re.compile(re.escape(name.casefold()) + r"-([0-9]{1,9})")
    matches = [pattern.fullmatch(entry.casefold()) for entry in _entries(root)]
    highest = max((int(match[1]) for match in matches if match), default=0)
    return root / f"{name}-{highest + 1}"


def list_runs(root: str | Path) -> list[RunSummary]:
    """Summarise the runs in a folder, oldest first. Runs that cannot be opened come last.

    A folder that does not exist has no runs.

    Raises:
        RunError: `root` is not a folder, or cannot be read.
    """
    root = Path(root)
    paths = [root / entry for entry in _entries(root) if not entry.startswith(".")]
    summaries = [_summarise(path) for path in paths if _looks_like_a_run(path)]
    return sorted(summaries, key=lambda run: (run.created is None, run.created or "", _natural(run.path.name)))


def find_run(given: str | Path, root: str | Path = "runs") -> RunDirectory:
    """Open the run with this path, or with this name in `root`.

    Raises:
        RunError: there is no such run, or it cannot be opened.
    """
    given, root = Path(given), Path(root)
    inside = root / given
    if os.path.lexists(inside) and not os.path.lexists(given / CONFIG):
        return RunDirectory.open(inside)
    if os.path.lexists(given):
        return RunDirectory.open(given)
    text = str(given) if len(str(given)) <= _LONGEST_SHOWN else str(given)[:_LONGEST_SHOWN] + "..."
    raise RunError(
        f"a run must be a folder, or a name in {shown(root)}; there is no {shown(text)!r}. {_others(given.name, root)}"
    )


def _others(name: str, root: Path) -> str:
    names = [run.path.name for run in list_runs(root)]
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return f"There are: {', '.join(names[-5:])}." if names else "Make one: backlight train"


def _entries(root: Path) -> list[str]:
    try:
        return os.listdir(root)  # noqa: PTH208  names, not paths
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_read(root, error, remedy="Choose another folder for the runs") from error


def _looks_like_a_run(path: Path) -> bool:
    """Return whether a path has the files of a run, even of a damaged one."""
    return any(os.path.lexists(path / name) for name in (CONFIG, VOCABULARY, WEIGHTS, CHECKPOINT))


def _summarise(path: Path) -> RunSummary:
    try:
        run = RunDirectory.open(path)
        result, records = run.load_result(), run.load_metrics()
    except RunError as error:
        return RunSummary(path=path, problem=str(error))
    known = {**run.config, **(result or {})}
    last_step = max((record["step"] for record in records if _number(record.get("step"))), default=None)
    losses = [record["dev_nats"] for record in records if _number(record.get("dev_nats"))]
    corpus = _name(known.get("corpus"))
    unfinished = "stopped" if run.has_checkpoint else "imported" if corpus == PRETRAINED else "started"
    state = unfinished if result is None else "finished"
    return RunSummary(
        path=path,
        model=_name(known.get("model")),
        corpus=corpus,
        created=_name(run.config.get("created")),
        parameters=_number(known.get("parameters")),
        step=last_step if result is None else _number(result.get("steps", last_step)),
        dev_nats=min(losses, default=None) if result is None else _number(result.get("dev_nats")),
        state="training" if is_trained(path) else state,
    )


def _name(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("name")
    return value if isinstance(value, str) else None


def _number(value: Any) -> Any:
    """Return a number unchanged, and None for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _folder_name(text: str) -> str:
    """Return the name of a text with letters, digits and marks of any script, and hyphens for everything else."""
    if text == "-":
        return "stdin"
    stem = unicodedata.normalize("NFC", PurePath(text).stem)
    kept = "".join(character if _belongs_in_a_name(character) else "-" for character in stem)
    return re.sub("-+", "-", kept[:_LONGEST_NAME]).strip("-") or "text"


def _belongs_in_a_name(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LNM"


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts run 10 after run 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split("([0-9]{1,9})", name)]
