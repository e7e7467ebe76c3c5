"""Branches: a new run that goes on from a checkpoint of another, as the other did or with other settings.

Where nothing is changed, a branch computes the bits that its parent computed after that step. A branch has all files of
its parent up to there, so the parent may be deleted.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from backlight.core import ConfigError, RunError
from backlight.runs import RunDirectory, RunStore, extra_files, new_files
from backlight.runs.kept import kept_steps, load_kept, load_last
from backlight.runs.store import (
    CHANGES,
    CHECKPOINT,
    CORPUS,
    COUNTS,
    HEALTH,
    METRICS,
    RESUME,
    SAMPLED,
    SEEN,
    START,
    WEIGHTS,
)
from backlight.runs.strict_json import to_bytes
from backlight.runs.tensors import encode
from backlight.training.config import BranchPoint, RunConfig, TrainConfig
from backlight.training.engine import EngineConfig
from backlight.training.engines import check_engine
from backlight.training.group import ALONE, ProcessGroup
from backlight.training.parts import own_text
from backlight.training.run import Run, create_folder
from backlight.training.run_watcher import cut
from backlight.training.trainer import written_before

CHANGED: Final = frozenset({
    "lr", "steps", "batch_size", "schedule", "warmup", "final_lr", "beta2", "weight_decay", "grad_clip",
    "eval_interval", "patience", "threads", "keep_checkpoints",
})  # fmt: skip
"""Settings that a branch may change: the others would need another checkpoint, another text or other weights."""


def branch_steps(run: RunStore) -> list[int]:
    """Return the steps from which a run can be branched: its beginning, the kept checkpoints, and the last one.

    Raises:
        RunError: the files cannot be read.
    """
    if run.config.get("train") is None:
        return []
    last = run.last_step()
    return sorted({0, *kept_steps(run), *([] if last is None else [last])})


def branched(
    origin: Run,
    path: str | Path | Callable[[str], Path] | None,
    *,
    step: int,
    options: Mapping[str, Any],
    engine: EngineConfig | None = None,
    group: ProcessGroup = ALONE,
) -> Run:
    """Make a run that goes on from a step of another. If anything fails, nothing is left behind.

    Args:
        origin: the other run.
        path: the folder to make, or a function that returns it; see `Run.create`. None keeps the run in memory.
        step: how many steps the other had taken; one of `branch_steps`.
        options: changes of settings, by name.
        engine: what will compute its training.
        group: the processes that will train it together.

    Raises:
        ConfigError: a setting that a branch keeps or that is out of range, or no step would be left.
        DataError, RunError: there is no checkpoint of this step, or the other run or its text cannot be read.
    """
    config, lr = _changed(origin, step, options)
    check_engine(engine or EngineConfig(), origin.network, group, config)
    text = None if config.token_counts is not None else origin.corpus  # raises an error if it has changed
    taken = {} if step == 0 else _taken(origin, step, config, lr)
    old = origin.store
    known = old.config["corpus"]
    whole = config.to_json(
        sizes=origin.model.config, mode=known["mode"], sha256=known["sha256"],
        parameters=old.config.get("parameters"), longest=old.config.get("longest"),
    )  # fmt: skip
    kept = {name: old.read(name, remedy=RESUME) for name in (START, SEEN, COUNTS, CORPUS) if old.has(name)}
    if not isinstance(old, RunDirectory) and path is not None:
        kept = {**extra_files(seen=origin.training_hashes(), corpus=None if text is None else own_text(text)), **kept}
    files = {**new_files(config=whole, vocabulary=old.vocabulary), **kept, **taken}
    if path is None:
        run = Run(config, RunStore.in_memory(files), corpus=text)
    else:
        run = Run(config, create_folder(path, origin.config.corpus, files), corpus=text)
    run.engine, run.group = engine or EngineConfig(), group
    run.notes = [f"Branches off {old.name} at step {step:,}{'' if lr is None else f', with learning rate {lr:g}'}."]
    return run


def _changed(origin: Run, step: int, options: Mapping[str, Any]) -> tuple[RunConfig, float | None]:
    """Return the configuration of a branch, and the learning rate if it is another."""
    config, name = origin.config, origin.store.name
    if config.train is None:
        raise ConfigError(f"only a network has steps to branch from; {name} is {config.model}, which counts n-grams.")
    trained = {one: value for one, value in options.items() if one in CHANGED and one != "keep_checkpoints"}
    if odd := sorted(options.keys() - CHANGED):
        raise ConfigError(
            f"a branch may change {', '.join(sorted(CHANGED))}; got {', '.join(odd)}. Leave it out, or train a new run."
        )
    steps = branch_steps(origin.store)
    if step not in steps:
        more = "" if config.keep_checkpoints else " A run that is trained with --keep-checkpoints N has more."
        raise RunError(
            f"{name} has no checkpoint of step {step}; it has those of {', '.join(map(str, steps))}. Choose one.{more}"
        )
    train = replace(config.train, **trained)
    if train.steps <= step:
        raise ConfigError(f"a branch at step {step} needs more steps than that; got steps {train.steps}. Set more.")
    made = replace(
        config, train=train, branch=BranchPoint(run=name, step=step),
        keep_checkpoints=options.get("keep_checkpoints", config.keep_checkpoints),
    )  # fmt: skip
    return made, options.get("lr")


def _taken(origin: Run, step: int, config: RunConfig, lr: float | None) -> dict[str, bytes]:
    """Return the files of a training that has taken so many steps: its checkpoint, best weights and records."""
    old = origin.store
    is_kept = step in kept_steps(old)
    arrays, best, facts = load_kept(old, step) if is_kept else load_last(old)
    _check_patience(facts, config.train)
    if lr is not None:
        facts = {**facts, "lr": None}  # the configuration has it
    metrics = [to_bytes(one) for one in old.load_metrics() if written_before(one, step)]
    sampled: list[dict[str, Any]] = [
        {"type": "samples", "step": at, "samples": texts} for at, texts in old.load_sampled() if at <= step
    ]
    # the last checkpoint has what was changed at its own step; a kept one was written before that
    changes = [one for one in _changes(old) if one["step"] < step + (not is_kept)]
    if lr is not None:
        changes.append({"step": step, "lr": lr})
    records = {
        METRICS: b"".join(metrics), HEALTH: cut(old, step), SAMPLED: b"".join(to_bytes(one) for one in sampled),
        CHANGES: b"".join(to_bytes(one) for one in changes),
    }  # fmt: skip
    of_best = {name: facts["best"][name] for name in ("step", "dev_nats")}
    return {
        CHECKPOINT: encode(arrays, facts), WEIGHTS: encode(best, of_best),
        **{name: data for name, data in records.items() if data},
    }  # fmt: skip


def _check_patience(facts: Mapping[str, Any], train: TrainConfig | None) -> None:
    """Refuse a branch whose training would be over at once."""
    since, patience = facts["best"]["since"], None if train is None else train.patience
    if patience is not None and since >= patience:
        raise ConfigError(
            f"at this step the training had seen {since} evaluations without improvement, and ends after {patience}. "
            "Set a higher patience."
        )


def _changes(run: RunStore) -> list[dict[str, Any]]:
    if not run.has(CHANGES):
        return []
    return [json.loads(line) for line in run.read(CHANGES, remedy=RESUME).splitlines()]
