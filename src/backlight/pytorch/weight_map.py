"""Which parameter or buffer of a twin is which of ours, and what goes from one to the other."""

from dataclasses import dataclass

import numpy as np
import torch

from backlight.core import Array, ConfigError
from backlight.nn import Module


@dataclass(frozen=True, slots=True)
class Link:
    """One parameter or buffer on both sides.

    Attributes:
        ours: its dotted name in our module.
        theirs: its dotted name in the twin.
        transposed: whether the twin keeps it transposed, as PyTorch's Linear does.
    """

    ours: str
    theirs: str
    transposed: bool

    def to_ours(self, tensor: torch.Tensor) -> Array:
        """Return a copy of a parameter, buffer or gradient of the twin, in our layout."""
        theirs: Array = tensor.detach().cpu().numpy()
        return np.array(theirs.T if self.transposed else theirs, order="C")

    def to_theirs(self, array: Array) -> torch.Tensor:
        """Return a copy of a parameter, buffer or gradient of ours, in the twin's layout."""
        return torch.from_numpy(np.array(array.T if self.transposed else array, order="C"))


def remember(twin: torch.nn.Module, links: tuple[Link, ...]) -> None:
    """Keep the links with the twin; a deep copy of it has them too."""
    twin.backlight_links = links  # type: ignore[assignment]  # torch types attributes as tensors and modules


def weight_map(twin: torch.nn.Module) -> tuple[Link, ...]:
    """Return the links of a twin, in the order of our parameters and then of our buffers.

    Raises:
        ConfigError: a module that `to_torch` did not make.
    """
    links = vars(twin).get("backlight_links")
    if links is None:
        raise ConfigError(f"only what to_torch() returned knows our names; got a {type(twin).__name__} without them.")
    return links  # type: ignore[no-any-return]


def tensors_of(twin: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the twin's own parameters and buffers by its names, also those that have no link."""
    return {**dict(twin.named_parameters()), **dict(twin.named_buffers())}


def copy_weights(ours: Module, twin: torch.nn.Module) -> None:
    """Overwrite the twin's weights and buffers with ours, in the twin's dtype and on its device.

    Raises:
        ConfigError: the twin is of a module with other parameters, by name or by shape.
    """
    theirs = tensors_of(twin)
    links = weight_map(twin)
    state = ours.state_dict()
    wanted = {link.ours: link.to_ours(theirs[link.theirs]).shape for link in links}
    given = {name: array.shape for name, array in state.items()}
    if wanted != given:
        odd = sorted({name for name, _ in wanted.items() ^ given.items()})
        raise ConfigError(f"weights can only go to a module's own twin; these differ: {', '.join(odd)}.")
    with torch.no_grad():
        for link in links:
            theirs[link.theirs].copy_(link.to_theirs(state[link.ours]))


def weights_of(twin: torch.nn.Module) -> dict[str, Array]:
    """Return copies of the twin's weights and buffers under our names, in our layout: what `load_state_dict` takes."""
    theirs = tensors_of(twin)
    return {link.ours: link.to_ours(theirs[link.theirs]) for link in weight_map(twin)}


def gradients_of(twin: torch.nn.Module) -> dict[str, Array]:
    """Return copies of the twin's gradients under our names and in our layout.

    A parameter that no backward pass has reached is not among them.
    """
    theirs = tensors_of(twin)
    found = {link: theirs[link.theirs].grad for link in weight_map(twin)}
    return {link.ours: link.to_ours(grad) for link, grad in found.items() if grad is not None}
