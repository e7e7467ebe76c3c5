"""`backlight runs`: list, show and compare runs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from backlight.cli.branches import kept_line
from backlight.cli.output import RUNS, Json, RunsFolder, console, one_line, open_run, print_json, table
from backlight.runs import RunDirectory, list_runs
from backlight.runs.kept import kept_steps
from backlight.training import RunConfig

app = typer.Typer(
    help="List, show and compare runs.",
    no_args_is_help=False,
    epilog="Example:  backlight runs compare names-mlp-1 names-ngram-1",
)

Run = Annotated[Path, typer.Argument(help="A run's folder or name.", metavar="RUN", readable=False)]

_ROWS = 21
"""The number of steps in a table of learning curves, as many as a run has evaluations by default."""

_FIGURES = ("model", "parameters", "context", "steps", "train_nats", "dev_nats", "test_nats", "seconds")


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_all()


@app.command("list", epilog="Example:  backlight runs list")
def list_all(runs: RunsFolder = RUNS, json_output: Json = False) -> None:
    """List all runs, oldest first."""
    found = list_runs(runs)
    out = console(json_output=json_output)
    if not found:
        out.print(f"There are no runs in {runs} yet. Train one:  backlight train")
    else:
        rows = table("run", "corpus", "parameters", "step", "dev", "state", text=("run", "corpus", "state"))
        for run in found:
            rows.add_row(
                *map(_shown, (run.path.name, run.corpus, run.parameters, run.step, run.dev_nats)),
                run.state if run.problem is None else "cannot be opened",
            )
        out.print(rows)
    for run in found:
        if run.problem is not None:
            out.print(one_line(run.problem), soft_wrap=True)
    if json_output:
        print_json({"runs": [{**asdict(run), "path": str(run.path)} for run in found]})


@app.command("show", epilog="Example:  backlight runs show names-mlp-1")
def show(run: Run, runs: RunsFolder = RUNS, json_output: Json = False) -> None:
    """Show the settings, evaluations and samples of a run."""
    opened = open_run(run, runs)
    out = console(json_output=json_output)
    facts = _facts(opened)
    rows = table("what", "value", text=("what", "value"))
    for what, value in facts.items():
        rows.add_row(what, _shown(value))
    out.print(rows)
    evaluations = _evaluations(opened)
    if evaluations:
        losses = table("step", "train", "dev", "seconds")
        for record in evaluations:
            losses.add_row(*(_shown(record.get(name)) for name in ("step", "train_nats", "dev_nats", "seconds")))
        out.print()
        out.print(losses)
    samples = opened.load_samples()
    if samples:
        out.print("\n" + "  ".join(map(one_line, samples.split("\n")[:10])), soft_wrap=True)
    if json_output:
        print_json({**facts, "config": opened.config, "evaluations": evaluations})


@app.command("compare", epilog="Example:  backlight runs compare names-mlp-1 names-ngram-1")
def compare(
    given: Annotated[list[Path], typer.Argument(help="Folders or names of runs.", metavar="RUN", readable=False)],
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Compare runs side by side, best dev loss first: results, the settings in which they differ, learning curves."""
    opened = [open_run(run, runs) for run in given]
    found = sorted(
        ((_facts(run), _evaluations(run)) for run in opened),
        key=lambda one: (one[0]["dev_nats"] is None, one[0]["dev_nats"]),
    )
    facts = [one for one, _ in found]
    differing = [key for key in _settings(facts) if len({_shown(one.get(key)) for one in facts}) > 1]
    rows = table("", *(Path(one["run"]).name for one in facts), text=("",))
    for key in (*_FIGURES, *(key for key in differing if key not in _FIGURES)):
        rows.add_row(key, *(_shown(one.get(key)) for one in facts))
    out = console(json_output=json_output)
    out.print(rows)
    curves = {Path(one["run"]).name: _curve(evaluations) for one, evaluations in found if evaluations}
    if curves:
        out.print("\nDev loss by step, the best of each run with a *:\n")
        out.print(_curves(curves))
    if json_output:
        print_json(
            {"runs": [{**one, "evaluations": evaluations} for one, evaluations in found], "differing": differing}
        )


def _curve(evaluations: list[dict[str, Any]]) -> dict[int, float]:
    """Return the dev loss by step."""
    return {record["step"]: record["dev_nats"] for record in evaluations}


def _curves(curves: dict[str, dict[int, float]]) -> Table:
    """Return a table of the dev losses of several runs, with a row for each of up to about twenty steps.

    A row shows the last evaluation of each run since the row before it.
    """
    steps = sorted({step for curve in curves.values() for step in curve})
    shown = steps
    if len(steps) > _ROWS:
        shown = sorted({steps[nth * (len(steps) - 1) // (_ROWS - 1)] for nth in range(_ROWS)})
    rows = table("step", *curves)
    before = -1
    for step in shown:
        cells = []
        for curve in curves.values():
            within = [one for one in curve if before < one <= step]
            best = min(curve, key=lambda one: curve[one])
            cells.append(f"{curve[within[-1]]:.4f}{'*' if best in within else ' '}" if within else "- ")
        rows.add_row(f"{step:,}", *cells)
        before = step
    return rows


def _facts(run: RunDirectory) -> dict[str, Any]:
    """Return a run's results and settings in one flat dictionary."""
    config = RunConfig.from_json(run.config)
    evaluations = _evaluations(run)
    last = evaluations[-1] if evaluations else {}
    result = run.load_result()
    figures = dict.fromkeys(_FIGURES) | {
        "model": config.model,
        "parameters": run.config.get("parameters"),
        "context": config.settings.get("context"),
        "steps": last.get("step"),
        "dev_nats": min((record["dev_nats"] for record in evaluations), default=None),
        "seconds": last.get("seconds"),
    }
    if result is not None:
        figures |= {name: result.get(name) for name in _FIGURES}
    settings: dict[str, Any] = {
        "corpus": config.corpus, "mode": config.mode, "duplicates": config.duplicates, "seed": config.seed,
        "split_seed": config.split_seed, "tokens": config.tokens, **config.settings,
    }  # fmt: skip
    branch = config.branch and f"{config.branch.run} at step {config.branch.step:,}"
    kept = kept_steps(run)
    given = {
        "also": config.also, "start": config.start, "branch_of": branch, "keep_checkpoints": config.keep_checkpoints,
        "kept_checkpoints": kept_line(kept) if kept else None, **asdict(config.reading),
    }  # fmt: skip
    settings |= {name: value for name, value in given.items() if value is not None}
    training = {} if config.train is None else asdict(config.train)
    planned = {"planned_steps" if name == "steps" else name: value for name, value in training.items()}
    return {"run": str(run.path), **figures, "finished": result is not None, **settings, **planned}


def _evaluations(run: RunDirectory) -> list[dict[str, Any]]:
    return [record for record in run.load_metrics() if isinstance(record.get("dev_nats"), float)]


def _settings(facts: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for one in facts for key in one if key not in {"run", "finished"}))


def _shown(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}" if abs(value) < 1e-2 or abs(value) >= 100 else f"{value:.4f}"
        case list() | tuple():
            return ", ".join(map(_shown, value))
    return one_line(str(value))
