"""What there is to say about a model: one `ModelSpec`, beside the model, read by everything that handles models."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, get_type_hints

import numpy as np

from backlight.core import ConfigError
from backlight.core.settings import check_settings, nearest
from backlight.models.protocol import LanguageModel

MOST: Final = 1_000_000
"""The largest size: more is a slip of the keyboard, and no memory holds it."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Base class of a model's configuration. Fields made by `setting` are checked, and become command-line options.

    Args:
        vocabulary_size: V, the boundary included; it comes from the text.

    Raises:
        ConfigError: a value of the wrong type or out of range.
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
    """A model's entry in the registry.

    Attributes:
        name: its name on the command line, in Python and in a run.
        summary: what it is, in a line.
        config: its configuration class, a frozen dataclass derived from `ModelConfig`.
        build: makes the model from a configuration and the generator that draws the first weights.
        train: the defaults of its `TrainConfig`; None for a model that counts.
        quick: which of them are different in `backlight compare` without --thorough.
        quick_settings: the same for its sizes.
        cost: rough seconds of a quick training on `names`: `backlight compare` starts the slowest first.
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
        """Whether it is fitted by counting rather than by gradients."""
        return self.train is None

    @property
    def settings(self) -> list[str]:
        """The names of its settings, without the vocabulary's size."""
        return [one.name for one in fields(self.config) if one.name != "vocabulary_size"]

    def configure(self, settings: Mapping[str, Any]) -> Any:
        """Return the configuration for these settings; a list of one number will do for a number.

        Raises:
            ConfigError: a setting that this model does not have, or a value that it cannot have.
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
            raise ConfigError(f"{name} of {self.name} is one number; got {', '.join(map(str, value))}. Give the first.")
        return value[0]


def settings_of(config: Any) -> dict[str, Any]:
    """Return a configuration as plain settings, fit for JSON and for `ModelSpec.configure`."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}
