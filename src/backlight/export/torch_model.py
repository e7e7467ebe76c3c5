"""A language model of Backlight in PyTorch, with its weights beside this file. It needs torch and safetensors only.

    from model import load

    model = load()
    print(model.sample(10))                       # texts
    logits = model(torch.tensor([[0, 5, 13]]))    # (1, 3, V) of gpt, rnn, gru and lstm, (1, V) of the others

`config.json` has the sizes and the tokens: `tokens[i]` is what id i stands for, with each of its bytes in UTF-8 as the
character of this number. Id 0 is the boundary, which begins a text and ends an item. bigram, mlp and wavenet read
exactly `context` ids, with boundaries before the text; the others read up to `context` ids, which begin with one
boundary.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the field's name)


class LanguageModel(nn.Module):
    """The base class: sampling, and the tokens."""

    windows = True

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids, without boundaries."""
        raw = b"".join(self.config["tokens"][i].encode("latin-1") for i in ids if i)
        return raw.decode("utf-8", "replace")

    @torch.no_grad()
    def sample(self, count: int = 1, *, temperature: float = 1.0, length: int = 100) -> list[str]:
        """Return sampled texts of at most `length` tokens."""
        context = self.config["context"]
        ids = torch.zeros(count, context if self.windows else 1, dtype=torch.long)
        first = ids.shape[1]
        for _ in range(length):
            logits = self(ids[:, -context:])
            logits = logits if self.windows else logits[:, -1]
            if not self.config["ends"]:
                logits[:, 0] = -torch.inf  # running text has no end
            drawn = torch.multinomial(F.softmax(logits / temperature, -1), 1)
            ids = torch.cat([ids, drawn], 1)
        rows = ids[:, first:].tolist()
        return [self.decode(row[: row.index(0)] if 0 in row else row) for row in rows]


class Bigram(LanguageModel):
    """(B, 1) ids -> (B, V) logits."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        V = config["vocabulary_size"]
        self.table = nn.Embedding(V, V)

    def forward(self, x: Tensor) -> Tensor:
        """Return the row of the last id."""
        logits: Tensor = self.table(x[:, -1])
        return logits


class MLP(LanguageModel):
    """(B, T) ids -> (B, V) logits."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        V, E, norm = config["vocabulary_size"], config["embedding"], config["batch_norm"]
        self.embedding = nn.Embedding(V, E)
        sizes = [config["context"] * E, *config["hidden"]]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [
                nn.Linear(fan_in, fan_out, bias=not norm),
                *([nn.BatchNorm1d(fan_out)] if norm else []),
                nn.Tanh(),
            ]
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(sizes[-1], V)
        self.direct = nn.Linear(sizes[0], V, bias=False) if config["direct"] else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits after the embeddings of all ids, concatenated."""
        vectors = self.embedding(x).flatten(1)
        logits: Tensor = self.output(self.hidden(vectors))
        return logits if self.direct is None else logits + self.direct(vectors)


class Pairs(nn.Module):
    """(B, T, C) -> (B, T/2, 2C), or (B, 2C) if one position is left."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x with neighbours joined."""
        B, T, C = x.shape
        return x.reshape(B, T // 2, 2 * C).squeeze(1)


class ChannelsLast(nn.BatchNorm1d):
    """Batch norm of (..., C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised activations, in x's shape."""
        return super().forward(x.flatten(0, -2)).reshape(x.shape)


class WaveNet(LanguageModel):
    """(B, T) ids -> (B, V) logits."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        V, E, H = config["vocabulary_size"], config["embedding"], config["hidden"]
        self.embedding = nn.Embedding(V, E)
        layers: list[nn.Module] = []
        for level in range(config["context"].bit_length() - 1):
            layers += [Pairs(), nn.Linear(2 * (H if level else E), H, bias=False), ChannelsLast(H), nn.Tanh()]
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(H, V)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits after all levels."""
        logits: Tensor = self.output(self.hidden(self.embedding(x)))
        return logits


class Recurrent(LanguageModel):
    """(B, T) ids -> (B, T, V) logits. The state is 0 before the first id."""

    windows = False

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        V, sizes = config["vocabulary_size"], [config["embedding"], *config["hidden"]]
        layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[config["model"]]
        self.embedding = nn.Embedding(V, sizes[0])
        self.dropout = nn.Dropout(config["dropout"])
        self.layers = nn.ModuleList(layer(i, h, batch_first=True) for i, h in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], V)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits after each id."""
        h: Tensor = self.dropout(self.embedding(x))
        for layer in self.layers:
            h = self.dropout(layer(h)[0])
        logits: Tensor = self.output(h)
        return logits


class Attention(nn.Module):
    """Causal self-attention, (B, T, C) -> (B, T, C)."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        C = config["n_embd"]
        self.heads, self.p = config["n_head"], config["dropout"]
        self.qkv, self.output = nn.Linear(C, 3 * C), nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        """Return the attention output."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.p if self.training else 0.0, is_causal=True)
        mixed: Tensor = self.output(y.transpose(1, 2).flatten(2))
        return mixed


class Block(nn.Module):
    """A transformer block, (B, T, C) -> (B, T, C)."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        C, p = config["n_embd"], config["dropout"]
        self.first_norm, self.second_norm = nn.LayerNorm(C), nn.LayerNorm(C)
        self.attention, self.dropout = Attention(config), nn.Dropout(p)
        up, down = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)
        self.mlp = nn.Sequential(up, nn.GELU(approximate="tanh"), down, nn.Dropout(p))

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the outputs of attention and MLP."""
        x = x + self.dropout(self.attention(self.first_norm(x)))
        added: Tensor = self.mlp(self.second_norm(x))
        return x + added


class GPT(LanguageModel):
    """(B, T) ids -> (B, T, V) logits."""

    windows = False

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        V, C = config["vocabulary_size"], config["n_embd"]
        self.token, self.position = nn.Embedding(V, C), nn.Embedding(config["context"], C)
        self.dropout = nn.Dropout(config["dropout"])
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config["n_layer"])))
        self.norm = nn.LayerNorm(C)
        self.output = None if config["tie_weights"] else nn.Linear(C, V, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits after each id."""
        positions = torch.arange(x.shape[1], device=x.device)
        h: Tensor = self.norm(self.blocks(self.dropout(self.token(x) + self.position(positions))))
        logits: Tensor = h @ self.token.weight.T if self.output is None else self.output(h)
        return logits


MODELS = {
    "bigram": Bigram, "mlp": MLP, "wavenet": WaveNet, "rnn": Recurrent, "gru": Recurrent, "lstm": Recurrent, "gpt": GPT,
}  # fmt: skip


def load(folder: str | Path = Path(__file__).parent) -> LanguageModel:
    """Return the model of a folder, in evaluation mode."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    model = MODELS[config["model"]](config)
    model.load_state_dict(load_file(Path(folder) / "model.safetensors"))
    return model.eval()
