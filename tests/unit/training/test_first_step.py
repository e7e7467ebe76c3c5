"""The first step of a plan, looked at instead of taken, is the step that training takes."""

from collections.abc import Callable

import numpy as np
import pytest

from backlight.core import ConfigError
from backlight.training import Run

GPT = {"model": "gpt", "settings": {"context": 4, "n_embd": 8, "n_layer": 1, "n_head": 2, "dropout": 0.5}}


@pytest.mark.parametrize("plan", [None, GPT], ids=["mlp", "gpt with dropout"])
def test_it_is_the_loss_that_training_begins_with(make: Callable[..., Run], plan: dict[str, object] | None) -> None:
    looked_at = make("looked at", config=plan).first_loss()
    run = make("trained", config=plan, steps=1)
    run.trainer().fit()
    (first,) = [record["loss"] for record in run.store.load_metrics() if "loss" in record]
    assert looked_at.item() == pytest.approx(first, rel=1e-6)  # training may sum in another order
    assert looked_at.requires_grad


def test_other_batches_and_other_weights(make: Callable[..., Run]) -> None:
    run = make("one")
    first = run.first_loss().item()
    assert run.first_loss(batch_size=5).item() != first
    assert run.first_loss().item() == first, "each time from the beginning"
    zeros = {name: np.zeros_like(array) for name, array in run.model.state_dict().items()}
    vocabulary = run.vocabulary.size
    assert run.first_loss(weights=zeros).item() == pytest.approx(np.log(vocabulary), rel=1e-6)


def test_a_counted_model_has_no_step(make: Callable[..., Run]) -> None:
    run = make("counted", config={"model": "ngram", "settings": {}, "train": None})
    with pytest.raises(ConfigError, match="needs a network; ngram counts n-grams"):
        run.first_loss()
