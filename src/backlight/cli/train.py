"""`backlight train`: from a file of words to a run, watched while it learns."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from backlight.cli import learning
from backlight.cli.grouped import grouped
from backlight.cli.options import FirstSeed, ModelOptions, RecipeOptions, TextOptions, plan_of
from backlight.cli.output import RUNS, Json, RunsFolder, open_run, shortened
from backlight.core import ConfigError
from backlight.runs import new_run_path
from backlight.text import Corpus
from backlight.training import Plan, prepare, reopen

_HEALTH = "Health"
_RECORDS = 100

_LONGEST_NAME = 255  # what file systems allow


@grouped
def train(
    *,
    typed: typer.Context,
    network: ModelOptions,
    training: RecipeOptions,
    seed: FirstSeed = 1,
    text: TextOptions,
    health: Annotated[
        bool, typer.Option("--health", help="Record what `backlight health` judges.", rich_help_panel=_HEALTH)
    ] = False,
    health_every: Annotated[
        int | None,
        typer.Option(help="Steps from one record to the next, after the first ten.", min=1, rich_help_panel=_HEALTH),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run instead.", metavar="RUN", readable=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run's name; otherwise corpus, model and a number.")] = None,
    runs: RunsFolder = RUNS,
    samples: Annotated[int, typer.Option(help="New items to print at the end.", min=0)] = 20,
    json_output: Json = False,
) -> None:
    """Train a model on a list of items, watch it learn, and read items that nobody ever had."""
    if resume is not None:
        _nothing_new(typed)
        session = reopen(open_run(resume, runs))
    else:
        plan = _watched(plan_of(network, training, text, seed=seed), every=health_every, wanted=health)
        session = prepare(plan, _place(runs, name, plan))
    learning.run(session, samples=samples, json_output=json_output)


def _watched(plan: Plan, *, every: int | None, wanted: bool) -> Plan:
    """Return the plan with a watcher, if one is wanted: a hundred records in all, unless it is said how often."""
    if every is None and not wanted:
        return plan
    if plan.recipe is None:
        raise ConfigError(
            f"{plan.model} is counted, not trained step by step: there is nothing to watch. Leave --health out."
        )
    return replace(plan, watch_every=every or max(1, plan.recipe.steps // _RECORDS))


def _nothing_new(typed: typer.Context) -> None:
    """Refuse what would change a run that goes on."""
    given = [
        name for name in typed.params
        if name not in {"resume", "runs", "samples", "json_output"}
        and (source := typed.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    ]  # fmt: skip
    if given:
        raise ConfigError(
            f"a resumed run keeps its text and settings; got {', '.join(given)}. Leave them out, or start a new run."
        )


def _place(runs: Path, name: str | None, plan: Plan) -> Path | Callable[[Corpus], Path]:
    if name is None:
        return lambda found: new_run_path(runs, found.name, plan.model)
    if not name or not name.isprintable() or "/" in name or name[0] in ".-" or len(os.fsencode(name)) > _LONGEST_NAME:
        raise ConfigError(
            f"--name is the name of one folder in {runs}, of visible characters, not beginning with . or - and at most "
            f"{_LONGEST_NAME} bytes long; got {shortened(repr(name), 60)}. Choose another; --runs is for the place."
        )
    return runs / name
