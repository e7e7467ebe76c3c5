"""The first step of a plan, looked at instead of taken, is the step that training takes."""

from collections.abc import Callable

import numpy as np
import pytest

from backlight.core import ConfigError
from backlight.training import Session
from backlight.training.first_step import first_loss

GPT = {"model": "gpt", "settings": {"context": 4, "n_embd": 8, "n_layer": 1, "n_head": 2, "dropout": 0.5}}


@pytest.mark.parametrize("plan", [None, GPT], ids=["mlp", "gpt with dropout"])
def test_it_is_the_loss_that_training_begins_with(make: Callable[..., Session], plan: dict[str, object] | None) -> None:
    looked_at = first_loss(make("looked at", plan=plan))
    session = make("trained", plan=plan, steps=1)
    session.trainer().fit()
    (first,) = [record["loss"] for record in session.run.load_metrics() if "loss" in record]
    assert looked_at.item() == pytest.approx(first, rel=1e-6)  # training may sum in another order
    assert looked_at.requires_grad


def test_other_batches_and_other_weights(make: Callable[..., Session]) -> None:
    session = make("one")
    first = first_loss(session).item()
    assert first_loss(session, batch_size=5).item() != first
    assert first_loss(session).item() == first, "each time from the beginning"
    zeros = {name: np.zeros_like(array) for name, array in session.model.state_dict().items()}
    vocabulary = session.vocabulary.size
    assert first_loss(session, weights=zeros).item() == pytest.approx(np.log(vocabulary), rel=1e-6)


def test_a_counted_model_has_no_step(make: Callable[..., Session]) -> None:
    session = make("counted", plan={"model": "ngram", "settings": {}, "recipe": None})
    with pytest.raises(ConfigError, match="ngram is counted, and has no gradient"):
        first_loss(session)
