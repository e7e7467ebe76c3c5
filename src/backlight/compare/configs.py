"""Which models are compared, and for how long each is trained."""

from collections.abc import Sequence
from typing import Any, Final

from backlight.core import ConfigError
from backlight.models import MODELS
from backlight.training import RunConfig

PATIENCE: Final = 6
"""Evaluations without improvement, twenty in a whole run, after which a training ends: a short text is soon known by
heart, and no model shall use up the budget for that."""


def comparison(
    corpus: str, *, models: Sequence[str] = (), thorough: bool = False, steps: int | None = None, **options: Any
) -> list[RunConfig]:
    """Return a configuration for each model: the same text, split and seed; each model's own training settings.

    Without `thorough`, those have a budget of about three minutes for all models on two cores, shared out so that each
    comes close to what it can reach (docs/log.md).

    Args:
        corpus: a corpus's name, a path, or "-" for standard input.
        models: which models; all if none is named. They come in the order of the table of models.
        thorough: train each as long as `backlight train` does.
        steps: training steps of every network, instead of its own.
        options: further options of `RunConfig.of`, such as `seed` and `split_seed`.

    Raises:
        ConfigError: a model that there is not; an option out of range.
    """
    unknown = [model for model in models if model not in MODELS]
    if unknown:
        raise ConfigError(f"the models are {', '.join(MODELS)}; got {', '.join(unknown)}. Name one or more of them.")
    configs = []
    for name, spec in MODELS.items():
        if models and name not in models:
            continue
        own = {} if thorough else {**spec.quick, **spec.quick_settings}
        if not spec.counted:
            own |= {"patience": PATIENCE, **({} if steps is None else {"steps": steps})}
        configs.append(RunConfig.of(corpus, model=name, **own, **options))
    return configs
