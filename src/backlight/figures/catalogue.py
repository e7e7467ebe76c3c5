"""All pictures that a run can have, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backlight.core import ConfigError
from backlight.figures.data import Source, counted, learnt, measured, predicting, training
from backlight.figures.pages import Page


@dataclass(frozen=True)
class Picture:
    """A picture of a run.

    Attributes:
        about: what it shows, in a line.
        gather: makes its page; raises NoPictureError where a run cannot have it.
    """

    about: str
    gather: Callable[[Source], Page]


PICTURES: Final[dict[str, Picture]] = {
    "bigram-counts": Picture("how often each character follows each other one", counted.bigram_counts),
    "bigram-probabilities": Picture("the same as shares of each row", counted.bigram_probabilities),
    "firing-rates": Picture("how often each one-hot input is 1", counted.firing_rates),
    "weights": Picture("a bigram network's W beside the logs of the counts", learnt.weights),
    "weight-gradient": Picture("the gradient of that W for one batch", learnt.weight_gradient),
    "embedding": Picture("where the model has put the characters", learnt.embedding),
    "loss": Picture("the loss of minibatches and of the held-out part", training.loss),
    "rate-sweep": Picture("the loss while the learning rate grows", training.rate_sweep),
    "next-character": Picture("what comes next after a text", predicting.next_characters),
    "surprise": Picture("what each character of a text costs", predicting.surprise),
    "dlogits": Picture("which logits of a batch are pulled up, which down", predicting.dlogits),
    "attention": Picture("what each head of a GPT reads", predicting.attention),
    "receptive-field": Picture("the tree over a WaveNet's characters", predicting.receptive_field),
    "activations": Picture("a histogram of each layer's activations", measured.activations),
    "preactivations": Picture("a histogram of what goes into them", measured.preactivations),
    "activation-gradients": Picture("a histogram of the gradients that reach them", measured.activation_gradients),
    "weight-gradients": Picture("a histogram of each weight matrix's gradients", measured.weight_gradients),
    "saturation": Picture("which unit is saturated in which example", measured.saturation),
    "dead-units": Picture("for how many examples each unit passes a gradient", measured.dead_units),
    "gradient-to-data": Picture("each matrix's gradient beside its weights", measured.gradient_to_data),
    "update-to-data": Picture("how far each step moved the weights", training.update_to_data),
    "league": Picture("the runs in this folder: loss by size and by time", training.league),
}
"""In the order of the lectures."""


def check_names(names: list[str]) -> None:
    """Raise ConfigError for a name that no picture has."""
    for name in names:
        if name not in PICTURES:
            raise ConfigError(f"a picture is one of {', '.join(PICTURES)}; got {name!r}. See: backlight figures --list")
