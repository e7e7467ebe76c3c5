"""The options that say what to train: which text, which network, by which recipe. Commands that train share them."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any

import typer

from backlight.core import ConfigError
from backlight.models import MODELS
from backlight.text import Duplicates, Mode
from backlight.training import RECIPES, Plan, Recipe
from backlight.training.recipe import OptimiserName, ScheduleName

_MODEL = "Model"
_TRAINING = "Training"
_DATA = "Data"

FirstSeed = Annotated[int, typer.Option("--seed", help="Seed of first weights and minibatches.", min=0)]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and the sizes that differ from its defaults."""

    model: Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)}.")] = "mlp"
    context: Annotated[int | None, typer.Option(help="Characters that it reads.", rich_help_panel=_MODEL)] = None
    embedding: Annotated[int | None, typer.Option(help="Length of a character's vector.", rich_help_panel=_MODEL)] = (
        None
    )
    hidden: Annotated[
        str | None, typer.Option(help="Units of the hidden layers, as in 200 or 256,128.", rich_help_panel=_MODEL)
    ] = None
    direct: Annotated[
        bool | None, typer.Option("--direct", help="Connect the vectors to the logits too.", rich_help_panel=_MODEL)
    ] = None
    batch_norm: Annotated[
        bool | None, typer.Option("--batch-norm", help="Normalise over the minibatch, in mlp.", rich_help_panel=_MODEL)
    ] = None
    channels: Annotated[
        int | None, typer.Option(help="Length of a position's vector, of GPT.", rich_help_panel=_MODEL)
    ] = None
    layers: Annotated[int | None, typer.Option(help="Blocks of GPT.", rich_help_panel=_MODEL)] = None
    heads: Annotated[int | None, typer.Option(help="Of GPT's attention.", rich_help_panel=_MODEL)] = None
    dropout: Annotated[
        float | None, typer.Option(help="Share of numbers dropped in training.", rich_help_panel=_MODEL)
    ] = None
    tie_weights: Annotated[
        bool | None, typer.Option("--tie-weights", help="GPT reads and writes by one table.", rich_help_panel=_MODEL)
    ] = None
    output_scale: Annotated[
        float | None,
        typer.Option(help="Factor on the last layer's first weights; 1 is overconfident.", rich_help_panel=_MODEL),
    ] = None
    order: Annotated[int | None, typer.Option(help="n of the n-gram, 1 to 6.", rich_help_panel=_MODEL)] = None
    smoothing: Annotated[
        str | None, typer.Option(help="kneser-ney or add-k, of the n-gram.", rich_help_panel=_MODEL)
    ] = None
    k: Annotated[
        float | None,
        typer.Option("--k", "-k", help="What add-k adds; tuned on dev if left out.", rich_help_panel=_MODEL),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return the sizes that were given. Raises ConfigError for what is not a list of sizes."""
        given = _given(self)
        del given["model"]
        if self.hidden is not None:
            given["hidden"] = _sizes(self.hidden)
        return given


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """What differs from the recipe of the model."""

    steps: Annotated[int | None, typer.Option(help="Minibatches in all.", rich_help_panel=_TRAINING)] = None
    batch_size: Annotated[int | None, typer.Option(help="Examples in each.", rich_help_panel=_TRAINING)] = None
    lr: Annotated[float | None, typer.Option(help="Learning rate at its highest.", rich_help_panel=_TRAINING)] = None
    optimiser: Annotated[
        OptimiserName | None, typer.Option("--optimiser", "--optimizer", help="How to step.", rich_help_panel=_TRAINING)
    ] = None
    schedule: Annotated[
        ScheduleName | None, typer.Option(help="How the learning rate changes.", rich_help_panel=_TRAINING)
    ] = None
    warmup: Annotated[int | None, typer.Option(help="Steps of its first rise.", rich_help_panel=_TRAINING)] = None
    momentum: Annotated[float | None, typer.Option(help="Of SGD.", rich_help_panel=_TRAINING)] = None
    weight_decay: Annotated[float | None, typer.Option(help="Pull of weights to 0.", rich_help_panel=_TRAINING)] = None
    clip: Annotated[float | None, typer.Option(help="Largest norm of the gradient.", rich_help_panel=_TRAINING)] = None
    average: Annotated[
        float | None, typer.Option(help="Decay of the weights' running average.", rich_help_panel=_TRAINING)
    ] = None
    evaluate_every: Annotated[
        int | None, typer.Option(help="Steps between looks at the dev split.", rich_help_panel=_TRAINING)
    ] = None
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many looks without a new best.", rich_help_panel=_TRAINING)
    ] = None
    threads: Annotated[int | None, typer.Option(help="Threads for matrix products.", rich_help_panel=_TRAINING)] = None

    def recipe(self, model: str) -> Recipe | None:
        """Return the model's own recipe with what was given; None for a model that counts, which takes nothing."""
        given = _given(self)
        if model in RECIPES:
            return replace(RECIPES[model], **given)
        if given and model in MODELS:
            raise ConfigError(f"{model} is counted, not trained step by step; got {', '.join(given)}. Leave them out.")
        return None


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """Which text, and how it is split."""

    corpus: Annotated[
        str,
        typer.Argument(help="A corpus's name, a file with one item a line, or - for standard input.", metavar="FILE"),
    ] = "names"
    mode: Annotated[
        Mode | None, typer.Option(help="One item a line, or one stream of text.", rich_help_panel=_DATA)
    ] = None
    split_seed: Annotated[int, typer.Option(help="Seed of the split.", min=0, rich_help_panel=_DATA)] = 42
    duplicates: Annotated[
        Duplicates, typer.Option(help="Copies of an item: on one side, or where they fall.", rich_help_panel=_DATA)
    ] = "together"


def plan_of(network: ModelOptions, training: RecipeOptions, text: TextOptions, *, seed: int) -> Plan:
    """Return what these options ask for. Raises ConfigError where they cannot be used."""
    return Plan(
        corpus=text.corpus, mode=text.mode, model=network.model, settings=network.settings(),
        recipe=training.recipe(network.model), seed=seed, split_seed=text.split_seed, duplicates=text.duplicates,
    )  # fmt: skip


def words(*groups: ModelOptions | RecipeOptions | TextOptions) -> list[str]:
    """Return what a command line would say for these options: those that are not at their defaults."""
    spelled: list[str] = []
    for group in groups:
        for field in fields(group):
            value, flag = getattr(group, field.name), "--" + field.name.replace("_", "-")
            if field.name == "corpus":
                spelled.insert(0, value)
            elif value != field.default:
                spelled += [flag] if value is True else [flag, str(value)]
    return spelled


def _given(group: ModelOptions | RecipeOptions) -> dict[str, Any]:
    return {name: value for name, value in asdict(group).items() if value is not None}


def _sizes(hidden: str) -> list[int]:
    try:
        return [int(size) for size in hidden.split(",")]
    except ValueError:
        raise ConfigError(f"--hidden takes whole numbers with commas between, as in 256,128; got {hidden!r}.") from None
