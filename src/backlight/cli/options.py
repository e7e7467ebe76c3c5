"""Options made from the fields of the configurations, so that a new setting needs no edit here.

A command receives a group of options as one dictionary of those that were given:

    @grouped
    def find_lr(*, sizes: Annotated[dict[str, Any], NETWORK_SIZES], training: Annotated[dict[str, Any], TRAINING]): ...
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import typer

from backlight.core import ConfigError
from backlight.core.settings import fits, settings_in
from backlight.models import MODELS, model_spec
from backlight.text import CORPORA, Duplicates, Mode, Reading
from backlight.text.token_files.writing import EncodeConfig
from backlight.training import EngineConfig, RunConfig, TrainConfig

Command = TypeVar("Command", bound=Callable[..., None])

_UNIONS = {Union, UnionType}


@dataclass(frozen=True)
class Group:
    """A group of options that several commands share."""

    parameters: tuple[inspect.Parameter, ...]

    def without(self, *names: str) -> "Group":
        """Return the group without some of its options."""
        return Group(tuple(one for one in self.parameters if one.name not in names))

    def only(self, *names: str) -> "Group":
        """Return the group with some of its options only."""
        return Group(tuple(one for one in self.parameters if one.name in names))


def grouped(command: Command) -> Command:
    """Replace each parameter annotated with a `Group`, as Typer sees it, by the options of the group."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, list[str]] = {}
    seen: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        group = next((note for note in getattr(hints[name], "__metadata__", ()) if isinstance(note, Group)), None)
        if group is None:
            seen.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))
        else:
            groups[name] = [one.name for one in group.parameters]
            seen += group.parameters

    @functools.wraps(command)
    def take(**given: Any) -> None:
        whole = {name: {member: given.pop(member) for member in names} for name, names in groups.items()}
        command(**given, **{name: {k: v for k, v in one.items() if v is not None} for name, one in whole.items()})

    take.__signature__ = inspect.Signature(seen)  # type: ignore[attr-defined]
    take.__annotations__ = {parameter.name: parameter.annotation for parameter in seen}
    return take  # type: ignore[return-value]


def _option(name: str, kind: Any, panel: str, help: str, *flags: str, **more: Any) -> inspect.Parameter:  # noqa: A002
    annotation = Annotated[kind | None, typer.Option(*flags, help=help, rich_help_panel=panel, **more)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _of_setting(name: str, hints: list[Any], panel: str, help: str) -> inspect.Parameter:  # noqa: A002
    """Return the option for a setting. It takes text if the setting is a list or if models differ in its type."""
    parts = {part for hint in hints for part in (get_args(hint) if get_origin(hint) in _UNIONS else (hint,))}
    kinds = parts - {type(None)}
    kind = kinds.pop() if len(kinds) == 1 else str
    flags = [f"--{name}", f"-{name}"] if len(name) == 1 else []
    if kind is bool:  # an explicit flag, so that Typer adds no --no-...
        flags = [f"--{name.replace('_', '-')}"]
    return _option(name, str if get_origin(kind) is tuple else kind, panel, help, *flags)


def size_options(*, counted: bool) -> Group:
    """Return an option for each setting of the neural networks and, if `counted`, of the n-gram model."""
    models = [spec for spec in MODELS.values() if counted or not spec.counted]
    owners: dict[str, dict[str, tuple[Any, str]]] = {}
    for spec in models:
        for name, (_, hint, about) in settings_in(spec.config).items():
            owners.setdefault(name, {})[spec.name] = hint, about.help
    return Group(
        tuple(
            _of_setting(name, [hint for hint, _ in of.values()], "Model", f"{_first(of)} ({', '.join(of)})")
            for name, of in owners.items()
        )
    )


def _first(owners: Mapping[str, tuple[Any, str]]) -> str:
    return next(iter(owners.values()))[1].removesuffix(".")


ModelName = Annotated[
    str,
    typer.Option("--model", help=f"One of {', '.join(MODELS)}; or mixed with the n-gram, as in gru+ngram."),
]

SIZES: Final = size_options(counted=True)
NETWORK_SIZES: Final = size_options(counted=False)

TRAINING: Final = Group(
    tuple(
        _of_setting(name, [hint], "Training", about.help) for name, (_, hint, about) in settings_in(TrainConfig).items()
    )
)

_SEED, _SPLIT, _TOKENS = (settings_in(RunConfig)[name] for name in ("seed", "split_seed", "tokens"))

ENGINE: Final = Group(
    (
        *[
            _of_setting(name, [hint], "Engine", about.help)
            for name, (_, hint, about) in settings_in(EngineConfig).items()
        ],
        _option("devices", int, "Engine", "With --engine torch: train in this many processes of this machine.", min=1),
    )
)
"""What computes a training: the fields of `EngineConfig`, and the number of processes."""

Corpus = Annotated[
    list[str] | None,
    typer.Argument(
        help="A corpus's name, files or folders with one item per line, or - for standard input. Default: names.",
        metavar="FILE", show_default=False,
    ),
]  # fmt: skip
Seed = Annotated[int, typer.Option("--seed", help=_SEED[2].help, min=0)]

READING: Final = Group(
    tuple(_of_setting(name, [hint], "Data", about.help) for name, (_, hint, about) in settings_in(Reading).items())
)
"""How a file is read into items."""

ENCODING: Final = Group(
    tuple(
        _of_setting(name, [hint], "Encoding", about.help)
        for name, (_, hint, about) in settings_in(EncodeConfig).items()
    )
)
"""How texts are written as token files."""

DATA: Final = Group(
    (
        _option("mode", Mode, "Data", "One item per line, or one stream of text."),
        _option("split_seed", int, "Data", _SPLIT[2].help, min=0, show_default=str(_SPLIT[0].default)),
        _option(
            "duplicates", Duplicates, "Data",
            "Put all copies of an item in the same split, or leave them where they fall.", show_default="together",
        ),
        *READING.parameters,
        _option("tokens", str, "Data", _TOKENS[2].help, show_default=_TOKENS[0].default),
    )
)  # fmt: skip


def _files(given: str | Sequence[str] | None) -> list[str]:
    return [given] if isinstance(given, str) else [*(given or ["names"])]


def source_of(given: str | Sequence[str] | None) -> tuple[str, tuple[str, ...] | None]:
    """Return the name of a corpus, or the first of several files and the others.

    Raises:
        ConfigError: several names of which one is no file.
    """
    first, *also = _files(given)
    named = [name for name in (first, *also) if name in {*CORPORA, "-"}]
    if also and named:
        raise ConfigError(
            f"several texts must be files or folders; got {named[0]}. Leave it out, or write ./{named[0]} for a file."
        )
    return first, tuple(also) or None


def run_config(corpus: str | Sequence[str] | None, model: str, *groups: Mapping[str, Any], **more: Any) -> RunConfig:
    """Return the configuration that the options describe.

    Args:
        corpus: the name of a corpus, files, or "-"; None for the default.
        model: the name of a model.
        groups: options by name, as a command receives them; lists may be text, as in "256,128".
        more: further arguments of `RunConfig.of`.

    Raises:
        ConfigError: an unknown setting, or one out of range.
    """
    given = spelled_out(model, {name: value for group in groups for name, value in group.items()})
    name, also = source_of(corpus)
    return RunConfig.of(name, also=also, model=model, **given, **more)


def spelled_out(model: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with lists instead of text for the sizes of a model that are lists, such as "256,128".

    Raises:
        ConfigError: an unknown model, or a text that is no list.
    """
    known = settings_in(model_spec(model).config)
    return {
        name: _numbers(name, value)
        if isinstance(value, str) and name in known and not fits(value, known[name][1])
        else value
        for name, value in given.items()
    }


def _numbers(name: str, text: str) -> list[int]:
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--{name.replace('_', '-')} takes whole numbers separated by commas, as in 256,128; got {text!r}."
        ) from None


def words(corpus: str | Sequence[str] | None, model: str, *groups: Mapping[str, Any]) -> list[str]:
    """Return the arguments of a command line that give these options."""
    spelled = _files(corpus) + (["--model", model] if model != "mlp" else [])
    for name, value in ((name, value) for group in groups for name, value in group.items()):
        flag = "--" + name.replace("_", "-")
        spelled += [flag] if value is True else [flag, str(value)]
    return spelled
