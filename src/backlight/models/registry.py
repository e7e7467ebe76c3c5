"""The ladder's rungs by name: how a name and a dictionary of sizes become a model."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from backlight.core import ConfigError
from backlight.models.bigram import Bigram, BigramConfig
from backlight.models.gpt import GPT, GPTConfig
from backlight.models.mlp import MLP, MLPConfig
from backlight.models.ngram import NGram, NGramConfig
from backlight.models.protocol import LanguageModel
from backlight.models.recurrent import GRUConfig, LSTMConfig, RecurrentModel, RNNConfig
from backlight.models.wavenet import WaveNet, WaveNetConfig


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One kind of model.

    Attributes:
        name: what it is called on the command line and in a run.
        summary: what it is, in a line.
        config: its frozen configuration class.
        build: configuration and random generator to model.
        counted: whether it is fitted by counting rather than by gradients.
    """

    name: str
    summary: str
    config: type[Any]
    build: Callable[[Any, np.random.Generator], LanguageModel]
    counted: bool = False

    def configure(self, settings: Mapping[str, Any]) -> Any:
        """Return the configuration for these settings; a list of one will do for a number.

        Raises:
            ConfigError: a setting that this model does not have, or several numbers where it has one.
        """
        known = [field.name for field in fields(self.config)]
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise ConfigError(
                f"{self.name} has the settings {', '.join(known)}; got {', '.join(unknown)}. "
                "Leave it out, or take another model."
            )
        numbers = {field.name for field in fields(self.config) if field.type is int}
        return self.config(**{name: self._one(name, v) if name in numbers else v for name, v in settings.items()})

    def _one(self, name: str, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        if len(value) != 1:
            raise ConfigError(f"{name} of {self.name} is one number; got {', '.join(map(str, value))}. Give the first.")
        return value[0]


MODELS = {
    rung.name: rung
    for rung in (
        Rung(
            name="ngram",
            summary="counts of the last n characters, with Kneser-Ney or add-k smoothing",
            config=NGramConfig,
            build=lambda config, _: NGram(config),
            counted=True,
        ),
        Rung(
            name="bigram",
            summary="one linear layer on the last character: its rows become log counts",
            config=BigramConfig,
            build=lambda config, rng: Bigram(config, rng=rng),
        ),
        Rung(
            name="mlp",
            summary="embeddings and tanh layers on the last characters (Bengio et al. 2003)",
            config=MLPConfig,
            build=lambda config, rng: MLP(config, rng=rng),
        ),
        Rung(
            name="wavenet",
            summary="pairs of characters joined level by level, with batch norm (van den Oord et al. 2016)",
            config=WaveNetConfig,
            build=lambda config, rng: WaveNet(config, rng=rng),
        ),
        Rung(
            name="rnn",
            summary="a state made of the last character and the state before (Elman 1990)",
            config=RNNConfig,
            build=lambda config, rng: RecurrentModel(config, rng=rng),
        ),
        Rung(
            name="gru",
            summary="a state whose gates decide what stays of it (Cho et al. 2014)",
            config=GRUConfig,
            build=lambda config, rng: RecurrentModel(config, rng=rng),
        ),
        Rung(
            name="lstm",
            summary="a memory cell that gates write, keep and read (Hochreiter & Schmidhuber 1997)",
            config=LSTMConfig,
            build=lambda config, rng: RecurrentModel(config, rng=rng),
        ),
        Rung(
            name="gpt",
            summary="a transformer: characters read each other through attention (Radford et al. 2019)",
            config=GPTConfig,
            build=lambda config, rng: GPT(config, rng=rng),
        ),
    )
}


def rung(name: str) -> Rung:
    """Return the kind of model with this name. Raises ConfigError, with the names there are."""
    if name not in MODELS:
        raise ConfigError(f"the model must be one of {', '.join(MODELS)}; got {name!r}.")
    return MODELS[name]


def settings_of(config: Any) -> dict[str, Any]:
    """Return a configuration as plain settings, fit for JSON and for `Rung.configure`."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}
