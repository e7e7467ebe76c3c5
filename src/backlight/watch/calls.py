"""A layer under watch, and one call of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from backlight.nn.kind import Kind
from backlight.watch.kinds import FUNCTIONS
from backlight.watch.numbers import Block
from backlight.watch.records import BatchStatistics, Setting, UnitMap

Place = tuple[Block, int]
"""A row of a block."""


@dataclass(slots=True)
class Notes:
    """What is to be known of a call besides moments; see `LayerRecord`."""

    softmax_saturated: float | None = None
    batch: BatchStatistics | None = None
    unit_map: UnitMap | None = None


@dataclass(slots=True)
class Wanted:
    """Which notes a step is to have: these are not made every time."""

    statistics: bool = False
    maps: bool = False

    def __bool__(self) -> bool:
        return self.statistics or self.maps


class WatchedLayer:
    """One layer under watch.

    Attributes:
        name: see `LayerFacts`.
        class_name: of the module, or the function's name.
        kind: what it does.
        module: None for a function.
        aliases: further names.
        depth: place in the order of first execution; None before it.
        calls: in the first recorded pass.
        reads: see `LayerFacts`.
        reads_shape: of the first tensor that it read.
        settings: of a function, its own; a module is asked.
        copies: whether its output is copied at once, because it may be changed in place; true until the first recorded
            step has shown otherwise.
        at_once: whether its output is measured at once and let go, because it is large.
        shape: of its last output, if the next one needs no closer look as long as it has this shape too; else None.
        axis: where its units were.
    """

    def __init__(self, name: str, class_name: str, kind: Kind, module: Any, *, copies: bool) -> None:
        self.name = name
        self.class_name = class_name
        self.kind = kind
        self.module = module
        self.aliases: list[str] = []
        self.depth: int | None = None
        self.calls = 0
        self.reads: tuple[str, ...] = ()
        self.reads_shape: tuple[int, ...] = ()
        self.settings: dict[str, Setting] = {}
        self.copies = copies
        self.at_once = False
        self.shape: Any = None
        self.axis = -1


class Call:
    """One call of a layer.

    Attributes:
        layer: the layer; None for a function's call until it is clear that no module's hook will claim it.
        tensor: what it gave; None once a large one was measured.
        args: what it read, unless that is large.
        training: the module's mode.
        version: how often the tensor had been changed in place.
        number: of the forward pass.
        values: what is to be measured: the tensor's values, or a copy if it may be changed in place.
        shape: of the tensor.
        axis: where its units are.
        function: its name, if it is a function's.
        gradient: what came back, for `measure`.
        arrivals: how often one came back, where that is seen.
        retained: whether the gradient waits in the tensor.
        output_at, gradient_at, notes: where the measurements of a large one are, and the notes on it.
        settings: of a function.
        reads: the layers whose outputs come to it unchanged, until the layer has been given them.
    """

    values: Any = None
    shape: Any = ()
    axis = -1
    function: str | None = None
    gradient: Any = None
    arrivals = 0
    retained = False
    notes: Notes | None = None
    output_at: Place | None = None
    gradient_at: Place | None = None
    reads: tuple[str, ...] | None = None
    settings: Mapping[str, Setting] = MappingProxyType({})

    def __init__(
        self, layer: WatchedLayer | None, tensor: Any, args: Any, training: bool, version: int, number: int
    ) -> None:
        self.layer = layer
        self.tensor = tensor
        self.args = args
        self.training = training
        self.version = version
        self.number = number

    @property
    def kind(self) -> Kind:
        """What the layer does, or the function."""
        return FUNCTIONS[str(self.function)] if self.layer is None else self.layer.kind

    @property
    def name(self) -> str:
        """The layer's name."""
        return "" if self.layer is None else self.layer.name


class CallTaker(Protocol):
    """What takes in the calls of layers while a step is recorded; see `Capture`."""

    is_routine: bool
    calls: list[Call]
    number: int

    def on_module(self, layer: WatchedLayer, module: Any, args: Any, output: Any) -> None:
        """Take in one call of a module."""

    def on_gradient(self, call: Call, gradient: Any) -> None:
        """Take in a gradient that arrived at what a call gave."""

    def failed(self, error: Exception) -> None:
        """Take in what went wrong in a hook."""


def numel(tensor: Any) -> int:
    """Return how many numbers a tensor or array has."""
    return math.prod(tensor.shape)
