"""Options that several commands share: a dataclass holds a group of them, and a command takes the group as a whole.

A field of the dataclass is an option as Typer has it, `folder: Annotated[Path, typer.Option(help="Where.")] = RUNS`.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

Command = TypeVar("Command", bound=Callable[..., None])


@dataclass(frozen=True)
class Without:
    """What a command does not take of a group: `Annotated[Group, Without("folder")]`. It keeps its default."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


def grouped(command: Command) -> Command:
    """Let Typer see, in place of each parameter that is a dataclass, the dataclass's fields, in their order."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, tuple[type, list[str]]] = {}
    seen: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind, *notes = get_args(hints[name]) if hasattr(hints[name], "__metadata__") else (hints[name],)
        if is_dataclass(kind) and isinstance(kind, type):
            members = list(_parameters(kind, notes))
            groups[name] = kind, [member.name for member in members]
            seen += members
        else:
            seen.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))

    @functools.wraps(command)
    def take(**given: Any) -> None:
        whole = {
            name: kind(**{member: given.pop(member) for member in names}) for name, (kind, names) in groups.items()
        }
        command(**given, **whole)

    take.__signature__ = inspect.Signature(seen)  # type: ignore[attr-defined]
    take.__annotations__ = {parameter.name: parameter.annotation for parameter in seen}
    return take  # type: ignore[return-value]


def _parameters(group: type, notes: list[Any]) -> Iterator[inspect.Parameter]:
    unwanted = {name for note in notes if isinstance(note, Without) for name in note.names}
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        if field.name not in unwanted:
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            yield inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
            )
