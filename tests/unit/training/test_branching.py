"""Checkpoints that are kept, and branches from them: the bits of the parent, or those of other settings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backlight
from backlight.core import BacklightError, ConfigError, RunError
from backlight.runs import atomic
from backlight.runs.kept import kept_steps, load_kept
from backlight.training import Run, branch_steps, branched

Make = Callable[..., Run]
TIMED = {"seconds", "characters_per_second"}


def ended(run: Run) -> dict[str, Any]:
    """Return all that a finished training leaves, but for times."""
    weights, of_best = run.store.load_weights()
    checkpoint, facts = run.store.load_checkpoint()
    arrays = {**weights, **{f"checkpoint.{name}": array for name, array in checkpoint.items()}}
    records = [{name: one[name] for name in one if name not in TIMED} for one in run.store.load_metrics()]
    kept = {step: {**load_kept(run.store, step)[2], "seconds": 0} for step in kept_steps(run.store)}
    return {
        "arrays": {name: (array.shape, array.tobytes()) for name, array in arrays.items()},
        "best": of_best, "facts": {**facts, "seconds": 0}, "records": records, "kept": kept,
        "health": run.store.load_health(), "dev": (run.result or {})["dev_nats"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings", [{}, {"ema_decay": 0.9, "schedule": "cosine", "patience": 3}], ids=["plain", "ema"]
)
@pytest.mark.parametrize("recorded", [False, True], ids=["", "watched"])
def test_a_branch_ends_with_the_bits_of_its_parent(
    make: Make, tmp_path: Path, settings: Any, *, recorded: bool
) -> None:
    config = {"keep_checkpoints": 2, "watch_every": 5 if recorded else None}
    parent = make("parent", config=config, lr=0.05, **settings)
    assert parent.train()
    assert list(kept_steps(parent.store)) == [14, 28], "evaluations are every 7 steps, of which there are 4"
    assert branch_steps(parent.store) == sorted({0, 14, 28, (parent.store.last_step() or 0)})
    for step in (0, 14):
        branch = branched(Run.open(parent.path), tmp_path / f"branch{step}", step=step, options={})
        taken = [one["step"] for one in branch.store.load_metrics() if "dev_nats" in one]
        assert taken == [0, 7, 14][: len(taken)], "nothing of the parent's future is there"
        assert branch.train()
        of_branch, of_parent = ended(branch), ended(parent)
        del of_parent["kept"][14]  # which a branch from there has no more, or from before has too
        of_branch["kept"].pop(14, None)
        assert of_branch == of_parent
        assert json.loads((branch.path / "config.json").read_text())["branch"] == {
            "run": str(parent.path), "step": step,
        }  # fmt: skip


def test_a_branch_needs_its_parent_no_more_and_resumes(make: Make, tmp_path: Path) -> None:
    parent = make("parent", config={"keep_checkpoints": 4}, lr=0.05)
    parent.train()
    expected = ended(parent)
    branch = branched(Run.open(parent.path), tmp_path / "branch", step=7, options={})
    for file in parent.path.iterdir():
        file.unlink()
    stopped = branch.train(lambda trainer: setattr(trainer, "on_evaluation", lambda _: trainer.request_stop()))
    assert not stopped
    again = Run.open(tmp_path / "branch")
    assert again.train()
    assert ended(again)["arrays"] == expected["arrays"]
    assert ended(again)["records"] == expected["records"]


def test_another_learning_rate_holds_from_the_branch_on(make: Make, tmp_path: Path) -> None:
    parent = make("parent", config={"keep_checkpoints": 2})
    parent.train()
    branch = branched(Run.open(parent.path), tmp_path / "branch", step=14, options={"lr": 0.002, "steps": 40})
    branch.train()
    rates = {one["step"]: one["lr"] for one in branch.store.load_metrics() if "loss" in one}
    before = {one["step"]: one["lr"] for one in parent.store.load_metrics() if "loss" in one}
    assert {step: rates[step] for step in range(14)} == {step: before[step] for step in range(14)}
    assert branch.config.train is not None
    assert rates[14] == branch.config.train.rate()(14) != before[14]
    assert max(rates) == 39
    changes = [json.loads(line) for line in (branch.path / "changes.jsonl").read_text().splitlines()]
    assert changes == [{"step": 14, "lr": 0.002}]
    assert "Branches off" in branch.notes[0]
    assert "at step 14, with learning rate 0.002" in branch.notes[0]


def test_a_branch_from_where_a_training_was_stopped(make: Make, tmp_path: Path) -> None:
    """A run that kept nothing can be branched from its last checkpoint, with the best weights of that time."""
    parent = make("parent", lr=0.05)

    def stop_early(trainer: Any) -> None:
        trainer.on_evaluation = lambda found: trainer.request_stop() if found.step > 10 else None

    assert not parent.train(stop_early)
    at = parent.store.last_step()
    assert at is not None
    assert branch_steps(parent.store) == sorted({0, at})
    branch = branched(Run.open(parent.path), tmp_path / "branch", step=at, options={})
    Run.open(parent.path).train()
    branch.train()
    assert ended(branch)["arrays"] == ended(Run.open(parent.path))["arrays"]


@pytest.mark.parametrize(
    ("step", "options", "word"),
    [
        (13, {}, "has no checkpoint of step 13; it has those of 0, 14, 28, 30"),
        (14, {"optimiser": "sgd"}, "got optimiser"), (14, {"seed": 3}, "got seed"),
        (14, {"hidden": (7,)}, "got hidden"),
        (28, {"steps": 28}, "more steps"), (14, {"lr": -1.0}, "lr must be"),
    ],
)  # fmt: skip
def test_what_a_branch_cannot_be_is_refused_in_one_line(
    make: Make, tmp_path: Path, step: int, options: Any, word: str
) -> None:
    parent = make("parent", config={"keep_checkpoints": 2})
    parent.train()
    with pytest.raises(BacklightError) as caught:
        branched(Run.open(parent.path), tmp_path / "branch", step=step, options=options)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "branch").exists()


def test_a_damaged_or_half_written_checkpoint_is_never_used(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = make("parent", config={"keep_checkpoints": 2})
    written: list[Path] = []
    real = atomic._write_new

    def full(path: Path, data: bytes) -> None:
        if len(written) == 0 and b"best." in data[:4_000]:  # the first kept checkpoint finds the disk full
            written.append(path)
            path.write_bytes(data[:100])
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(atomic, "_write_new", full)
    with pytest.raises(RunError, match="no space is left"):
        parent.train()
    assert written
    assert kept_steps(parent.store) == {}
    assert not list(parent.path.glob("*partial*"))
    Run.open(parent.path).train()
    assert list(kept_steps(parent.store)) == [14, 28], "the training came by the same step again"
    file = parent.path / "checkpoint-14.safetensors"
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(RunError, match="checksum"):
        branched(Run.open(parent.path), tmp_path / "branch", step=14, options={})


def test_in_memory_and_from_python(tmp_path: Path) -> None:
    names = ["emma", "olivia", "ava", "mia", "noah", "liam"] * 4
    sizes: Any = {"context": 2, "embedding": 2, "hidden": (4,), "batch_size": 4, "progress": None}
    parent = backlight.train(names, steps=20, eval_interval=5, keep_checkpoints=2, seed=7, **sizes)
    branch = backlight.train(start=parent, at_step=10, run=tmp_path / "branch", progress=None)
    assert Run.open(tmp_path / "branch").config.seed == 7
    for name, array in parent.network.state_dict().items():
        np.testing.assert_array_equal(branch.network.state_dict()[name], array)
    parent.save(tmp_path / "saved")
    assert branch_steps(Run.open(tmp_path / "saved").store) == [0, 10, 20]
    with pytest.raises(ConfigError, match="at_step"):
        backlight.train(names, at_step=3, progress=None)


@pytest.mark.parametrize(("steps", "interval", "most", "kept"), [
    (100, 10, 10, 10), (100, 10, 9, 5), (100, 10, 3, 2), (7, 20, 3, 0), (105, 10, 10, 10), (1_000, 1, 7, 6),
])  # fmt: skip
def test_at_most_so_many_are_kept(steps: int, interval: int, most: int, kept: int) -> None:
    config = backlight.training.TrainConfig(steps=steps, batch_size=1, lr=0.1, eval_interval=interval)
    every = config.kept_every(most)
    assert every is not None
    assert every % interval == 0
    assert steps // every == kept <= most
    assert config.kept_every(None) is None
