"""The recipes of lectures 7 and 9 as data: what `backlight train --preset NAME` stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backlight.core import ConfigError
from backlight.core.settings import nearest
from backlight.text.token_files.folder import vocabulary_in
from backlight.text.token_files.names import are_token_files


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A recipe. Whatever a user gives takes precedence.

    Attributes:
        about: what it is, in words.
        corpus: the text; None if a user must give one.
        model: the name of the model.
        options: sizes, training settings and fields of `RunConfig`, by name.
        engine: fields of `EngineConfig`.
    """

    about: str
    corpus: str | None
    model: str
    options: Mapping[str, Any]
    engine: Mapping[str, Any]

    def options_for(self, corpus: str) -> dict[str, Any]:
        """Return the options for a text: token files with a tokenizer have their own tokens."""
        place = Path(corpus)
        folder = place if place.is_dir() else place.parent
        has_tokens = are_token_files(corpus) and vocabulary_in(folder) is not None
        return {name: value for name, value in self.options.items() if not (has_tokens and name == "tokens")}

    def engine_with(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of `EngineConfig`; for another engine than that of the preset, what is given."""
        other = given.get("engine", self.engine.get("engine")) != self.engine.get("engine")
        return dict(given) if other else {**self.engine, **given}


PRESETS: Final[Mapping[str, Preset]] = {
    "shakespeare-gpt": Preset(
        about="the GPT of lecture 7: 10.8M parameters on characters of Shakespeare",
        corpus="tinyshakespeare",
        model="gpt",
        options={
            "context": 256, "n_embd": 384, "n_head": 6, "n_layer": 6, "dropout": 0.2, "init": "gpt2",
            "steps": 5_000, "batch_size": 64, "lr": 3e-4, "schedule": "constant", "warmup": 0, "beta2": 0.999,
            "weight_decay": 0.01, "grad_clip": None, "eval_interval": 500, "patience": None,
            "mode": "text", "fractions": (0.9, 0.05, 0.05),
        },
        engine={},
    ),
    "gpt2-124m": Preset(
        about="GPT-2 of lecture 9: 124M parameters, 524,288 tokens a step",
        corpus=None,
        model="gpt",
        options={
            "context": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "dropout": 0.0, "tie_weights": True,
            "init": "gpt2",
            "steps": 19_073, "batch_size": 512, "lr": 6e-4, "schedule": "cosine", "warmup": 715, "final_lr": 0.1,
            "beta2": 0.95, "weight_decay": 0.1, "grad_clip": 1.0, "eval_interval": 250, "patience": None,
            "mode": "text", "tokens": "gpt2",
        },
        engine={"engine": "torch", "micro_batch_size": 16},
    ),
}  # fmt: skip


def preset_named(name: str) -> Preset:
    """Return a preset.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}. {nearest(name, list(PRESETS))}")
    return PRESETS[name]


def preset_line(name: str, given: Mapping[str, Any]) -> str:
    """Return a line that says what a preset sets, and what a user has given in its place.

    Raises:
        ConfigError: there is no preset of this name.
    """
    preset = preset_named(name)
    parts = [
        f"{option} {_shown(given[option])} (given, in place of {_shown(value)})"
        if option in given and given[option] != value
        else f"{option} {_shown(value)}"
        for option, value in {**preset.options, **preset.engine}.items()
    ]
    return f"Preset {name}, {preset.about}: {', '.join(parts)}."


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " / ".join(map(str, value))
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
