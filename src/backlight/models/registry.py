"""The table of models, from the simplest to the most recent, for training, commands, checks and comparisons."""

from functools import lru_cache
from typing import Final

from backlight.core import ConfigError
from backlight.core.settings import nearest
from backlight.models import bigram, gpt, mlp, ngram, recurrent, wavenet
from backlight.models.mixture import SUFFIX, mixture_of
from backlight.models.spec import ModelSpec

MODELS: Final[dict[str, ModelSpec]] = {
    spec.name: spec
    for spec in (
        bigram.SPEC, ngram.SPEC, mlp.SPEC, wavenet.SPEC, recurrent.RNN_SPEC, recurrent.GRU_SPEC, recurrent.LSTM_SPEC,
        gpt.SPEC,
    )
}  # fmt: skip


def model_spec(name: str) -> ModelSpec:
    """Return the entry of a model, or of a network mixed with the n-gram, as in "gpt+ngram".

    Raises:
        ConfigError: there is no model of this name.
    """
    if not isinstance(name, str) or (name not in MODELS and name not in mixtures()):
        raise ConfigError(f"there is no model {name!r}. {nearest(str(name), [*MODELS, *mixtures()])}")
    return MODELS[name] if name in MODELS else _mixture(name.removesuffix(SUFFIX))


def mixtures() -> list[str]:
    """Return the names of the mixtures, one for each network."""
    return [name + SUFFIX for name, spec in MODELS.items() if not spec.counted]


@lru_cache
def _mixture(network: str) -> ModelSpec:
    return mixture_of(MODELS[network])


def register_model(spec: ModelSpec) -> None:
    """Add your own model to the table, before `backlight.train` or `backlight.cli.main` is called.

    Raises:
        ConfigError: the name is taken.
    """
    if spec.name in MODELS:
        raise ConfigError(f"a model's name must be new; there is a {spec.name!r} already. Choose another name.")
    MODELS[spec.name] = spec
