"""The configurations of the models that are compared."""

from collections.abc import Sequence
from typing import Any

from backlight.core import ConfigError
from backlight.models import MODELS, mixtures, model_spec
from backlight.training import RunConfig


def comparison(
    corpus: str, *, models: Sequence[str] = (), thorough: bool = False, steps: int | None = None, **options: Any
) -> list[RunConfig]:
    """Return a configuration for each model, with the same text, split and seed.

    Without `thorough`, all models together take about three minutes on two cores, divided so that each comes close to
    its best loss (docs/log.md).

    Args:
        corpus: a corpus's name, a path, or "-" for standard input.
        models: names of models; all of `MODELS` if empty, in its order. Mixtures, as in "gru+ngram", come last.
        thorough: train each model for as long as `backlight train` does.
        steps: training steps of every network, instead of its default.
        options: further options of `RunConfig.of`, such as `seed` and `split_seed`.

    Raises:
        ConfigError: an unknown model, or an option out of range.
    """
    known = [*MODELS, *mixtures()]
    unknown = [model for model in models if model not in known]
    if unknown:
        given = ", ".join(name or "an empty name" for name in unknown)
        raise ConfigError(f"the models are {', '.join(known)}; got {given}. Name one or more of them.")
    configs = []
    for name in known if models else MODELS:
        if models and name not in models:
            continue
        spec = model_spec(name)
        own = {} if thorough else {**spec.quick, **spec.quick_settings}
        if not spec.counted:
            own |= {} if steps is None else {"steps": steps}
        configs.append(RunConfig.of(corpus, model=name, **own, **options))
    return configs
