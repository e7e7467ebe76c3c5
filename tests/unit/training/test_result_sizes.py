"""The evaluation at the end: all of a small text, a sample of a large one, on the threads of the training."""

import pytest
from threadpoolctl import threadpool_info

from backlight.text import load_corpus
from backlight.training import Run, RunConfig
from backlight.training import result as module

ITEMS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]


@pytest.fixture
def run() -> Run:
    config = RunConfig.of("(list)", model="mlp", steps=2, batch_size=8, eval_interval=2, hidden=[8])
    return Run.create(config, corpus=load_corpus(ITEMS))


def test_a_small_text_is_evaluated_whole(run: Run) -> None:
    assert [run.result_targets(part) for part in ("train", "dev", "test")] == [None, None, None]
    assert run.trainer().dev_targets is None


def test_a_large_text_is_sampled(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LARGE", 22), ("FEWEST_HELD_OUT", 20), ("SAMPLE_TARGETS", 100), ("FEWEST_IN_RESULT", 40)):
        monkeypatch.setattr(module, name, value)
    assert [run.result_targets(part) for part in ("train", "dev", "test")] == [40, 20, 20]
    seen: list[int | None] = []

    def noted(model: object, data: object, at_most: int | None = None, **more: object) -> float:
        del model, data, more
        seen.append(at_most)
        return 1.0

    monkeypatch.setattr(module, "mean_nll", noted)
    run.train()
    assert seen == [40, 20, 20]


def test_a_longer_training_evaluates_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 20)
    monkeypatch.setattr(module, "FEWEST_HELD_OUT", 20)
    config = RunConfig.of("(list)", model="mlp", steps=250, batch_size=8, hidden=[8])
    run = Run.create(config, corpus=load_corpus(ITEMS))
    assert run.result_targets("dev") is None  # a share of 2,000 targets is more than dev has
    assert run.data["dev"].targets > 20


def test_the_result_is_evaluated_on_the_threads_of_the_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def noted(model: object, data: object, **more: object) -> float:
        del model, data, more
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return 1.0

    monkeypatch.setattr(module, "mean_nll", noted)
    run.train()
    assert set(threads) == {1}
