"""`backlight explain`: explain every derivative of an expression, or of one training step of a model."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from backlight.cli.options import NETWORK_SIZES, grouped, run_config
from backlight.cli.output import RUNS, Json, RunsFolder, called, console, one_line, open_run, print_json, shortened
from backlight.cli.walking import show_formulas, show_table, walk_through
from backlight.core import ConfigError
from backlight.core.threads import limit_threads
from backlight.explanation import Explanation, TensorExplanation
from backlight.explanation import explain as explained
from backlight.explanation.expression import evaluate
from backlight.explanation.numbers import short
from backlight.explanation.parsing import FUNCTIONS
from backlight.explanation.picture import Picture
from backlight.explanation.scalar import check_finite
from backlight.models import MODELS
from backlight.training import Run

_NETWORKS = [spec.name for spec in MODELS.values() if not spec.counted]


@grouped
def explain(
    *,
    what: Annotated[
        str | None,
        typer.Argument(
            help=f"An expression of names, numbers, + - * / **, parentheses and {', '.join(FUNCTIONS)}. Parts may have "
            "names, as in 'n = x*w + b; o = tanh(n)'. With --model: a corpus's name, a file, or - for standard input.",
            metavar="EXPRESSION|FILE",
        ),
    ] = None,
    at: Annotated[list[str] | None, typer.Option("--at", help="Values of the names, as in x=2,w=-3.")] = None,
    model: Annotated[
        str | None, typer.Option(help=f"Explain the first training step of this model: {', '.join(_NETWORKS)}.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Explain a step with the weights of this run.", metavar="RUN", readable=False)
    ] = None,
    walk: Annotated[
        bool, typer.Option("--walk", help="Step through the backward pass, one node per key press.")
    ] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the graph to a .png or .svg file.", metavar="FILE", readable=False)
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Draw light on dark, for dark pages and slides.")] = False,
    rows: Annotated[int, typer.Option(help="Maximum number of nodes in the table.", min=1)] = 100,
    batch_size: Annotated[int | None, typer.Option(help="Examples in the minibatch.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of initial weights and minibatch.", min=0)] = None,
    sizes: Annotated[dict[str, Any], NETWORK_SIZES],
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Explain every gradient of an expression or of a training step.

    Each gradient is the local derivative times the upstream gradient, summed over all paths.
    """
    if walk and json_output:
        raise ConfigError("--walk excludes --json; got both. Leave one out.")
    if dark and figure is None:
        raise ConfigError("--dark needs --figure; got no --figure. Add --figure FILE.")
    out = console(json_output=json_output)
    step = {"batch_size": batch_size, "seed": seed, **sizes}
    explanation: Explanation | TensorExplanation
    if model is None and run is None:
        _leave_out(step, "an expression has no minibatch and no model sizes")
        explanation, title, facts = _expression(what, at or [])
    else:
        opened, weights, name = _model(what, at, model, run, sizes, batch_size, seed, runs)
        explanation, title, facts = _step(opened, weights, name, batch_size)
    if figure is not None:
        _draw(explanation.picture(title), figure, dark=dark)
    if walk:
        walk_through(out, explanation)
    else:
        _show(out, explanation, title, rows)
    if figure is not None:
        out.print(f"\nThe figure is in {one_line(str(figure))}.", soft_wrap=True)
    if json_output:
        print_json({**facts, **explanation.to_json()})


def _expression(source: str | None, at: list[str]) -> tuple[Explanation, str, dict[str, Any]]:
    if source is None:
        raise typer.BadParameter("Give an expression, as in 'tanh(x*w + b)', or --model, or --run.")
    explanation = explained(evaluate(source, _numbers(at)))
    check_finite(explanation)
    *_, last = [part.strip() for part in source.replace("\n", ";").split(";") if part.strip()]
    return explanation, f"{shortened(last, _LONGEST)} = {short(explanation.end.data)}", {"expression": source}


def _numbers(at: list[str]) -> dict[str, float]:
    """Return the values in an option such as x=2,w=-3, given once or several times."""
    numbers: dict[str, float] = {}
    for pair in (part for one in at for part in one.split(",") if part.strip()):
        name, equals, text = (part.strip() for part in pair.partition("="))
        try:
            number = float(text)
        except ValueError:
            number = None
        if not (name.isidentifier() and equals) or number is None:
            raise ConfigError(
                f"--at takes names and numbers separated by commas, as in x=2,w=-3; got {shortened(repr(pair), 60)}."
            )
        if name in numbers:
            raise ConfigError(f"--at takes each name once; got {name} twice. Leave one out.")
        numbers[name] = number
    return numbers


def _model(
    corpus: str | None, at: list[str] | None, model: str | None, run: Path | None, sizes: dict[str, Any],
    batch_size: int | None, seed: int | None, runs: Path,
) -> tuple[Run, Any, str]:  # fmt: skip
    """Return the run to explain, its weights (None for the initial weights), and a name for it."""
    _leave_out({"at": at or None}, "a model takes its numbers from its weights and the text")
    if model is not None and run is not None:
        raise ConfigError("--model excludes --run; got both. Leave one out.")
    if run is None:
        assert model is not None  # noqa: S101  (one of the two is given)
        training = {} if batch_size is None else {"batch_size": batch_size}
        config = run_config(corpus or "names", model, sizes, training, seed=1 if seed is None else seed)
        return Run.create(config), None, f"{model} on {config.source}"
    _leave_out({"FILE": corpus, **sizes}, "a run has its own text and sizes")
    stored = open_run(run, runs)
    opened = Run.open(stored)
    if seed is not None:
        opened = Run(replace(opened.config, seed=seed), stored)
    return opened, stored.load_weights()[0], called(stored.path)


def _step(run: Run, weights: Any, name: str, batch_size: int | None) -> tuple[TensorExplanation, str, dict[str, Any]]:
    with limit_threads(1):  # as in training: the number of threads changes how sums are rounded
        loss = run.first_loss(batch_size=batch_size, weights=weights)
        network = run.network
        assert network is not None  # noqa: S101  (`first_loss` would have refused)
        named = [*network.named_parameters(), ("loss", loss)]
        explanation = explained(loss, names=named)
    size = batch_size or (run.config.train.batch_size if run.config.train else 0)
    nats = float(loss.array)
    facts = {
        "model": run.config.model, "corpus": run.config.corpus, "batch_size": size, "seed": run.config.seed,
        "loss_nats": nats,
    }  # fmt: skip
    uniform = f"uniform: ln {run.vocabulary.size} = {np.log(run.vocabulary.size):.4f}"
    return explanation, f"{one_line(name)}: {size:,} examples, loss {nats:.4f} nats ({uniform})", facts


def _leave_out(options: dict[str, Any], why: str) -> None:
    given = [
        name if name.isupper() else f"--{name.replace('_', '-')}"
        for name, value in options.items()
        if value is not None
    ]
    if given:
        raise ConfigError(f"{why}; got {', '.join(given)}. Leave them out.")


def _draw(picture: Picture, path: Path, *, dark: bool) -> None:
    from backlight.figures import graph

    graph(picture).save(path, dark=dark)


def _show(out: Console, explanation: Explanation | TensorExplanation, title: str, rows: int) -> None:
    out.print(one_line(title), soft_wrap=True)
    out.print()
    show_table(out, explanation.table(rows))
    out.print()
    if isinstance(explanation, TensorExplanation):
        show_formulas(out, explanation.formulas())
        return
    gradients = [f"{name} {short(grad)}" for name, grad in explanation.gradients().items()]
    more = f"  and {len(gradients) - _GRADIENTS:,} more" if len(gradients) > _GRADIENTS else ""
    if gradients:
        out.print(one_line(f"grad  {'   '.join(gradients[:_GRADIENTS])}{more}"))


_LONGEST = 200  # characters of an expression in a title
_GRADIENTS = 20  # gradients of inputs that are repeated below the table
