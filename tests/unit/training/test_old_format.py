"""Runs that Backlight 0.1 made (format 1, with other names for some settings) are read, used and continued."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import backlight
from backlight.runs import FORMAT, RunDirectory, list_runs
from backlight.training import Run, RunConfig

MADE = Path(__file__).parents[2] / "fixtures" / "run_of_0.1"
"""`stopped`: a GPT that was stopped at step 10 of 20, with clipping and a moving average; `counted`: bigram counts."""

DEV_AT_THE_END = 2.9739186763763428
"""What 0.1 itself came to, when it was not stopped."""


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(MADE, tmp_path / "made")
    monkeypatch.chdir(tmp_path / "made")
    return tmp_path / "made"


def test_its_configuration_has_todays_names(old: Path) -> None:
    store = RunDirectory.open(old / "stopped")
    assert store.config["format"] == 1 < FORMAT
    config = RunConfig.from_json(store.config)
    assert config == RunConfig.of(
        "names.txt", model="gpt", mode="items", context=4, n_embd=4, n_layer=1, n_head=2, dropout=0.1,
        tie_weights=False, steps=20, batch_size=8, lr=0.01, warmup=3, weight_decay=0.0, grad_clip=1.0, ema_decay=0.9,
        eval_interval=5, patience=50, seed=3,
    )  # fmt: skip


def test_it_is_listed_and_used(old: Path) -> None:
    found = {run.path.name: run for run in list_runs(old)}
    assert (found["stopped"].state, found["counted"].state) == ("stopped", "finished")
    for name in ("stopped", "counted"):
        model = backlight.load(old / name)
        assert len(model.sample(3, seed=1, novel=True)) == 3
        model.save(old / f"{name} again")
        again = backlight.load(old / f"{name} again")
        np.testing.assert_array_equal(again.score(["emma"]), model.score(["emma"]))


def test_it_is_continued_to_where_it_would_have_come(old: Path) -> None:
    run = Run.open(old / "stopped")
    trainer = run.trainer()
    assert trainer.step == 10
    assert run.train()
    assert run.result is not None
    assert run.result["dev_nats"] < DEV_AT_THE_END  # today's averages of the weights forget the first ones sooner
    new = Run.create(run.config)
    new.train()
    expected, _ = new.store.load_checkpoint()
    arrays, _ = run.store.load_checkpoint()
    assert arrays.keys() == expected.keys()
    # the biases of the keys have a gradient of 0, and Adam makes full steps of its rounding: they differ by processor
    felt = np.sqrt(expected["optimiser.square"]) > 1e-6
    assert np.count_nonzero(~felt) == run.config.settings["n_embd"]
    for name, array in arrays.items():
        if name == "ema":  # half of its steps were averaged by 0.1
            continue
        one, other = (x[felt] if x.shape == felt.shape else x for x in (array, expected[name]))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
