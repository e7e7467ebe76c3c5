"""The networks in PyTorch, built from its layers and ops. Arguments are the converted submodules of the same names."""

from typing import Final

import torch

from backlight.models.bigram import Bigram
from backlight.models.gpt import GPT, Block
from backlight.models.mlp import MLP
from backlight.models.recurrent import RecurrentModel
from backlight.models.wavenet import WaveNet
from backlight.nn import Module
from backlight.pytorch.layers import Entry


class TorchBigram(torch.nn.Module):
    """(B, 1) int64 ids -> (B, V) logits."""

    def __init__(self, *, table: torch.nn.Module) -> None:
        super().__init__()
        self.table = table

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Return the rows of the table for the last ids."""
        logits: torch.Tensor = self.table(x_BT.select(1, -1))
        return logits


class TorchMLP(torch.nn.Module):
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
        """Return the logits of the next token of each row."""
        vectors: torch.Tensor = self.embedding(x_BT).flatten(start_dim=1)
        logits: torch.Tensor = self.output(self.hidden(vectors))
        return logits if self.direct is None else logits.add(self.direct(vectors))


class TorchWaveNet(torch.nn.Module):
    """(B, T) int64 ids -> (B, V) logits."""

    def __init__(self, *, embedding: torch.nn.Module, hidden: torch.nn.Module, output: torch.nn.Module) -> None:
        super().__init__()
        self.embedding = embedding
        self.hidden = hidden
        self.output = output

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Return the logits of the next token of each row."""
        logits: torch.Tensor = self.output(self.hidden(self.embedding(x_BT)))
        return logits


class TorchBlock(torch.nn.Module):
    """(B, T, C) -> (B, T, C): attention and MLP, each after a norm and with a residual connection."""

    def __init__(
        self, *, first_norm: torch.nn.Module, attention: torch.nn.Module, dropout: torch.nn.Module,
        second_norm: torch.nn.Module, mlp: torch.nn.Module,
    ) -> None:  # fmt: skip
        super().__init__()
        self.first_norm = first_norm
        self.attention = attention
        self.dropout = dropout
        self.second_norm = second_norm
        self.mlp = mlp

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x plus the outputs of attention and MLP."""
        x = x + self.dropout(self.attention(self.first_norm(x)))
        added: torch.Tensor = self.mlp(self.second_norm(x))
        return x + added


class TorchGPT(torch.nn.Module):
    """(B, T) int64 ids -> (B, T, V) logits."""

    def __init__(
        self, *, token: torch.nn.Module, position: torch.nn.Module, dropout: torch.nn.Module,
        blocks: list[torch.nn.Module], norm: torch.nn.Module, output: torch.nn.Module | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.token = token
        self.position = position
        self.dropout = dropout
        self.blocks = torch.nn.Sequential(*blocks)
        self.norm = norm
        self.output = output

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Return the logits of the next token at each position."""
        positions = torch.arange(x_BT.shape[1], device=x_BT.device)
        x = self.norm(self.blocks(self.dropout(self.token(x_BT) + self.position(positions))))
        tied = self.token.get_parameter("weight")
        logits: torch.Tensor = torch.nn.functional.linear(x, tied) if self.output is None else self.output(x)
        return logits


class TorchRecurrent(torch.nn.Module):
    """(B, T) int64 ids -> (B, T, V) logits."""

    def __init__(
        self, *, embedding: torch.nn.Module, dropout: torch.nn.Module, layers: list[torch.nn.Module],
        output: torch.nn.Module,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = embedding
        self.dropout = dropout
        self.layers = torch.nn.ModuleList(layers)
        self.output = output

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Return the logits of the next token at each position."""
        h: torch.Tensor = self.dropout(self.embedding(x_BT))
        for layer in self.layers:
            h = self.dropout(layer(h))
        logits: torch.Tensor = self.output(h)
        return logits


MODELS: Final[dict[type[Module], Entry]] = {
    Bigram: Entry(build=lambda ours, to_torch: TorchBigram(table=to_torch(ours.table))),
    MLP: Entry(
        build=lambda ours, to_torch: TorchMLP(
            embedding=to_torch(ours.embedding),
            hidden=to_torch(ours.hidden),
            output=to_torch(ours.output),
            direct=None if ours.direct is None else to_torch(ours.direct),
        )
    ),
    WaveNet: Entry(
        build=lambda ours, to_torch: TorchWaveNet(
            embedding=to_torch(ours.embedding), hidden=to_torch(ours.hidden), output=to_torch(ours.output)
        )
    ),
    Block: Entry(
        build=lambda ours, to_torch: TorchBlock(
            first_norm=to_torch(ours.first_norm),
            attention=to_torch(ours.attention),
            dropout=to_torch(ours.dropout),
            second_norm=to_torch(ours.second_norm),
            mlp=to_torch(ours.mlp),
        )
    ),
    GPT: Entry(
        build=lambda ours, to_torch: TorchGPT(
            token=to_torch(ours.token),
            position=to_torch(ours.position),
            dropout=to_torch(ours.dropout),
            blocks=[to_torch(block) for block in ours.blocks],
            norm=to_torch(ours.norm),
            output=None if ours.output is None else to_torch(ours.output),
        )
    ),
    RecurrentModel: Entry(
        build=lambda ours, to_torch: TorchRecurrent(
            embedding=to_torch(ours.embedding),
            dropout=to_torch(ours.dropout),
            layers=[to_torch(layer) for layer in ours.layers],
            output=to_torch(ours.output),
        )
    ),
}
