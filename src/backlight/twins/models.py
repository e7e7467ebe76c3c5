"""The twins of the networks: their layers' twins, put together with PyTorch's own ops."""

from typing import Final

import torch

from backlight.models.bigram import Bigram
from backlight.models.mlp import MLP
from backlight.models.wavenet import WaveNet
from backlight.nn import Module
from backlight.twins.entry import Entry


class BigramTwin(torch.nn.Module):
    """(B, 1) int64 ids -> (B, V) logits."""

    def __init__(self, *, table: torch.nn.Module) -> None:
        super().__init__()
        self.table = table

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Return the table's rows of the last ids."""
        logits: torch.Tensor = self.table(x_BT.select(1, -1))
        return logits


class MLPTwin(torch.nn.Module):
    """(B, T) int64 ids -> (B, V) logits."""

    def __init__(
        self, *, embedding: torch.nn.Module, hidden: torch.nn.Module, output: torch.nn.Module,
        direct: torch.nn.Module | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = embedding
        self.hidden = hidden
        self.output = output
        self.direct = direct

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Return the logits of the character after each row."""
        vectors: torch.Tensor = self.embedding(x_BT).flatten(start_dim=1)
        logits: torch.Tensor = self.output(self.hidden(vectors))
        return logits if self.direct is None else logits.add(self.direct(vectors))


class WaveNetTwin(torch.nn.Module):
    """(B, T) int64 ids -> (B, V) logits."""

    def __init__(self, *, embedding: torch.nn.Module, hidden: torch.nn.Module, output: torch.nn.Module) -> None:
        super().__init__()
        self.embedding = embedding
        self.hidden = hidden
        self.output = output

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Return the logits of the character after each row."""
        logits: torch.Tensor = self.output(self.hidden(self.embedding(x_BT)))
        return logits


MODELS: Final[dict[type[Module], Entry]] = {
    Bigram: Entry(build=lambda ours, twin_of: BigramTwin(table=twin_of(ours.table))),
    MLP: Entry(
        build=lambda ours, twin_of: MLPTwin(
            embedding=twin_of(ours.embedding),
            hidden=twin_of(ours.hidden),
            output=twin_of(ours.output),
            direct=None if ours.direct is None else twin_of(ours.direct),
        )
    ),
    WaveNet: Entry(
        build=lambda ours, twin_of: WaveNetTwin(
            embedding=twin_of(ours.embedding), hidden=twin_of(ours.hidden), output=twin_of(ours.output)
        )
    ),
}
