"""The public entry: a watcher for any network, of this package or of PyTorch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from backlight.core import Array, ConfigError
from backlight.nn import Module
from backlight.watch.adapter import Adapter
from backlight.watch.backlight_nn import BacklightAdapter
from backlight.watch.records import SplitFacts
from backlight.watch.schedule import EVERY
from backlight.watch.stream import StreamFile
from backlight.watch.watcher import Watcher


def watch(
    model: Any, *, optimiser: Any = None, every: int = EVERY, scaler: Any = None, record_to: str | Path | None = None
) -> Watcher:
    """Watch a network while it is trained, to learn afterwards what is wrong with it.

        with watch(model, optimiser=optimiser) as watcher:
            for x, y in batches:
                loss = loss_function(model(x), y)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                watcher.step(loss)
        print(diagnose(watcher.measurements()))

    The first ten steps are recorded, at least every 20th of the first 400, and then every `every`-th; the others cost
    next to nothing. Recording does not change the training: results are bit-identical. Nothing raises out of the
    training loop: what cannot be measured is listed in `Measurements.not_measured`. When the block is left, also by an
    exception, nothing stays behind, and a copy of the model that is made inside of it is an ordinary copy.

    In a PyTorch network all modules are seen, whatever they return (tensors, tuples, dicts), also those that are shared
    or called several times, and activations that are applied by functions. Under autocast numbers are measured as
    float32. Of a network that `torch.compile` runs, only the parameters are seen: it calls no hooks.

    Args:
        model: a `torch.nn.Module`, or a module of this package.
        optimiser: what steps it, or several in a list. PyTorch's are found when they step, if they are not given here;
            for a network of this package it must be given, or gradients must still be there when `watcher.step` is
            called.
        every: record every N-th step after the first 400; 1 records all.
        scaler: the `torch.amp.GradScaler`, if the loss is scaled: gradients are recorded as if it was not.
        record_to: a file that the records are appended to while the training goes on, as JSON lines
            (docs/record_stream.md); an old one is replaced. `backlight health FILE` reads it.

    Raises:
        OSError: the file cannot be made.
        ConfigError: neither a module of this package nor of PyTorch, a compiled or lazy module, or an `every` below 1.
    """
    adapter = adapter_for(model, scaler=scaler)
    known = [] if optimiser is None else list(optimiser) if isinstance(optimiser, (tuple, list)) else [optimiser]
    adapter.check_optimisers(known)
    return Watcher(
        adapter, optimisers=known, every=every, stream=None if record_to is None else StreamFile(Path(record_to))
    )


def adapter_for(model: Any, *, scaler: Any = None) -> Adapter:
    """Return the adapter of a network's framework. PyTorch is imported only for a network of its own.

    Raises:
        ConfigError: this is no network, or one that cannot be watched.
    """
    if isinstance(model, Module):
        if scaler is not None:
            raise ConfigError("a gradient scaler is for PyTorch networks; got one for a network of Backlight. Omit it.")
        return BacklightAdapter(model)
    if not any(base.__module__.startswith("torch.") for base in type(model).__mro__):
        raise ConfigError(
            f"only networks can be watched or examined: a torch.nn.Module or a module of Backlight; got a "
            f"{type(model).__name__}."
        )
    from backlight.watch.torch_nn import adapter_for as torch_adapter_for

    return torch_adapter_for(model, scaler=scaler)


def compare_splits(train: Iterable[Any], dev: Iterable[Any]) -> SplitFacts:
    """Return what training data and held-out data have in common, for the check that looks for duplicates.

    Args:
        train: examples: an array or tensor with one in each row, or any other sequence.
        dev: the held-out examples, likewise.
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
