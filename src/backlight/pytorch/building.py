"""Convert a Backlight module into PyTorch: the table of classes, and the traversal of the layers."""

from typing import Final

import torch

from backlight.autograd import Buffer
from backlight.core import ConfigError
from backlight.nn import Module, Parameter
from backlight.pytorch.layers import LAYERS, Entry
from backlight.pytorch.models import MODELS
from backlight.pytorch.weight_map import Link, copy_weights, remember, tensors_of

TORCH_MODULES: Final[dict[type[Module], Entry]] = {**LAYERS, **MODELS}
"""How each class of module is built in PyTorch. Subclasses are not included, since they may compute something else."""


def to_torch(ours: Module) -> torch.nn.Module:
    """Return the same layer or model in PyTorch, with copies of its weights, its dtype, and its mode.

    A layer or parameter that is used in several places is shared in PyTorch too. The state of PyTorch's global random
    generator does not change.

    Args:
        ours: a module whose class, and the classes of its submodules, are in `TORCH_MODULES`.

    Raises:
        ConfigError: a class that is not in `TORCH_MODULES`, or a parameter that two layers share but that PyTorch
            stores transposed in only one of them.
    """
    built = _Built(ours)
    with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw initial weights, which are replaced
        model = built.convert(ours)
    for _, module in ours.named_modules():  # parents first: train() of a parent also sets its submodules
        built.modules[id(module)].train(module.training)
    remember(model, built.links(model))
    copy_weights(ours, model)
    return model


class _Built:
    """The PyTorch modules and tensors built so far, by the `id` of Backlight's."""

    def __init__(self, whole: Module) -> None:
        self.whole = whole
        self.modules: dict[int, torch.nn.Module] = {}
        self.tensors: dict[int, tuple[torch.Tensor, bool]] = {}

    def convert(self, ours: Module) -> torch.nn.Module:
        """Return a module in PyTorch: a new one, or the one built before if it is shared."""
        if id(ours) not in self.modules:
            self.modules[id(ours)] = self._new(ours)
        return self.modules[id(ours)]

    def _new(self, ours: Module) -> torch.nn.Module:
        if type(ours) not in TORCH_MODULES:
            raise ConfigError(
                f"to_torch() supports {', '.join(sorted(cls.__name__ for cls in TORCH_MODULES))}; got a "
                f"{type(ours).__name__}. Add an entry for it to backlight.pytorch.TORCH_MODULES."
            )
        entry = TORCH_MODULES[type(ours)]
        theirs = entry.build(ours, self.convert)
        for name, part in ours.parts():
            if isinstance(part, (Parameter, Buffer)):
                theirs.to(getattr(torch, part.array.dtype.name))
                self._join(name, part, entry, theirs)
        return theirs

    def _join(self, name: str, ours: Parameter | Buffer, entry: Entry, theirs: torch.nn.Module) -> None:
        """Record PyTorch's counterpart of a parameter or buffer; if it is shared, use the existing counterpart."""
        their_name = entry.names.get(name, name)
        this = getattr(theirs, their_name), name in entry.transposed
        known, transposed = self.tensors.setdefault(id(ours), this)
        if transposed != this[1]:
            raise ConfigError(
                f"a shared parameter must have the same layout in all layers; got {name} of {type(theirs).__name__}, "
                "which PyTorch transposes in one layer only. Share between layers of the same kind."
            )
        setattr(theirs, their_name, known)

    def links(self, model: torch.nn.Module) -> tuple[Link, ...]:
        """Return the links, in the order of the parameters and then of the buffers."""
        their_names = {id(tensor): name for name, tensor in tensors_of(model).items()}
        ours = [*self.whole.named_parameters(), *self.whole.named_buffers()]
        found = [(name, *self.tensors[id(tensor)]) for name, tensor in ours]
        linked = {id(theirs) for _, theirs, _ in found}
        left = [name for name, parameter in model.named_parameters() if id(parameter) not in linked]
        assert not left, f"an entry of TORCH_MODULES leaves parameters without counterparts: {left}"  # noqa: S101
        return tuple(Link(name, their_names[id(theirs)], transposed) for name, theirs, transposed in found)
