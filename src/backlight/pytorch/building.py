"""From a module of ours to the same one in PyTorch: the table of classes, and the walk down the layers."""

from typing import Final

import torch

from backlight.autograd import Buffer
from backlight.core import ConfigError
from backlight.nn import Module, Parameter
from backlight.pytorch.layers import LAYERS, Entry
from backlight.pytorch.models import MODELS
from backlight.pytorch.weight_map import Link, copy_weights, remember, tensors_of

TORCH_MODULES: Final[dict[type[Module], Entry]] = {**LAYERS, **MODELS}
"""How each class of module is built in PyTorch. A class stands for itself only: a subclass may compute otherwise."""


def to_torch(ours: Module) -> torch.nn.Module:
    """Return the same layer or model in PyTorch: same weights (copied), dtype, and training or evaluation mode.

    A layer or parameter that ours uses in several places is one module or parameter there too. PyTorch's
    global random numbers are left as they were.

    Args:
        ours: a module whose class, and the classes of the modules below it, are in `TORCH_MODULES`.

    Raises:
        ConfigError: a class that is not in `TORCH_MODULES`, or a parameter that two layers share but that PyTorch keeps
            transposed in one of them only.
    """
    built = _Built(ours)
    with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw first weights, which ours replace
        model = built.convert(ours)
    for _, module in ours.named_modules():  # from the top down, so that the lower ones decide
        built.modules[id(module)].train(module.training)
    remember(model, built.links(model))
    copy_weights(ours, model)
    return model


class _Built:
    """What has been built so far, by the identity of what it was built from."""

    def __init__(self, whole: Module) -> None:
        self.whole = whole
        self.modules: dict[int, torch.nn.Module] = {}
        self.tensors: dict[int, tuple[torch.Tensor, bool]] = {}

    def convert(self, ours: Module) -> torch.nn.Module:
        """Return one module in PyTorch: a new one, or the one that was built where it was met before."""
        if id(ours) not in self.modules:
            self.modules[id(ours)] = self._new(ours)
        return self.modules[id(ours)]

    def _new(self, ours: Module) -> torch.nn.Module:
        if type(ours) not in TORCH_MODULES:
            raise ConfigError(
                f"to_torch() knows {', '.join(sorted(one.__name__ for one in TORCH_MODULES))}; got a "
                f"{type(ours).__name__}. "
                "Add how PyTorch builds it to backlight.pytorch.TORCH_MODULES."
            )
        entry = TORCH_MODULES[type(ours)]
        theirs = entry.build(ours, self.convert)
        for name, part in ours.parts():
            if isinstance(part, (Parameter, Buffer)):
                theirs.to(getattr(torch, part.array.dtype.name))
                self._join(name, part, entry, theirs)
        return theirs

    def _join(self, name: str, ours: Parameter | Buffer, entry: Entry, theirs: torch.nn.Module) -> None:
        """Note which of PyTorch's parameters or buffers this is; where ours was met before, use the same here too."""
        their_name = entry.names.get(name, name)
        this = getattr(theirs, their_name), name in entry.transposed
        known, transposed = self.tensors.setdefault(id(ours), this)
        if transposed != this[1]:
            raise ConfigError(
                f"a parameter that layers share must lie the same way in both; got {name} of {type(theirs).__name__}, "
                "of which PyTorch keeps one transposed and one not. Share between layers of one kind only."
            )
        setattr(theirs, their_name, known)

    def links(self, model: torch.nn.Module) -> tuple[Link, ...]:
        """Return the links, in the order of our parameters and then of our buffers."""
        their_names = {id(tensor): name for name, tensor in tensors_of(model).items()}
        ours = [*self.whole.named_parameters(), *self.whole.named_buffers()]
        found = [(name, *self.tensors[id(tensor)]) for name, tensor in ours]
        linked = {id(theirs) for _, theirs, _ in found}
        left = [name for name, parameter in model.named_parameters() if id(parameter) not in linked]
        assert not left, f"an entry of TORCH_MODULES leaves parameters without counterparts: {left}"  # noqa: S101
        return tuple(Link(name, their_names[id(theirs)], transposed) for name, theirs, transposed in found)
