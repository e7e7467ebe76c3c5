"""At which places a recurrent layer that reads in both directions is asked for what it has read."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from backlight.watch.records import Probe


class DirectionWatch:
    """Looks at the gradients that come to the outputs of bidirectional `nn.RNN`, `nn.LSTM` and `nn.GRU`.

    Args:
        model: the network.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._found: dict[str, Probe] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at the passes that are made meanwhile."""
        hooks = [
            module.register_forward_hook(partial(self._on_output, name))
            for name, module in self._model.named_modules()
            if isinstance(module, torch.nn.RNNBase) and module.bidirectional
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def probes(self) -> list[Probe]:
        """Return for each layer how many places of its backward direction a gradient came to, and which."""
        return list(self._found.values())

    def _on_output(self, name: str, module: torch.nn.RNNBase, args: Any, output: Any) -> None:
        del args
        out = output[0]
        if isinstance(out, torch.Tensor) and out.requires_grad and out.ndim == 3:
            out.register_hook(partial(self._on_gradient, name, 1 if module.batch_first else 0))  # type: ignore[no-untyped-call]

    def _on_gradient(self, name: str, time: int, gradient: torch.Tensor) -> None:
        forward, backward = (
            half.detach().abs().sum((1 - time, 2)).nonzero()[:, 0].tolist() for half in gradient.chunk(2, 2)
        )
        places = gradient.shape[time]
        if backward and places > 1:
            details = {"first": float(backward[0]), "forward": float(len(forward))}
            self._found[name] = Probe(
                name="backward", changed=float(len(backward)), scale=float(places), details=details, where=name
            )
