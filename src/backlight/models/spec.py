"""The description of a model, a `ModelSpec`, from which training, commands and comparisons are made."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, get_type_hints

import numpy as np

from backlight.core import ConfigError
from backlight.core.settings import check_settings, nearest
from backlight.models.protocol import LanguageModel

MOST: Final = 1_000_000
"""The largest size that is accepted; a larger one is a typing error, and would not fit into memory."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Base class of a model's configuration. Fields made by `setting` are checked, and become command-line options.

    Args:
        vocabulary_size: V, including the boundary; it comes from the text.

    Raises:
        ConfigError: a value has the wrong type or is out of range.
    """

    vocabulary_size: int

    def __post_init__(self) -> None:
        check_settings(self)
        if self.vocabulary_size < 2:
            raise ConfigError(
                f"vocabulary_size must be at least 2, the boundary and one character; got {self.vocabulary_size}. "
                "Pass the size of the vocabulary that encoded the text."
            )


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The entry of a model in the registry.

    Attributes:
        name: the model's name on the command line, in Python and in a run.
        summary: a description in one line.
        config: the configuration class, a frozen dataclass derived from `ModelConfig`.
        build: makes the model from a configuration and the random generator of the initial weights.
        train: default arguments of its `TrainConfig`; None for an n-gram model.
        quick: arguments of `TrainConfig` that differ in `backlight compare` without --thorough.
        quick_settings: sizes that differ in `backlight compare` without --thorough.
        cost: approximate seconds of a quick training on `names`; `backlight compare` starts the slowest model first.
    """

    name: str
    summary: str
    config: type[Any]
    build: Callable[[Any, np.random.Generator], LanguageModel]
    train: Mapping[str, Any] | None
    quick: Mapping[str, Any] = field(default_factory=dict)
    quick_settings: Mapping[str, Any] = field(default_factory=dict)
    cost: float = 0.0

    @property
    def counted(self) -> bool:
        """Whether the model is fitted by counting rather than by gradients."""
        return self.train is None

    @property
    def settings(self) -> list[str]:
        """The names of the model's settings, except `vocabulary_size`."""
        return [one.name for one in fields(self.config) if one.name != "vocabulary_size"]

    def configure(self, settings: Mapping[str, Any]) -> Any:
        """Return the configuration for these settings. A list of one number is accepted for a number.

        Raises:
            ConfigError: the model has no such setting, or a value has the wrong type or is out of range.
        """
        for name in settings:
            if name not in self.settings and name != "vocabulary_size":
                raise ConfigError(f"{self.name} has no setting {name!r}. {nearest(name, self.settings)}")
        hints = get_type_hints(self.config)
        return self.config(**{name: self._one(name, v) if hints[name] is int else v for name, v in settings.items()})

    def _one(self, name: str, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        if len(value) != 1:
            raise ConfigError(
                f"{name} of {self.name} must be one number; got {', '.join(map(str, value))}. Give one of them."
            )
        return value[0]


def settings_of(config: Any) -> dict[str, Any]:
    """Return a configuration as plain settings, for JSON and for `ModelSpec.configure`."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}
