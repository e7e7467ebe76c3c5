"""`backlight train`: train a model on a text, and print losses and samples on the way."""

import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console

from backlight.cli.branches import check_branch, say_kept
from backlight.cli.live import Live, show_result, show_samples, uniform
from backlight.cli.options import DATA, ENGINE, SIZES, TRAINING, Seed, grouped, run_config, source_of, spelled_out
from backlight.cli.options import Corpus as CorpusArgument
from backlight.cli.output import (
    RUNS,
    Json,
    RunsFolder,
    called,
    command,
    console,
    hang_up,
    named,
    one_line,
    open_run,
    print_json,
)
from backlight.cli.processes import STOPPED, begun_before, first_speaks, group_of, made_together
from backlight.core import ConfigError, ProcessEndedError, RunError
from backlight.core.settings import settings_in
from backlight.models import MODELS, Mixture
from backlight.progress import ProgressBar
from backlight.runs import new_run_path
from backlight.text import CORPORA, Corpus
from backlight.text.token_files.names import are_token_files
from backlight.text.vocabulary import CHARACTERS
from backlight.training import MINUTES, EngineConfig, Run, RunConfig, branched, choose, continued, stopped_by
from backlight.training.choosing import AUTO, NOT_CHOSEN, named_or_default
from backlight.training.control import Control
from backlight.training.group import ProcessGroup
from backlight.training.presets import preset_line, preset_named
from backlight.training.weights import load_weights

_HEALTH = "Health"
_RECORDS = 100


SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that save and stop: Ctrl-C, `kill`, and a closed terminal."""


@grouped
def train(
    *,
    typed: typer.Context,
    corpus: CorpusArgument = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help=f"One of {', '.join(MODELS)}; a network mixed with the n-gram, as in gru+ngram; or auto, which "
            "compares some of them on held-out items and chooses sizes and steps. Default: auto; with sizes or "
            "settings of training, on token files, or with --engine torch, mlp.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Sizes and settings of a lecture: shakespeare-gpt (7), gpt2-124m (9). Other options take precedence.",
            metavar="NAME",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="With auto: minutes by the clock for trials and training. Default: about "
            f"{MINUTES:g}, estimated, so that the model is the same on every machine."
        ),
    ] = None,
    sizes: Annotated[dict[str, Any], SIZES],
    training: Annotated[dict[str, Any], TRAINING],
    seed: Seed = 1,
    data: Annotated[dict[str, Any], DATA],
    health: Annotated[
        bool, typer.Option("--health", help="Record statistics for `backlight health`.", rich_help_panel=_HEALTH)
    ] = False,
    health_every: Annotated[
        int | None,
        typer.Option(help="Record every N-th step after the first ten.", min=1, rich_help_panel=_HEALTH),
    ] = None,
    line: Annotated[
        str | None,
        typer.Option(
            help="Also record what the network makes of this line, in place of a held-out one.",
            metavar="TEXT",
            rich_help_panel=_HEALTH,
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this interrupted run; without FILE.", metavar="RUN", readable=False)
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Start from the weights of this run: more steps, another learning rate, or another FILE.",
            metavar="RUN",
            readable=False,
        ),
    ] = None,
    at_step: Annotated[
        int | None,
        typer.Option(
            help="With --from: continue that run's training from its checkpoint of this step, as a branch.",
            min=0,
            metavar="N",
        ),
    ] = None,
    keep_checkpoints: Annotated[
        int | None, typer.Option(help=settings_in(RunConfig)["keep_checkpoints"][2].help, min=1, max=1_000, metavar="N")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run. Default: like names-mlp-1.")] = None,
    runs: RunsFolder = RUNS,
    samples: Annotated[int, typer.Option(help="Samples to print at the end.", min=0)] = 20,
    engine: Annotated[dict[str, Any], ENGINE],
    json_output: Json = False,
) -> None:
    """Train a model on a list of items and print new ones."""
    out = console(json_output=json_output)
    devices = engine.pop("devices", None)
    with first_speaks():
        options, said = {**sizes, **training, **data}, ""
        if preset is not None and not (resume or start):
            said = preset_line(preset, {**options, **engine})
            own = _from_command_line(typed, model=model).get("model")
            model, corpus, options, engine = _of_preset(preset, corpus, options, engine, model=own)
        computed = EngineConfig(**engine)
        group = group_of(computed, devices, corpus or [])
        out.quiet = group.rank > 0
        if said:
            out.print(said, soft_wrap=True)

        def make() -> Run:
            if resume is not None:
                _nothing_new(typed)
                return Run.open(open_run(resume, runs))
            return begun_before(None if name is None else named(runs, name)) or new()

        def new() -> Run:
            by: dict[str, Any] = {"engine": computed, "group": group}
            keeping: dict[str, Any] = {} if keep_checkpoints is None else {"keep_checkpoints": keep_checkpoints}
            check_branch(at_step, start, corpus, recorded=health or health_every is not None or line is not None)
            if start is not None:
                given = _from_command_line(typed, model=model, seed=seed, preset=preset)
                changed = options | given | keeping
                return _going_on(start, at_step, runs, name, corpus, changed, health_every, on=health, line=line, by=by)
            first, _ = source_of(corpus)
            tokens = first not in CORPORA and are_token_files(first, told=data.get("format"))
            kind = named_or_default(model, {*sizes, *training}, token_files=tokens, engine=computed.engine)
            read = None
            if minutes is not None and kind != AUTO:
                raise ConfigError(
                    "--minutes is for --model auto, which chooses sizes and settings of training itself. Leave "
                    "--minutes out; or leave out --model, sizes and settings."
                )
            if kind == AUTO:
                _nothing_chosen({*sizes, *training} - NOT_CHOSEN)
                config, read = _chosen(
                    run_config(corpus, "ngram", data, seed=seed), minutes, training.get("threads"), out, group
                )
            else:
                config = run_config(corpus, kind, options, seed=seed)
            config = replace(_watched(config, every=health_every, on=health, line=line), **keeping)
            return Run.create(config, _place(runs, name, config), corpus=read, **by)

        run = made_together(group, computed, make)
        result = _train(run, samples, out)
    sample = command("sample", called(run.path))
    out.print(f"\nThe run is in {one_line(str(run.path))}. More samples:  {sample}", soft_wrap=True)
    if json_output and not group.rank:
        print_json(result)


def _from_command_line(typed: typer.Context, **values: Any) -> dict[str, Any]:
    """Return those of the values that were given on the command line, and are no defaults."""
    sources = {name: typed.get_parameter_source(name) for name in values}
    return {name: values[name] for name, source in sources.items() if source is not None and source.name != "DEFAULT"}


def _of_preset(
    name: str, corpus: list[str] | None, options: dict[str, Any], engine: dict[str, Any], *, model: str | None
) -> tuple[str, list[str], dict[str, Any], dict[str, Any]]:
    """Return model, files, options and engine of a preset; what is given takes precedence.

    Args:
        name: the name of the preset.
        corpus: the files that are given.
        options: the options that are given.
        engine: the fields of `EngineConfig` that are given.
        model: the model that is given; None for that of the preset.
    """
    preset = preset_named(name)
    if model not in {None, preset.model}:
        raise ConfigError(f"the preset {name} is of a {preset.model}; got --model {model}. Leave --model out.")
    if corpus is None and preset.corpus is None:
        raise ConfigError(
            f"the preset {name} has no text of its own. Give files, or token files that backlight data encode made."
        )
    files = corpus or [str(preset.corpus)]
    return preset.model, files, {**preset.options_for(files[0]), **options}, preset.engine_with(engine)


def _going_on(
    start: Path,
    at_step: int | None,
    runs: Path,
    name: str | None,
    corpus: list[str] | None,
    options: dict[str, Any],
    health_every: int | None,
    *,
    on: bool,
    line: str | None,
    by: dict[str, Any],
) -> Run:
    """Return a new run with the weights of another, or one that continues its training from a step."""
    origin = Run.open(open_run(start, runs))
    if at_step is not None:
        return branched(origin, _place(runs, name, origin.config), step=at_step, options=options, **by)
    load_weights(origin.store, origin.model)
    mode = options.pop("mode", None)
    new_text = None
    if corpus:
        first, also = source_of(corpus)
        new_text = {"corpus": first, "also": also, "mode": mode or ("items" if origin.ends else "text")}
    elif mode is not None:
        raise ConfigError("the text of a run keeps its mode; got --mode. Leave it out, or give a file.")
    settings = spelled_out(origin.config.model, options)
    config = continued(origin.config, origin.store.name, new_text=new_text, options=settings)
    config = _watched(config, every=health_every, on=on, line=line)
    # token files are read again; a text is not
    own = None if corpus or origin.config.token_counts is not None else origin.corpus
    return Run.create(config, _place(runs, name, config), corpus=own, start=origin, **by)


def _nothing_chosen(settings: set[str]) -> None:
    """Refuse settings that --model auto chooses."""
    if settings:
        given = ", ".join("--" + name.replace("_", "-") for name in sorted(settings))
        raise ConfigError(
            f"--model auto chooses the sizes and the settings of training; got {given}. Leave them out, or name a "
            "model."
        )


def _chosen(
    base: RunConfig, minutes: float | None, threads: int | None, out: Console, group: ProcessGroup
) -> tuple[RunConfig, Corpus]:
    """Return the configuration that `choose` takes for a text, and the text, and say why."""
    read = Run.create(base)
    threads = 1 if threads is None and group.size > 1 else threads  # the processors are the other processes'
    try:
        choice = choose(
            read.config, read.corpus, minutes=minutes, threads=threads, say=lambda line: out.print(line, style="dim")
        )
    except KeyboardInterrupt:
        out.print("\nStopped before a model was chosen; nothing was saved.")
        leave_stopped()
    for line in choice.lines:
        out.print(one_line(line), soft_wrap=True)
    return choice.config, read.corpus


def _train(run: Run, samples: int, out: Console) -> dict[str, Any]:
    """Train to the end, and print losses and samples. Raises typer.Exit with code 130 if training was stopped."""
    control = Control(run.store)  # of the time before others see that the run is trained, and ask something
    try:
        with run.store.lock():
            out.print(_heading(run))
            for warning in [*run.notes, *run.warnings, *_other_file(run.config.corpus)]:
                out.print(one_line(warning), soft_wrap=True)
            result = _counted(run, out) if run.config.train is None else _learnt(run, control, out)
            show_result(result, out)
            if run.token_files is not None:
                out.print(_per_token(result), soft_wrap=True)
            if samples and not run.group.rank:
                show_samples(run, samples, out)
    except ProcessEndedError as error:
        raise RunError(f"{error}; the run is saved up to its last checkpoint. Resume it: {_resume(run)}") from error
    except KeyboardInterrupt:
        out.print(f"\nStopped; the run is saved up to its last checkpoint. Resume:\n  {_resume(run)}", soft_wrap=True)
        leave_stopped()
    return result


def _per_token(result: dict[str, Any]) -> str:
    """Return the losses of token files in a line; those of the table are per character if the tokenizer is known."""
    known = "dev_bits_per_byte" in result
    of = (
        f"{part} {result[f'{part}_nats_per_token']:.4f} nats per token"
        + (f", {result[f'{part}_bits_per_byte']:.4f} bits per byte" if known else "")
        for part in ("dev", "test")
    )
    return f"{'; '.join(of)}. The table has nats per {'character' if known else 'token'}."


def _counted(run: Run, out: Console) -> dict[str, Any]:
    out.print(f"loss of a uniform guess: {uniform(run, run.first_of([]))}")
    return run.evaluate(seconds=_counting(run, out))


def _counting(run: Run, out: Console) -> float:
    """Count the n-grams, with a progress bar for a long text. Returns the seconds."""
    with ProgressBar(out, steps=1) as bar:
        return run.count(bar.counted)


def _learnt(run: Run, control: Control, out: Console) -> dict[str, Any]:
    counting = _counting(run, out) if isinstance(run.model, Mixture) else 0.0
    trainer = run.trainer(control)
    if trainer.finished:
        done = "it stopped early" if trainer.step < trainer.config.steps else f"all {trainer.step:,} steps are done"
        out.print(f"Training is complete: {done}. For more steps, start a new run.")
    else:
        printed = nullcontext() if run.group.rank else Live(out, trainer, run)
        with stopped_by(trainer, *SIGNALS, also=hang_up), printed:
            finished = trainer.fit()
        if not finished:
            out.print(
                f"\nStopped at step {trainer.step:,}; everything is saved. Resume:\n  {_resume(run)}",
                soft_wrap=True,
            )
            leave_stopped()
    say_kept(run, out)
    if trainer.out_of_patience and trainer.step < trainer.config.steps:
        out.print(
            f"Stopped early: dev did not improve in the last {trainer.config.patience} evaluations. Kept: step "
            f"{trainer.best_step:,}. To train on, set a higher --patience.",
        )
    result = run.evaluate(steps=trainer.step, seconds=trainer.seconds + counting)
    sampled = {part: most for part in ("dev", "test") if (most := run.result_targets(part)) is not None}
    if sampled:
        shown = ", ".join(f"{part} {most:,} of {run.data[part].targets:,}" for part, most in sampled.items())
        out.print(f"The losses below are of evenly spaced targets: {shown}.")
    if "network_dev_nats" in result:
        out.print(
            f"The network alone has a dev loss of {result['network_dev_nats']:.4f}; mixed with the n-gram, "
            f"{result['dev_nats']:.4f}."
        )
    if trainer.best_step == 0:
        out.print(
            "No evaluation was better than the first, before training, so its weights are kept, and samples are noise. "
            "With few items, use --model ngram; otherwise try a smaller --lr.",
            style="bold yellow",
        )
    return result


def leave_stopped() -> NoReturn:
    """Exit with the code for a training that was stopped."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would not stop it any sooner
    raise typer.Exit(STOPPED)


def _resume(run: Run) -> str:
    engine, processes = run.engine, run.group.size
    given: list[object] = [] if engine.engine == "native" else ["--engine", engine.engine]
    given += [] if engine.device == "auto" else ["--device", engine.device]
    given += [] if engine.micro_batch_size is None else ["--micro-batch-size", engine.micro_batch_size]
    given += ["--shard"] if engine.shard else []
    given += ["--devices", processes] if processes > 1 else []
    return command("train", "--resume", called(run.path, name=False), *given)


def _heading(run: Run) -> str:
    tokens = "" if run.config.tokens == CHARACTERS else f" of {one_line(run.config.tokens)}"
    return (
        f"{run.config.model} on {one_line(run.config.source)}: {_size(run)}, vocabulary {run.vocabulary.size}{tokens}"
    )


def _size(run: Run) -> str:
    if run.token_files is not None:
        return f"{sum(map(len, run.token_files.parts.values())):,} tokens"
    return f"{len(run.corpus.items):,} items" if run.ends else f"{run.corpus.characters:,} characters"


def _other_file(corpus: str) -> list[str]:
    """Return a warning if a file in this folder has the name of the corpus."""
    if corpus not in CORPORA or not os.path.isfile(corpus):  # noqa: PTH113
        return []
    return [f"Reading the corpus named {corpus}. To read the file of that name, write ./{corpus}."]


def _watched(config: RunConfig, *, every: int | None, on: bool, line: str | None) -> RunConfig:
    """Return the configuration, with recording if asked for: about a hundred steps, or every N-th step."""
    if every is None and not on and line is None:
        return config
    if config.train is None:
        given = "--health" if on or every is not None else "--line"
        raise ConfigError(
            f"{given} needs a model that is trained step by step; {config.model} counts n-grams. Leave {given} out."
        )
    return replace(config, watch_every=every or max(1, config.train.steps // _RECORDS), line=line)


def _nothing_new(typed: typer.Context) -> None:
    """Refuse options that would change a resumed run."""
    given = [
        name for name in typed.params
        if name not in {"resume", "runs", "samples", "json_output", *(one.name for one in ENGINE.parameters)}
        and (source := typed.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    ]  # fmt: skip
    if given:
        raise ConfigError(
            f"a resumed run keeps its text and settings; got {', '.join(given)}. Leave them out, or start a new run."
        )


def _place(runs: Path, name: str | None, config: RunConfig) -> Path | Callable[[str], Path]:
    if name is None:
        return lambda text: new_run_path(runs, text, config.model)
    return named(runs, name)
