"""Networks with batch norm: judged with the statistics of the weights that are judged, trained with their own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from backlight.core import ConfigError
from backlight.models.neural import NeuralModel
from backlight.nn import update_bn
from backlight.training import Run, load_model, mean_nll
from backlight.training.evaluate import evaluation_weights

Make = Callable[..., Run]

WITH_BATCH_NORM: dict[str, dict[str, Any]] = {
    "mlp": {"settings": {"context": 3, "embedding": 2, "hidden": [5, 4], "batch_norm": True}},
    "wavenet": {"model": "wavenet", "settings": {"context": 4, "embedding": 2, "hidden": 5}},
}


def network(run: Run) -> NeuralModel:
    assert isinstance(run.model, NeuralModel)
    return run.model


@pytest.mark.parametrize("average", [None, 0.8])
@pytest.mark.parametrize("plan", WITH_BATCH_NORM.values(), ids=WITH_BATCH_NORM)
def test_kept_statistics_are_those_of_the_kept_weights(plan, average, make: Make) -> None:
    run = make("run", config=plan, ema_decay=average)
    loop = run.trainer()
    loop.fit()
    result = run.evaluate(steps=loop.step, seconds=loop.seconds)
    best = min(record["dev_nats"] for record in run.store.load_metrics() if "dev_nats" in record)
    assert result["dev_nats"] == pytest.approx(best, rel=1e-6)
    kept, _ = run.store.load_weights()
    model = network(run)
    update_bn(model, run.data["train"].batch(np.arange(len(run.data["train"]))).x)
    for name, buffer in model.named_buffers():
        assert_array_equal(buffer.array, kept[name])
    loaded, _ = load_model(run.store)
    assert mean_nll(loaded, run.data["dev"]) == pytest.approx(best, rel=1e-6)


def test_judging_leaves_no_trace(make: Make) -> None:
    run = make("run", config=WITH_BATCH_NORM["mlp"])
    model = network(run)
    model.loss(run.data["train"].sample(8, np.random.default_rng(1)))
    flat = model.flat()
    before = model.state_dict()
    with evaluation_weights(model, flat, flat.data + 1, run.data["train"]):
        assert not any(module.training for _, module in model.named_modules())
        assert all((array != before[name]).all() for name, array in model.state_dict().items())
    assert all(module.training for _, module in model.named_modules())
    for name, array in model.state_dict().items():
        assert_array_equal(array, before[name])


def test_an_interrupted_run_with_batch_norm_ends_with_the_same_bits(make: Make) -> None:
    plan = WITH_BATCH_NORM["wavenet"]
    whole, stopped = make("whole", config=plan, ema_decay=0.8), make("stopped", config=plan, ema_decay=0.8)
    whole.trainer().fit()
    loop = stopped.trainer()
    loop.on_evaluation = lambda record: loop.request_stop() if record.step == 14 else None
    assert not loop.fit()
    again = Run.open(stopped.store).trainer()
    assert 0 < again.step < 30
    assert again.fit()
    (wanted, facts), (arrays, other) = whole.store.load_checkpoint(), stopped.store.load_checkpoint()
    assert {**facts, "seconds": 0} == {**other, "seconds": 0}
    assert any(name.startswith("buffer.") for name in arrays)
    for name, array in arrays.items():
        assert_array_equal(array, wanted[name])
    for name, array in stopped.store.load_weights()[0].items():
        assert_array_equal(array, whole.store.load_weights()[0][name])


@pytest.mark.parametrize("plan", WITH_BATCH_NORM.values(), ids=WITH_BATCH_NORM)
def test_batches_of_one_are_refused_before_there_is_a_run(plan, make: Make, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"batch_size must be at least 2 for a \w+ with batch norm") as error:
        make("run", config=plan, batch_size=1)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_batches_of_one_are_fine_without_batch_norm(make: Make) -> None:
    loop = make("run", batch_size=1).trainer()
    assert loop.fit()
