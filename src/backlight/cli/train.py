"""`backlight train`: from a file of words to a run, watched while it learns."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import numpy as np
import typer
from rich.cells import cell_len
from rich.console import Console

from backlight.cli.live import Live
from backlight.cli.output import (
    RUNS,
    Json,
    RunsFolder,
    called,
    command,
    console,
    one_line,
    open_run,
    print_json,
    shortened,
    table,
    visible,
)
from backlight.core import ConfigError, DomainError
from backlight.models import MODELS
from backlight.runs import new_run_path
from backlight.sample import NotEnoughError, SampleConfig, sample_batch, sample_items
from backlight.text import Corpus, Duplicates, Mode
from backlight.train import RECIPES, Plan, Session, Trainer, prepare, reopen
from backlight.train.recipe import OptimiserName, ScheduleName

_MODEL = "Model"
_TRAINING = "Training"
_DATA = "Data"

_LONGEST_NAME = 255  # what file systems allow


def train(
    typed: typer.Context,
    corpus: Annotated[
        str,
        typer.Argument(help="A corpus's name, a file with one item a line, or - for standard input.", metavar="FILE"),
    ] = "names",
    model: Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)}.")] = "mlp",
    context: Annotated[int | None, typer.Option(help="Characters that it reads.", rich_help_panel=_MODEL)] = None,
    embedding: Annotated[
        int | None, typer.Option(help="Length of a character's vector.", rich_help_panel=_MODEL)
    ] = None,
    hidden: Annotated[
        str | None, typer.Option(help="Units of the hidden layers, as in 200 or 256,128.", rich_help_panel=_MODEL)
    ] = None,
    direct: Annotated[
        bool | None, typer.Option("--direct", help="Connect the vectors to the logits too.", rich_help_panel=_MODEL)
    ] = None,
    batch_norm: Annotated[
        bool | None, typer.Option("--batch-norm", help="Normalise over the minibatch, in mlp.", rich_help_panel=_MODEL)
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Length of a position's vector, of GPT.", rich_help_panel=_MODEL)
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Blocks of GPT.", rich_help_panel=_MODEL)] = None,
    heads: Annotated[int | None, typer.Option(help="Of GPT's attention.", rich_help_panel=_MODEL)] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Share of numbers dropped in training.", rich_help_panel=_MODEL)
    ] = None,
    tie_weights: Annotated[
        bool | None, typer.Option("--tie-weights", help="GPT reads and writes by one table.", rich_help_panel=_MODEL)
    ] = None,
    order: Annotated[int | None, typer.Option(help="n of the n-gram, 1 to 6.", rich_help_panel=_MODEL)] = None,
    smoothing: Annotated[
        str | None, typer.Option(help="kneser-ney or add-k, of the n-gram.", rich_help_panel=_MODEL)
    ] = None,
    k: Annotated[
        float | None,
        typer.Option("--k", "-k", help="What add-k adds; tuned on dev if left out.", rich_help_panel=_MODEL),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Minibatches in all.", rich_help_panel=_TRAINING)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in each.", rich_help_panel=_TRAINING)] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate at its highest.", rich_help_panel=_TRAINING)] = None,
    optimiser: Annotated[
        OptimiserName | None, typer.Option("--optimiser", "--optimizer", help="How to step.", rich_help_panel=_TRAINING)
    ] = None,
    schedule: Annotated[
        ScheduleName | None, typer.Option(help="How the learning rate changes.", rich_help_panel=_TRAINING)
    ] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps of its first rise.", rich_help_panel=_TRAINING)] = None,
    momentum: Annotated[float | None, typer.Option(help="Of SGD.", rich_help_panel=_TRAINING)] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Pull of weights to 0.", rich_help_panel=_TRAINING)] = None,
    clip: Annotated[float | None, typer.Option(help="Largest norm of the gradient.", rich_help_panel=_TRAINING)] = None,
    average: Annotated[
        float | None, typer.Option(help="Decay of the weights' running average.", rich_help_panel=_TRAINING)
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Steps between looks at the dev split.", rich_help_panel=_TRAINING)
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many looks without a new best.", rich_help_panel=_TRAINING)
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads for matrix products.", rich_help_panel=_TRAINING)] = None,
    seed: Annotated[int, typer.Option(help="Seed of first weights and minibatches.", min=0)] = 1,
    mode: Annotated[
        Mode | None, typer.Option(help="One item a line, or one stream of text.", rich_help_panel=_DATA)
    ] = None,
    split_seed: Annotated[int, typer.Option(help="Seed of the split.", min=0, rich_help_panel=_DATA)] = 42,
    duplicates: Annotated[
        Duplicates, typer.Option(help="Copies of an item: on one side, or where they fall.", rich_help_panel=_DATA)
    ] = "together",
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run instead.", metavar="RUN", readable=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run's name; otherwise corpus, model and a number.")] = None,
    runs: RunsFolder = RUNS,
    samples: Annotated[int, typer.Option(help="New items to print at the end.", min=0)] = 20,
    json_output: Json = False,
) -> None:
    """Train a model on a list of items, watch it learn, and read items that nobody ever had."""
    settings = {
        "context": context, "embedding": embedding, "hidden": _sizes(hidden), "direct": direct, "order": order,
        "smoothing": smoothing, "k": k, "batch_norm": batch_norm,
        "channels": channels, "layers": layers, "heads": heads, "dropout": dropout, "tie_weights": tie_weights,
    }  # fmt: skip
    recipe = {
        "steps": steps, "batch_size": batch_size, "lr": lr, "optimiser": optimiser, "schedule": schedule,
        "warmup": warmup, "momentum": momentum, "weight_decay": weight_decay, "clip": clip, "average": average,
        "evaluate_every": evaluate_every, "patience": patience, "threads": threads,
    }  # fmt: skip
    settings, recipe = _given(settings), _given(recipe)
    if resume is not None:
        _nothing_new(typed)
        session = reopen(open_run(resume, runs))
    else:
        plan = Plan(
            corpus=corpus, mode=mode, model=model, settings=settings, recipe=_recipe(model, recipe), seed=seed,
            split_seed=split_seed, duplicates=duplicates,
        )  # fmt: skip
        session = prepare(plan, _place(runs, name, plan))
    _run(session, samples=samples, json_output=json_output)


def _sizes(hidden: str | None) -> list[int] | None:
    if hidden is None:
        return None
    try:
        return [int(size) for size in hidden.split(",")]
    except ValueError:
        raise ConfigError(f"--hidden takes whole numbers with commas between, as in 256,128; got {hidden!r}.") from None


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


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _recipe(model: str, given: dict[str, Any]) -> Any:
    if model in RECIPES:
        return replace(RECIPES[model], **given)
    if given and model in MODELS:
        raise ConfigError(f"{model} is counted, not trained step by step; got {', '.join(given)}. Leave them out.")
    return None


def _place(runs: Path, name: str | None, plan: Plan) -> Any:
    if name is None:
        return lambda found: new_run_path(runs, found.name, plan.model)
    if not name or not name.isprintable() or "/" in name or name[0] in ".-" or len(os.fsencode(name)) > _LONGEST_NAME:
        raise ConfigError(
            f"--name is the name of one folder in {runs}, of visible characters, not beginning with . or - and at most "
            f"{_LONGEST_NAME} bytes long; got {shortened(repr(name), 60)}. Choose another; --runs is for the place."
        )
    return runs / name


# -- the run itself ----------------------------------------------------------------------------------------------------


def _run(session: Session, *, samples: int, json_output: bool) -> None:
    out = console(json_output=json_output)
    path = session.run.path
    try:
        with session.run.lock():
            out.print(_heading(session))
            result = _learn(session, out)
            out.print(_verdict(result))
            if samples:
                _show_new(session, samples, out)
    except KeyboardInterrupt:
        out.print(f"\nStopped; {path} has all but the last moments. Go on with:\n  {_resume(path)}", soft_wrap=True)
        _leave_stopped()
    out.print(f"\nThe run is in {one_line(str(path))}. More:  {command('sample', called(path))}", soft_wrap=True)
    if json_output:
        print_json(result)


def _learn(session: Session, out: Console) -> dict[str, Any]:
    """Count or train, and return the verdict; raises typer.Exit if training was stopped."""
    if session.plan.recipe is None:
        return session.result(steps=0, seconds=session.count())
    trainer = session.trainer()
    if trainer.finished:
        out.print(f"Nothing is left to train: all {trainer.step:,} steps are done. For more, start a new run.")
    elif not _train(session, trainer, Live(out, trainer, session)):
        _leave_stopped()
    result = session.result(steps=trainer.step, seconds=trainer.seconds)
    if trainer.best_step == 0:
        out.print("No evaluation was better than before the first step. Try a smaller --lr, or more --steps.")
    return result


_STOPPED = 130
_SAMPLES = 2  # a random stream of its own
_STREAM_LENGTH = 500


@contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    """Let Ctrl-C (and a polite kill) end the loop after its step; a second one ends it at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        trainer.request_stop()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _train(session: Session, trainer: Trainer, live: Live) -> bool:
    with _stopping(trainer), live:
        finished = trainer.fit()
    if not finished:
        live.out.print(
            f"\nStopped at step {trainer.step:,}; everything is saved. Go on with:\n  {_resume(session.run.path)}",
            soft_wrap=True,
        )
    return finished


def _leave_stopped() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more Ctrl-C cannot make it any quicker
    raise typer.Exit(_STOPPED)


def _resume(path: Path) -> str:
    return command("train", "--resume", path)


def _heading(session: Session) -> str:
    plan, corpus = session.plan, session.corpus
    size = f"{len(corpus.items):,} items" if session.ends else f"{len(corpus.items[0]):,} characters"
    return (
        f"{plan.model} on {_source(corpus)}: {size}, vocabulary {session.vocabulary.size}\n"
        f"know-nothing loss ln {session.vocabulary.size} = {np.log(session.vocabulary.size):.4f} nats per character"
    )


def _source(corpus: Corpus) -> str:
    return "standard input" if corpus.name == "-" else one_line(corpus.name)


def _verdict(result: dict[str, Any]) -> Any:
    rows = table("model", "parameters", "context", "train", "dev", "test", "seconds", text=("model",))
    nats = (f"{result[f'{part}_nats']:.4f}" for part in ("train", "dev", "test"))
    rows.add_row(
        result["model"], f"{result['parameters']:,}", str(result["context"]), *nats, f"{result['seconds']:.1f}"
    )
    return rows


def _show_new(session: Session, count: int, out: Console) -> None:
    """Print and keep items that are not in the corpus; of a stream, how it might go on."""
    rng = np.random.default_rng([session.plan.seed, _SAMPLES])
    model, vocabulary = session.model, session.vocabulary
    if not session.ends:
        (stream,) = sample_batch(
            model, vocabulary, 1, config=SampleConfig(max_length=_STREAM_LENGTH), rng=rng, ends=False
        )
        session.run.save_samples(stream.text + "\n")
        out.print("\n" + visible(stream.text), soft_wrap=True)
        return
    seen = session.run.load_seen()
    try:
        found = sample_items(model, vocabulary, count, config=SampleConfig(), rng=rng, novel_to=seen, unique=True)
    except NotEnoughError as error:
        found = error.found
        out.print(f"\nOnly {len(found)} of {count} turned up in {error.draws:,} draws: the rest was known or repeated.")
    except DomainError as error:  # of counts without smoothing; they are what was asked for all the same
        out.print(f"\nNothing new to show: {error}", soft_wrap=True)
        return
    texts = [sample.text for sample in found]
    session.run.save_samples("".join(text + "\n" for text in texts))
    if not texts:
        return
    out.print(f"\n{len(texts)} new ones, none of them in {_source(session.corpus)}:\n", soft_wrap=True)
    for line in _columns(texts, out.width):
        out.print(line)


def _columns(texts: list[str], width: int) -> list[str]:
    """Return texts side by side, as many as fit on a line."""
    shown = [one_line(text) for text in texts]
    cell = max(map(cell_len, shown)) + 2
    across = max(1, min(5, (width - 2) // cell))
    return [
        "  " + "".join(text + " " * (cell - cell_len(text)) for text in shown[i : i + across]).rstrip()
        for i in range(0, len(shown), across)
    ]
