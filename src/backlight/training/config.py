"""The configuration of a run: text, split, model, seed, and how a network is trained. What `config.json` holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from backlight.autograd.flat import FlatParameters
from backlight.core import ConfigError, RunError
from backlight.core.settings import RENAMED, check_settings, from_json, nearest, setting
from backlight.models import MODELS, ModelSpec, model_spec, settings_of
from backlight.optim import SGD, AdamW, Constant, Optimiser, Schedule, StepDecay, WarmupCosine
from backlight.text import LIST, Duplicates, Mode

MOST: Final = 1_000_000_000
"""The largest number of steps, examples or threads: more is a slip of the keyboard."""

_OF_THE_RUN = {"format", "backlight", "created", "parameters"}
"""Entries of `config.json` that are no configuration."""

_REMEDY = "Correct it, or leave it out for the model's default."


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained. Each model has its own defaults: `TrainConfig.of("gpt", steps=500)`.

    Args:
        steps: how many minibatches.
        batch_size: examples in each, drawn with replacement.
        optimiser: "adamw" or "sgd".
        lr: learning rate at its highest.
        schedule: "cosine" falls to 0 after a linear warm-up; "step" falls to a tenth for the last quarter; "constant".
        warmup: steps of the cosine schedule's rise; more than there are leaves one step at the full rate.
        momentum: of SGD.
        weight_decay: on weight matrices; biases and gains are left alone.
        grad_clip: largest global norm of the gradient; None does not clip.
        ema_decay: decay of an exponential moving average of the weights; the average is evaluated and saved instead of
            the weights. 0.999 averages over about the last thousand steps. None does not average.
        eval_interval: steps between evaluations on the whole dev split; None makes it a twentieth of all steps.
        patience: stop after this many evaluations in a row without improvement; None trains to the end.
        threads: how many threads BLAS may use; part of the configuration since another number rounds sums differently.

    Raises:
        ConfigError: a setting of the wrong type or out of range, or momentum with an optimiser that has none.
    """

    steps: int = setting("Training steps.", at_least=1, at_most=MOST, remedy=_REMEDY)
    batch_size: int = setting("Examples in each minibatch.", at_least=1, at_most=MOST, remedy=_REMEDY)
    lr: float = setting("Peak learning rate.", at_least=0, remedy=_REMEDY)
    optimiser: Literal["adamw", "sgd"] = setting("Optimiser.", default="adamw", remedy=_REMEDY)
    schedule: Literal["cosine", "step", "constant"] = setting(
        "Learning-rate schedule.", default="cosine", remedy=_REMEDY
    )
    warmup: int = setting("Linear warm-up steps.", default=0, at_least=0, at_most=MOST, remedy=_REMEDY)
    momentum: float = setting("SGD momentum.", default=0.0, at_least=0, below=1, remedy="Try 0.9.")
    weight_decay: float = setting("Decoupled weight decay.", default=0.0, at_least=0, remedy=_REMEDY)
    grad_clip: float | None = setting(
        "Clip the gradient to this norm.", default=None, above=0,
        remedy="Try 1, or leave it out.",
    )  # fmt: skip
    ema_decay: float | None = setting(
        "Evaluate and save an exponential moving average of the weights with this decay.", default=None,
        above=0, below=1, remedy="Try 0.999, or leave it out.",
    )  # fmt: skip
    eval_interval: int | None = setting(
        "Evaluate on the dev split every N steps.", default=None, at_least=1, at_most=MOST, remedy=_REMEDY
    )
    patience: int | None = setting(
        "Stop after this many evaluations without improvement.", default=None, at_least=1, at_most=MOST, remedy=_REMEDY
    )
    threads: int = setting("Threads for matrix products.", default=1, at_least=1, at_most=MOST, remedy=_REMEDY)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.momentum and self.optimiser != "sgd":
            raise ConfigError(
                f"momentum is a setting of sgd; got momentum {self.momentum} with {self.optimiser}. "
                "Leave it out, or choose the optimiser sgd."
            )

    @classmethod
    def of(cls, model: str, **changes: Any) -> "TrainConfig":
        """Return a model's own training settings, some of them changed.

        Raises:
            ConfigError: a model that counts, an unknown setting, or one out of range.
        """
        spec = model_spec(model)
        if spec.train is None:
            given = f"; got {', '.join(changes)}. Leave them out." if changes else ". Choose another model."
            raise ConfigError(f"{model} is counted, not trained step by step{given}")
        return cls(**{**spec.train, **changes})

    @property
    def interval(self) -> int:
        """Steps from one evaluation to the next."""
        return self.eval_interval or max(1, self.steps // 20)

    def rate(self) -> Schedule:
        """Return the learning rate as a function of the step."""
        match self.schedule:
            case "cosine":
                return WarmupCosine(lr=self.lr, steps=self.steps, warmup=min(self.warmup, self.steps - 1))
            case "step":
                return StepDecay(lr=self.lr, at=(self.steps * 3 // 4,))
            case "constant":
                return Constant(lr=self.lr)

    def build(self, parameters: FlatParameters) -> Optimiser:
        """Return the optimiser for these parameters."""
        if self.optimiser == "sgd":
            return SGD(parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay, decay_vectors=False)
        # β₂ = 0.99 instead of 0.999: a run of a few thousand steps cannot wait a thousand for its second moments
        return AdamW(parameters, self.lr, betas=(0.9, 0.99), weight_decay=self.weight_decay, decay_vectors=False)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A training run before it begins. `RunConfig.of("names", model="gpt", steps=500)` fills in the model's defaults.

    Args:
        corpus: a corpus's name, a path, "-" for standard input, or a `Corpus`'s own name if the text is passed on.
        model: the name of a model.
        settings: its sizes; what is missing takes the model's defaults. `vocabulary_size` comes from the text.
        train: how a network is trained; None for a model that counts.
        mode: "items" or "text"; None for the corpus's own.
        seed: decides the first weights and the minibatches.
        split_seed: decides which items are held out. Kept apart from `seed`, so that runs can be compared.
        fractions: shares of train, dev and test.
        duplicates: whether copies of an item stay on one side of the split ("together"), or fall where they may
            ("keep").
        watch_every: record every N-th training step for `backlight health`, after the first few; None records nothing.
            Recording does not change the training: results are bit-identical.

    Raises:
        ConfigError: an entry of the wrong type or out of range, or `train` where the model counts.
    """

    corpus: str
    model: str
    settings: Mapping[str, Any]
    train: TrainConfig | None
    mode: Mode | None = None
    seed: int = setting("Random seed of initial weights and minibatches.", default=1, at_least=0, remedy="Take 1.")
    split_seed: int = setting("Random seed of the split.", default=42, at_least=0, remedy="Take 42.")
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    duplicates: Duplicates = "together"
    watch_every: int | None = setting(
        "Record every N-th step, after the first ten.", default=None, at_least=1, remedy="Leave it out."
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.watch_every is not None and self.train is None:
            raise ConfigError(
                f"{self.model} is counted, not trained: there is nothing to watch. Leave watch_every out."
            )
        if self.spec.counted != (self.train is None):
            needed = "is counted and takes no" if self.spec.counted else "needs a"
            raise ConfigError(f"model {self.model} {needed} TrainConfig; got {self.train}. Use RunConfig.of().")

    @classmethod
    def of(cls, corpus: str, *, model: str = "mlp", **options: Any) -> "RunConfig":
        """Return the configuration of a run, with the model's defaults where no option is given.

        Args:
            corpus: see `RunConfig`.
            model: the name of a model.
            options: the model's sizes, fields of `TrainConfig`, and the other fields of `RunConfig`, all by name.

        Raises:
            ConfigError: an unknown option, or one out of range.
        """
        spec = model_spec(model)
        own = {one.name for one in fields(cls)} - {"corpus", "model", "settings", "train"}
        training = {one.name for one in fields(TrainConfig)}
        for name in options:
            if name not in {*own, *training, *spec.settings}:
                raise ConfigError(_unknown(name, spec, [*spec.settings, *sorted(training), *sorted(own)]))
        trained = {name: value for name, value in options.items() if name in training}
        return cls(
            corpus=corpus,
            model=model,
            settings={name: value for name, value in options.items() if name in spec.settings},
            train=None if spec.counted and not trained else TrainConfig.of(model, **trained),
            **{name: value for name, value in options.items() if name in own},
        )

    @property
    def source(self) -> str:
        """What to call the text that it learns from."""
        return {"-": "standard input", LIST: "a list"}.get(self.corpus, self.corpus)

    @property
    def spec(self) -> ModelSpec:
        """The model's entry in the table of models."""
        return model_spec(self.model)

    def to_json(self, *, sizes: Any, mode: Mode, sha256: str, parameters: int | None) -> dict[str, Any]:
        """Return what `config.json` holds; `from_json` takes it back.

        Args:
            sizes: the model's whole configuration.
            mode: of the text that was read.
            sha256: of the text that was read.
            parameters: of the network; None for a model that counts.
        """
        return {
            "corpus": {"name": self.corpus, "mode": mode, "sha256": sha256},
            "model": {"name": self.model, "settings": settings_of(sizes)},
            "parameters": parameters,
            **{
                name: value
                for name, value in asdict(self).items()
                if name not in {"corpus", "model", "settings", "mode"}
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Return the configuration that a `config.json` holds, also one of format 1.

        Raises:
            RunError: an entry is missing, unknown, of the wrong type or out of range.
        """
        values = {key: value for key, value in values.items() if key not in _OF_THE_RUN}
        if "recipe" in values:  # Backlight 0.1
            values["train"] = _renamed(values.pop("recipe"))
        try:
            stored = from_json(_Stored, {key: values[key] for key in ("corpus", "model") if key in values})
            corpus, model = stored.corpus, stored.model
            settings = {name: value for name, value in _renamed(model.settings).items() if name != "vocabulary_size"}
            # the text decides the size of the vocabulary; any will do to check the others
            model_spec(model.name).configure({**settings, "vocabulary_size": 2})
            own = {"corpus": corpus.name, "mode": corpus.mode, "model": model.name, "settings": settings}
            return from_json(cls, {**values, **own})
        except ConfigError as error:
            raise RunError(
                "config.json must hold a configuration that this version of Backlight knows; in this one "
                f"{error} Or train again."
            ) from error


@dataclass(frozen=True)
class _StoredModel:
    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class _StoredCorpus:
    name: str
    mode: Mode
    sha256: str


@dataclass(frozen=True)
class _Stored:
    """The entries of `config.json` that are objects of their own."""

    corpus: _StoredCorpus
    model: _StoredModel


def _renamed(settings: Any) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    return {RENAMED.get(name, name): value for name, value in settings.items()}


def _unknown(name: str, spec: ModelSpec, known: list[str]) -> str:
    """Return what to say of an option that a model does not have."""
    others = [other.name for other in MODELS.values() if name in other.settings]
    if others:
        return f"{name} is a setting of {', '.join(others)}; {spec.name} has {', '.join(spec.settings) or 'none'}."
    if name in RENAMED and RENAMED[name] in known:
        return f"{name} is called {RENAMED[name]}."
    return f"there is no option {name!r} for {spec.name}. {nearest(name, known)}"
