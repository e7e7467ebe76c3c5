"""The folder that holds the runs: a name for the next one, and a summary of each."""

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
from backlight.runs.store import CHECKPOINT, CONFIG, VOCABULARY, WEIGHTS

_LONGEST_SHOWN = 60
_LONGEST_NAME = 40  # characters of a corpus in a folder's name; four bytes each still fit what a disk allows


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of a list of runs. What the run does not have is None.

    Attributes:
        path: the run's folder.
        model: the model's name.
        corpus: the corpus's name.
        created: ISO 8601, UTC.
        parameters: how many numbers the model has learnt or counted.
        step: the last step that was recorded.
        dev_nats: the best loss on held-out text that was recorded, nats per character.
        state: "finished" has a result, "stopped" has a checkpoint to resume from, "started" has neither.
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
    """Return a path for the next run, such as `runs/names-mlp-3`; nothing is made.

    Args:
        root: the folder of the runs; it need not exist.
        corpus: a corpus's name, a file's path, or "-" for standard input.
        model: the model's name.

    Raises:
        RunError: `root` is not a folder or cannot be read.
    """
    root, name = Path(root), f"{_folder_name(corpus)}-{_folder_name(model)}"
    # one more than the highest, so that a deleted run's name does not come back while later ones are there;
    # without regard to case, as some disks have none
    pattern = re.compile(re.escape(name.casefold()) + r"-([0-9]{1,9})")
    matches = [pattern.fullmatch(entry.casefold()) for entry in _entries(root)]
    highest = max((int(match[1]) for match in matches if match), default=0)
    return root / f"{name}-{highest + 1}"


def list_runs(root: str | Path) -> list[RunSummary]:
    """Summarise the runs in a folder, oldest first; those that cannot be opened come last, with their problem.

    Raises:
        RunError: `root` is not a folder or cannot be read. A root that does not exist has no runs.
    """
    root = Path(root)
    paths = [root / entry for entry in _entries(root) if not entry.startswith(".")]
    summaries = [_summarise(path) for path in paths if _looks_like_a_run(path)]
    return sorted(summaries, key=lambda run: (run.created is None, run.created or "", _natural(run.path.name)))


def find_run(given: str | Path, root: str | Path = "runs") -> RunDirectory:
    """Open the run with this path or, inside `root`, this name.

    Raises:
        RunError: there is none, or it cannot be opened.
    """
    given, root = Path(given), Path(root)
    inside = root / given
    if os.path.lexists(inside) and not os.path.lexists(given / CONFIG):
        return RunDirectory.open(inside)
    if os.path.lexists(given):
        return RunDirectory.open(given)
    text = str(given) if len(str(given)) <= _LONGEST_SHOWN else str(given)[:_LONGEST_SHOWN] + "..."
    raise RunError(
        f"a run is a folder, or a name in {shown(root)}; there is no {shown(text)!r}. {_others(given.name, root)}"
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
    """Tell a run, even a broken one, from whatever else lies in the folder."""
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
    unfinished = "stopped" if run.has_checkpoint else "started"
    return RunSummary(
        path=path,
        model=_name(known.get("model")),
        corpus=_name(known.get("corpus")),
        created=_name(run.config.get("created")),
        parameters=_number(known.get("parameters")),
        step=last_step if result is None else _number(result.get("steps", last_step)),
        dev_nats=min(losses, default=None) if result is None else _number(result.get("dev_nats")),
        state=unfinished if result is None else "finished",
    )


def _name(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("name")
    return value if isinstance(value, str) else None


def _number(value: Any) -> Any:
    """Return a number as it is, and None for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _folder_name(text: str) -> str:
    """Return letters, digits and marks of any script, with a hyphen for everything between them."""
    if text == "-":
        return "stdin"
    stem = unicodedata.normalize("NFC", PurePath(text).stem)
    kept = "".join(character if _belongs_in_a_name(character) else "-" for character in stem)
    return re.sub("-+", "-", kept[:_LONGEST_NAME]).strip("-") or "text"


def _belongs_in_a_name(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LNM"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key in which run 10 comes after run 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split("([0-9]{1,9})", name)]
