"""Which models a ladder trains, from the simplest up, and for how long."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from backlight.core import ConfigError
from backlight.models import MODELS
from backlight.text import Duplicates, Mode
from backlight.training import RECIPES, Plan, Recipe

RUNGS: Final = ("bigram", "ngram", "mlp", "wavenet", "rnn", "gru", "lstm", "gpt")
"""From the simplest to the latest."""

PATIENCE: Final = 6
"""Looks at the dev split, twenty in a whole run, without a new best: then a rung is over. A short text is soon known by
heart, and no rung shall use up the budget for that."""


QUICK: Final[dict[str, dict[str, Any]]] = {
    "wavenet": {"steps": 8_000},
    "rnn": {"steps": 3_000},
    "gru": {"steps": 4_000},
    "lstm": {"steps": 4_000},
    "gpt": {"steps": 6_000},
}
"""What the quick ladder's recipes do otherwise than those of `backlight train`: a budget of about three minutes on two
cores, shared out so that each rung comes close to what it can reach (docs/log.md). The others are quick as they are."""

QUICK_SETTINGS: Final[dict[str, dict[str, Any]]] = {"gpt": {"dropout": 0.03}}
"""What the quick ladder's models have otherwise: the less often a text is read, the less dropout holds back."""


def plans(
    corpus: str,
    *,
    models: Sequence[str] = RUNGS,
    thorough: bool = False,
    steps: int | None = None,
    mode: Mode | None = None,
    seed: int = 1,
    split_seed: int = 42,
    duplicates: Duplicates = "together",
) -> list[Plan]:
    """Return one plan a rung: the same text, split and seed; each model's own recipe.

    Args:
        corpus: a corpus's name, a path, or "-" for standard input.
        models: which rungs, in any order; they are climbed from the simplest up.
        thorough: the recipes of `backlight train` instead of shorter ones.
        steps: minibatches of every network, instead of its recipe's.
        mode: "items" or "text"; None for what the corpus usually is.
        seed: decides the first weights and the minibatches.
        split_seed: decides which items are held out.
        duplicates: whether copies of an item stay on one side of the split.

    Raises:
        ConfigError: a model that there is not, or none; steps outside their range.
    """
    unknown = [model for model in models if model not in RUNGS]
    if unknown or not models:
        given = ", ".join(unknown) or "none"
        raise ConfigError(f"the rungs of the ladder are {', '.join(RUNGS)}; got {given}. Name one or more of them.")
    return [
        Plan(
            corpus=corpus, mode=mode, model=model, settings={} if thorough else QUICK_SETTINGS.get(model, {}),
            recipe=_recipe(model, steps, thorough=thorough), seed=seed, split_seed=split_seed, duplicates=duplicates,
        )
        for model in RUNGS if model in models
    ]  # fmt: skip


def _recipe(model: str, steps: int | None, *, thorough: bool) -> Recipe | None:
    if MODELS[model].counted:
        return None
    changes = {} if thorough else QUICK.get(model, {})
    if steps is not None:
        changes = {**changes, "steps": steps}
    return replace(RECIPES[model], patience=PATIENCE, **changes)
