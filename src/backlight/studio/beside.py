"""Other runs beside the one that is shown: which can be compared with it, how they are related, and their losses."""

import json
from pathlib import PurePath
from typing import Any, Final

from backlight.core import RunError
from backlight.runs import RunDirectory, RunSummary
from backlight.runs.locking import is_trained
from backlight.runs.store import HEALTH
from backlight.studio import messages
from backlight.studio.metrics import Metrics
from backlight.text.vocabulary import CHARACTERS

MOST: Final = 50
"""Runs that are offered at most."""


def others(shown: RunDirectory, listed: list[RunSummary]) -> list[dict[str, str]]:
    """Return the runs whose losses can be compared with those of a run, the related ones first, then the newest.

    They have the same text and the same tokens: only then does a loss of one mean what it means of the other.

    Args:
        shown: the run.
        listed: all runs, the oldest first.
    """
    found: list[tuple[bool, dict[str, str]]] = []
    for one in reversed(listed):
        if one.problem is not None or one.path.name == shown.path.name:
            continue
        try:
            other = RunDirectory.open(one.path)
        except RunError:  # it was deleted meanwhile
            continue
        if _comparable(other) == _comparable(shown) and other.config.get("train"):
            relation = _relation(shown, other)
            found.append((relation is None, {"name": one.path.name, "about": relation or str(one.model)}))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])][:MOST]


def curves(run: RunDirectory, shown: RunDirectory) -> bytes:
    """Return the message with the losses of a run, to be laid over those of another.

    Raises:
        RunError: its metrics are damaged.
    """
    metrics = Metrics(run)
    metrics.grow()
    live = is_trained(run.path)
    return messages.curves(run.path.name, metrics.lines(), scale=_scale(shown), live=live)


def _comparable(run: RunDirectory) -> tuple[Any, ...]:
    corpus = run.config["corpus"]
    return corpus["sha256"], corpus["mode"], run.config.get("tokens", CHARACTERS), run.config.get("duplicates")


def _relation(shown: RunDirectory, other: RunDirectory) -> str | None:
    """Return how another run is related to the one shown; None if it is not."""
    own, its = shown.config.get("branch"), other.config.get("branch")
    if own and _is(own["run"], other):
        return "parent"
    if its and _is(its["run"], shown):
        return f"branch from step {its['step']:,}"
    if own and its and PurePath(own["run"]).name == PurePath(its["run"]).name:
        return f"branch of the same run, from step {its['step']:,}"
    if _is(shown.config.get("start"), other):
        return "whose weights it began with"
    return "began with its weights" if _is(other.config.get("start"), shown) else None


def _is(name: str | None, run: RunDirectory) -> bool:
    return name is not None and PurePath(name).name == run.path.name


def _scale(shown: RunDirectory) -> float:
    """Return the nats per target, which the record stream has, of a nat per character, which the metrics have.

    It is that of the first evaluation, which both have; 1 where nothing was recorded, or tokens are characters.
    """
    stream = shown.path / HEALTH
    if shown.config.get("tokens", CHARACTERS) == CHARACTERS or not stream.is_file():
        return 1.0
    known = {one["step"]: one["dev_nats"] for one in shown.load_metrics() if one.get("dev_nats")}
    with stream.open("rb") as file:
        for line in file:
            if line.startswith(b'{"type":"evaluation"') and line.endswith(b"\n"):
                found = json.loads(line)
                if known.get(found["step"]) and isinstance(found["dev"], float):
                    return float(found["dev"] / known[found["step"]])
    return 1.0
