"""The configuration of a run, as `config.json` holds it: text, split, model, seed, and training settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from backlight.core import ConfigError, RunError
from backlight.core.settings import RENAMED, check_settings, from_json, nearest, setting
from backlight.models import MODELS, ModelSpec, model_spec, settings_of
from backlight.models.neural import NeuralModel
from backlight.optim import SGD, AdamW, Constant, Muon, Optimiser, Schedule, StepDecay, WarmupCosine
from backlight.text import LIST, Dataset, Duplicates, Mode, Reading, Source
from backlight.text.records.reading import AS_IT_IS
from backlight.text.tokenizers.choosing import check_tokens
from backlight.text.vocabulary import CHARACTERS

MOST: Final = 1_000_000_000
"""The largest number of steps, examples or threads; a larger one is a typing error."""

PATIENCE: Final = 8
PATIENT_FOR: Final = 0.4
"""Training ends by default after 8 evaluations and this share of its steps without improvement: more would overfit."""

_OF_THE_RUN = {"format", "backlight", "created", "parameters", "longest"}
"""Entries of `config.json` that are not part of the configuration."""

_IF_GIVEN = ("reading", "also", "tokens", "start", "line", "token_counts", "keep_checkpoints", "branch")
"""Entries of `config.json` that are written only if they are given."""

_REMEDY = "Correct it, or leave it out for the model's default."


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained. Each model has its own defaults: `TrainConfig.of("gpt", steps=500)`.

    Args:
        steps: number of minibatches.
        batch_size: examples in each minibatch, drawn with replacement.
        optimiser: "adamw"; "sgd"; or "muon", which is Muon for the matrices of hidden layers and AdamW for the rest.
        lr: peak learning rate.
        schedule: "cosine" decays to 0 after a linear warm-up; "step" divides by 10 for the last quarter; "constant".
        warmup: linear warm-up steps of the cosine schedule; at least one step runs at the peak rate.
        final_lr: last learning rate of the cosine schedule, as a fraction of `lr`.
        beta2: decay rate of AdamW's mean of squared gradients. 0.99 suits runs of a few thousand steps: with 0.999 it
            is a mean over about a thousand.
        momentum: momentum of SGD.
        weight_decay: decoupled weight decay of weight matrices; biases and gains are not decayed.
        grad_clip: maximum global norm of the gradient; None does not clip.
        ema_decay: decay of an exponential moving average of the weights, which is evaluated and saved in their place.
            0.999 averages over about the last thousand steps. None does not average.
        eval_interval: steps between evaluations on the dev split; None is a twentieth of all steps.
        patience: stop after this many consecutive evaluations without improvement; None trains to the end.
        threads: number of threads, of the compiled kernels if they are used and else of BLAS. The results of the
            kernels do not depend on it; those of BLAS do, so it is part of the configuration.

    Raises:
        ConfigError: a setting of the wrong type or out of range, or momentum with AdamW.
    """

    steps: int = setting("Training steps.", at_least=1, at_most=MOST, remedy=_REMEDY)
    batch_size: int = setting("Examples in each minibatch.", at_least=1, at_most=MOST, remedy=_REMEDY)
    lr: float = setting("Peak learning rate.", at_least=0, remedy=_REMEDY)
    optimiser: Literal["adamw", "sgd", "muon"] = setting(
        "Optimiser. muon: Muon for the matrices of hidden layers, AdamW for the rest.", default="adamw", remedy=_REMEDY
    )
    schedule: Literal["cosine", "step", "constant"] = setting(
        "Learning-rate schedule.", default="cosine", remedy=_REMEDY
    )
    warmup: int = setting("Linear warm-up steps.", default=0, at_least=0, at_most=MOST, remedy=_REMEDY)
    final_lr: float = setting(
        "Last rate of the cosine schedule, as a fraction of lr.", default=0.0, at_least=0, at_most=1, remedy="Try 0.1."
    )
    beta2: float = setting(
        "AdamW's decay rate of squared gradients.", default=0.99, at_least=0, below=1, remedy="Try 0.95."
    )
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
    threads: int = setting("Threads to compute on.", default=1, at_least=1, at_most=MOST, remedy=_REMEDY)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.momentum and self.optimiser != "sgd":
            raise ConfigError(
                f"momentum is a setting of sgd; got momentum {self.momentum} with {self.optimiser}. "
                "Leave it out, or choose the optimiser sgd."
            )

    @classmethod
    def of(cls, model: str, **changes: Any) -> "TrainConfig":
        """Return a model's default training settings, with some of them changed, and a patience.

        Raises:
            ConfigError: an n-gram model, an unknown setting, or one out of range.
        """
        spec = model_spec(model)
        if spec.train is None:
            given = f"; got {', '.join(changes)}. Leave them out." if changes else ". Choose another model."
            raise ConfigError(f"{model} counts n-grams and is not trained step by step{given}")
        made = cls(**{**spec.train, **changes})
        if "patience" in changes:
            return made
        return replace(made, patience=max(PATIENCE, round(PATIENT_FOR * made.steps / made.interval)))

    @property
    def interval(self) -> int:
        """Number of steps from one evaluation to the next."""
        return self.eval_interval or max(1, self.steps // 20)

    def kept_every(self, most: int | None) -> int | None:
        """Return the number of steps from one kept checkpoint to the next, so that at most `most` are kept.

        Those of evaluations are kept. None keeps none.
        """
        return None if most is None else self.interval * max(1, -(-(self.steps // self.interval) // most))

    def trained_on(self, train: Dataset) -> int:
        """Return the number of targets in all minibatches together."""
        return int(self.steps * self.batch_size * train.targets / len(train))

    def rate(self) -> Schedule:
        """Return the learning rate as a function of the step."""
        match self.schedule:
            case "cosine":
                warmup = min(self.warmup, self.steps - 1)
                return WarmupCosine(lr=self.lr, steps=self.steps, warmup=warmup, final=self.final_lr)
            case "step":
                return StepDecay(lr=self.lr, at=(self.steps * 3 // 4,))
            case "constant":
                return Constant(lr=self.lr)

    def build(self, model: NeuralModel) -> Optimiser:
        """Return the optimiser for a model, whose parameters are moved into one flat array."""
        parameters, decay = model.flat(), self.weight_decay
        if self.optimiser == "sgd":
            return SGD(parameters, self.lr, momentum=self.momentum, weight_decay=decay, decay_vectors=False)
        betas = 0.9, self.beta2
        if self.optimiser == "muon":
            hidden = model.hidden_matrices()
            return Muon(parameters, hidden, self.lr, betas=betas, weight_decay=decay, decay_vectors=False)
        return AdamW(parameters, self.lr, betas=betas, weight_decay=decay, decay_vectors=False)


@dataclass(frozen=True, kw_only=True)
class BranchPoint:
    """Where a run branches off another.

    Attributes:
        run: the name of the other run.
        step: how many steps it had taken.
    """

    run: str
    step: int


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The configuration of a run. `RunConfig.of("names", model="gpt", steps=500)` fills in the model's defaults.

    Args:
        corpus: a corpus's name, a path, "-" for standard input, or the name of a `Corpus` that is passed separately.
        model: the name of a model.
        settings: the model's sizes; missing ones take the defaults. `vocabulary_size` comes from the text.
        train: training settings; None for an n-gram model.
        mode: "items" or "text"; None for the corpus's default.
        seed: random seed of the initial weights and the minibatches.
        split_seed: random seed of the split. It is separate from `seed`, so that runs can be compared.
        fractions: fractions of train, dev and test.
        duplicates: "together" puts all copies of an item in the same split; "keep" leaves them where they fall.
        reading: how files are read into items; settings of `Reading` can be given to `of` by name.
        also: paths of further files, whose items follow those of `corpus`.
        tokens: "characters", "words", "smiles", "bpe:N" or a regular expression: the tokens of the vocabulary.
        start: the name of the run whose weights are the initial ones; None for random ones.
        watch_every: record every N-th training step for `backlight health`, after the first few; None records nothing.
            Recording does not change the training: results are bit-identical.
        line: a line of text of which the nats of each character, and what attention reads, are recorded at each
            evaluation, if steps are; None for the first held-out item.
        keep_checkpoints: keep at most this many checkpoints, evenly spaced over the steps, to branch from; None keeps
            the last one only.
        branch: the run and the step that it branches off, whose training it continues; None if it begins at step 0.
        token_counts: of token files, the targets, characters and bytes of "train", "dev" and "test"; None for a text.

    Raises:
        ConfigError: an entry of the wrong type or out of range, or `train` for an n-gram model.
    """

    corpus: str
    model: str
    settings: Mapping[str, Any]
    train: TrainConfig | None
    mode: Mode | None = None
    seed: int = setting("Random seed of initial weights and minibatches.", default=1, at_least=0, remedy="Try 1.")
    split_seed: int = setting("Random seed of the split.", default=42, at_least=0, remedy="Try 42.")
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    duplicates: Duplicates = "together"
    reading: Reading = AS_IT_IS
    also: tuple[str, ...] | None = None
    tokens: str = setting(
        "What a model reads and writes one at a time: characters, words, smiles (atoms), bpe:N (byte pairs), or a"
        " regular expression.", default=CHARACTERS, remedy="Leave it out for characters.",
    )  # fmt: skip
    start: str | None = None
    watch_every: int | None = setting(
        "Record every N-th step after the first ten.", default=None, at_least=1, remedy="Leave it out."
    )
    line: str | None = setting("A line of text to watch the network on.", default=None)
    keep_checkpoints: int | None = setting(
        "Keep at most N checkpoints, evenly spaced over the steps, to branch from with --at-step.", default=None,
        at_least=1, at_most=1_000, remedy="Try 10.",
    )  # fmt: skip
    branch: BranchPoint | None = None
    token_counts: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_settings(self)
        check_tokens(self.tokens)
        if self.watch_every is not None and self.train is None:
            raise ConfigError(
                f"watch_every needs a model that is trained step by step; {self.model} counts n-grams. Leave it out."
            )
        if self.line is not None and self.watch_every is None:
            raise ConfigError(
                f"a line is recorded where steps are; got line {self.line[:40]!r} without watch_every. Set it, or leave"
                " the line out."
            )
        if self.keep_checkpoints is not None and self.train is None:
            raise ConfigError(
                f"keep_checkpoints needs a model that is trained step by step; {self.model} counts n-grams. Leave it"
                " out."
            )
        if self.spec.counted != (self.train is None):
            needed = "counts n-grams and takes no" if self.spec.counted else "needs a"
            raise ConfigError(f"model {self.model} {needed} TrainConfig; got {self.train}. Use RunConfig.of().")

    @classmethod
    def of(cls, corpus: str, *, model: str = "mlp", **options: Any) -> "RunConfig":
        """Return the configuration of a run, with the model's defaults for options that are not given.

        Args:
            corpus: see `RunConfig`.
            model: the name of a model.
            options: sizes of the model, fields of `TrainConfig`, and other fields of `RunConfig`, by name.

        Raises:
            ConfigError: an unknown option, or one out of range.
        """
        spec = model_spec(model)
        own = {one.name for one in fields(cls)} - {"corpus", "model", "settings", "train"}
        training = {one.name for one in fields(TrainConfig)}
        reading = {one.name for one in fields(Reading)}
        for name in options:
            if name not in {*own, *training, *reading, *spec.settings}:
                known = [*spec.settings, *sorted(training), *sorted(own), *sorted(reading)]
                raise ConfigError(_unknown(name, spec, known))
        trained = {name: value for name, value in options.items() if name in training}
        read = {name: value for name, value in options.items() if name in reading}
        if read:
            options = {**options, "reading": replace(options.get("reading", AS_IT_IS), **read)}
        return cls(
            corpus=corpus,
            model=model,
            settings={name: value for name, value in options.items() if name in spec.settings},
            train=None if spec.counted and not trained else TrainConfig.of(model, **trained),
            **{name: value for name, value in options.items() if name in own},
        )

    @property
    def source(self) -> str:
        """The name of the text, for messages."""
        name = {"-": "standard input", LIST: "a list"}.get(self.corpus, self.corpus)
        return f"{name} and {len(self.also)} more" if self.also else name

    @property
    def files(self) -> Source:
        """What `load_corpus` reads: the name of the corpus, or the paths of several files."""
        return [Path(path) for path in (self.corpus, *self.also)] if self.also else self.corpus

    @property
    def spec(self) -> ModelSpec:
        """The model's entry in the table of models."""
        return model_spec(self.model)

    def to_json(
        self, *, sizes: Any, mode: Mode, sha256: str, parameters: int | None, longest: int | None = None
    ) -> dict[str, Any]:
        """Return the content of `config.json`, from which `from_json` restores the configuration.

        Args:
            sizes: the model's complete configuration.
            mode: the mode in which the text was read.
            sha256: the checksum of the text.
            parameters: number of parameters of the network; None for an n-gram model.
            longest: number of characters of the longest item; None for a stream of text.
        """
        return {
            "corpus": {"name": self.corpus, "mode": mode, "sha256": sha256},
            "model": {"name": self.model, "settings": settings_of(sizes)},
            "parameters": parameters,
            "longest": longest,
            **{
                name: value
                for name, value in asdict(self).items()
                if name not in {"corpus", "model", "settings", "mode", *_IF_GIVEN}
            },
            **self._given(),
        }

    def _given(self) -> dict[str, Any]:
        """Return the entries that are written only if given, so that older versions can read the others."""
        reading = {name: value for name, value in asdict(self.reading).items() if value is not None}
        values = {**{name: asdict(self)[name] for name in _IF_GIVEN}, "reading": reading}
        return {name: value for name, value in values.items() if value and value != CHARACTERS}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Return the configuration in a `config.json` of this format or of format 1.

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
            # the vocabulary's size comes from the text; any size serves to check the other settings
            model_spec(model.name).configure({**settings, "vocabulary_size": 2})
            own = {"corpus": corpus.name, "mode": corpus.mode, "model": model.name, "settings": settings}
            return from_json(cls, {**values, **own})
        except ConfigError as error:
            raise RunError(
                "config.json must hold a configuration that this version of Backlight can read; in this one "
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
    """The entries of `config.json` that are objects."""

    corpus: _StoredCorpus
    model: _StoredModel


def _renamed(settings: Any) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    return {RENAMED.get(name, name): value for name, value in settings.items()}


def _unknown(name: str, spec: ModelSpec, known: list[str]) -> str:
    """Return the message for an option that a model does not have."""
    others = [other.name for other in MODELS.values() if name in other.settings]
    if others:
        return f"{name} is a setting of {', '.join(others)}; {spec.name} has {', '.join(spec.settings) or 'none'}."
    if name in RENAMED and RENAMED[name] in known:
        return f"{name} is called {RENAMED[name]}."
    return f"there is no option {name!r} for {spec.name}. {nearest(name, known)}"
