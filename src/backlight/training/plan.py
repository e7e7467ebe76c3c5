"""What a run is to do, whole: text, split, model, recipe, seed. What `config.json` holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backlight.core import ConfigError, RunError
from backlight.models import Rung, rung
from backlight.text import Duplicates, Mode
from backlight.training.recipe import Recipe
from backlight.training.validate import wrong_entry


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training run before it begins.

    Args:
        corpus: a corpus's name, a path, or "-" for standard input.
        mode: "items" or "text"; None for what the corpus usually is.
        model: the kind of model.
        settings: its sizes; what is missing takes the model's defaults. `vocabulary_size` comes from the text.
        recipe: how a network is trained; None for a model that counts.
        seed: decides the first weights and the minibatches.
        split_seed: decides which items are held out. Kept apart from `seed`, so that runs can be compared.
        fractions: shares of train, dev and test.
        duplicates: whether copies of an item stay on one side of the split ("together"), or fall where they may
            ("keep").
        watch_every: from how many steps of the training one is recorded for `backlight health`, once the first few are
            over; None records nothing. Changes no bit of what is learnt.
    """

    corpus: str
    model: str
    settings: Mapping[str, Any]
    recipe: Recipe | None
    mode: Mode | None = None
    seed: int = 1
    split_seed: int = 42
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    duplicates: Duplicates = "together"
    watch_every: int | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more; got {self.seed}.")
        if self.watch_every is not None and self.watch_every < 1:
            raise ConfigError(f"watch_every is from how many steps one is recorded, 1 or more; got {self.watch_every}.")
        if self.watch_every is not None and self.recipe is None:
            raise ConfigError(
                f"{self.model} is counted, not trained: there is nothing to watch. Leave watch_every out."
            )
        if self.rung.counted != (self.recipe is None):
            raise ConfigError(f"a recipe is for networks, and they need one; got model {self.model} and {self.recipe}.")

    @property
    def rung(self) -> Rung:
        """The kind of model."""
        return rung(self.model)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, fit for JSON and for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_json` wrote.

        Raises:
            RunError: an entry is missing, unknown or of the wrong type.
            ConfigError: an entry is outside its range.
        """
        wrong = wrong_entry(cls, values)
        if wrong is None:
            # the text decides the size of the vocabulary; any will do to judge the others by
            wrong = wrong_entry(rung(values["model"]).config, {**values["settings"], "vocabulary_size": 2})
        if wrong is not None:
            raise RunError(
                f"config.json must hold a plan that this version of Backlight knows; in this one {wrong}. "
                "Correct it, or train again."
            )
        recipe = None if values["recipe"] is None else Recipe(**values["recipe"])
        fractions = tuple(values.get("fractions", cls.fractions))
        return cls(**{**values, "recipe": recipe, "fractions": fractions})
