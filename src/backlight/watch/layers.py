"""The layers of a network: which modules are watched, and what is known of each."""

import sys
from collections.abc import Container, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from backlight.nn.kind import OTHER
from backlight.watch.adapter import Adapter
from backlight.watch.calls import WatchedLayer
from backlight.watch.kinds import FUNCTIONS
from backlight.watch.records import LayerFacts, NotMeasured


class Layers:
    """The layers of a network.

    A layer is a module without modules below it, or with parameters of its own, or of a known kind; and a function that
    turns up while the network runs.

    Args:
        adapter: the network and its framework.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.by_module: dict[Any, WatchedLayer] = {}
        self._functions: dict[str, WatchedLayer] = {}
        self._executed = 0
        self.find()

    def find(self) -> None:
        """Find the modules that are there now. A new one has the depth of that in whose place it stands."""
        adapter, before = self._adapter, self.by_module
        depths = {one.name: one.depth for one in before.values()}
        self.by_module = {}
        for name, module in adapter.named_modules():
            if module in self.by_module:
                self.by_module[module].aliases.append(name)
                continue
            kind = adapter.kind(module)
            if adapter.is_layer(name, module, kind):
                made = before.get(module) or WatchedLayer(
                    name, type(module).__name__, kind, module, copies=adapter.in_place
                )
                made.aliases, made.depth = [], depths.get(name)
                self.by_module[module] = made
        for one in [*self.by_module.values(), *self._functions.values()]:
            one.calls, one.reads, one.shape = 0, (), None

    def function(self, after: str, function: str, place: int) -> WatchedLayer:
        """Return the layer of a function, called for the `place`-th time after a layer."""
        name = f"{after}>{function}" + (f"#{place}" if place > 1 else "")
        if name not in self._functions:
            self._functions[name] = WatchedLayer(name, function, FUNCTIONS[function], None, copies=True)
        return self._functions[name]

    def executed(self, layer: WatchedLayer) -> None:
        """Note that a layer ran; the first time decides its depth."""
        if layer.depth is None:
            layer.depth = self._executed
            self._executed += 1

    @property
    def has_functions(self) -> bool:
        """Whether the network applies activations by functions."""
        return bool(self._functions)

    def facts(self) -> tuple[LayerFacts, ...]:
        """Return what is known of each, in order of execution; those never called last."""
        every = [*self.by_module.values(), *self._functions.values()]
        never = len(every)
        return tuple(
            self._facts(one) for one in sorted(every, key=lambda one: never if one.depth is None else one.depth)
        )

    def _facts(self, layer: WatchedLayer) -> LayerFacts:
        is_function = layer.module is None
        known = None if is_function else self._adapter.describe(layer)
        return LayerFacts(
            name=layer.name,
            kind=layer.class_name,
            role=layer.kind.role,
            bounded=layer.kind.bounded,
            one_sided=layer.kind.one_sided,
            depth=layer.depth,
            calls=layer.calls,
            functional=is_function,
            aliases=tuple(layer.aliases),
            parameters=known.parameters if known else (),
            bias=known.bias if known else None,
            fan_in=known.fan_in if known else None,
            fan_out=known.fan_out if known else None,
            reads=layer.reads,
            reads_shape=layer.reads_shape,
            code="" if is_function else code_of(type(layer.module)),
            settings=known.settings if known else dict(layer.settings),
        )


def code_of(kind: type) -> str:
    """Return the file of a class, from its package on; empty if it is in none."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None:
        return ""
    name, parts = PurePath(file).name, kind.__module__.split(".")
    return "/".join([*(parts if name == "__init__.py" else parts[:-1]), name])


def never_seen(layers: Sequence[LayerFacts], pulled: Container[str]) -> Iterator[NotMeasured]:
    """Yield the layers that no hook saw, though others were seen and their parameters got gradients.

    Args:
        layers: all.
        pulled: names of the parameters that got gradients.
    """
    if all(one.depth is None for one in layers):
        return
    for one in layers:
        if one.depth is None and one.parameters and all(name in pulled for name in one.parameters):
            yield NotMeasured(what=f"the output of {one.name}", because="the layer around it uses its weights itself")


def claim(layer: WatchedLayer, function: str) -> None:
    """Note that a module does nothing but to apply a function, which says what it is."""
    if layer.kind is OTHER:
        layer.kind = FUNCTIONS[function]
