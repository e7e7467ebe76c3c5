"""The public entry to measuring: a watcher for any network, ours or PyTorch's."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from backlight.core import Array, ConfigError
from backlight.nn import Module
from backlight.watch import Watcher
from backlight.watch.ours import ModuleWatcher
from backlight.watch.records import SplitFacts
from backlight.watch.watcher import EVERY


def watch(model: Any, *, optimiser: Any = None, every: int = EVERY, scaler: Any = None) -> Watcher:
    """Watch a network while it is trained, to be told afterwards what is wrong with it.

        with watch(model, optimiser=optimiser) as watcher:
            for x, y in batches:
                loss = loss_function(model(x), y)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                watcher.step(loss)
        print(diagnose(watcher.measurements()))

    The first ten steps are recorded, and then every `every`-th; the others cost next to nothing. Recording changes no
    number: the training ends with the same bits. When the block is left, also by an exception, nothing stays behind.

    Of a PyTorch network all modules are seen, whatever they return (tensors, tuples, dicts), also those that are shared
    or called several times, and activations that are applied by functions. Under autocast numbers are measured as
    float32. Of a network that `torch.compile` runs, only the parameters are seen: it calls no hooks.

    Args:
        model: a `torch.nn.Module`, or a module of ours.
        optimiser: what steps it. PyTorch's are found when they step, if they are not given here; ours must be given, or
            gradients must still be there when `watcher.step` is called.
        every: from how many steps one is recorded, once the first ten are over; 1 for all.
        scaler: the `torch.amp.GradScaler`, if the loss is scaled: gradients are recorded as if it was not.

    Raises:
        ConfigError: neither a module of ours nor of PyTorch, a compiled module, or an `every` below 1.
        TorchMissingError: PyTorch is not installed.
    """
    if isinstance(model, Module):
        if scaler is not None:
            raise ConfigError("a gradient scaler is PyTorch's; got one for a network of Backlight's. Leave it out.")
        return ModuleWatcher(model, optimiser=optimiser, every=every)
    watcher: Watcher = torch_side(model).watch(model, optimiser=optimiser, every=every, scaler=scaler)
    return watcher


def torch_side(model: Any) -> ModuleType:
    """Return the room where PyTorch's networks are watched and examined; without such a network, nobody needs PyTorch.

    Raises:
        ConfigError: this is no module of PyTorch.
    """
    if not any(base.__module__.startswith("torch.nn") for base in type(model).__mro__):
        raise ConfigError(
            f"only networks can be looked at: a torch.nn.Module or a module of Backlight; got a {type(model).__name__}."
        )
    from backlight.watch.torch import entry

    return entry


def compare_splits(train: Iterable[Any], dev: Iterable[Any]) -> SplitFacts:
    """Return what training data and held-out data have in common: the judges want to know of copies.

    Args:
        train: examples: an array or tensor with one in each row, or any other sequence.
        dev: the examples held out, likewise.
    """
    ours, theirs = list(map(_key, train)), list(map(_key, dev))
    known = set(ours)
    return SplitFacts(train=len(ours), dev=len(theirs), shared=sum(one in known for one in theirs))


def _key(example: Any) -> Any:
    """Return what is equal for equal examples."""
    if isinstance(example, (str, bytes, int, float)):
        return example
    if isinstance(example, (tuple, list)):
        return tuple(map(_key, example))
    array: Array = np.asarray(example.detach().cpu() if hasattr(example, "detach") else example)
    return array.shape, array.dtype.str, array.tobytes()
