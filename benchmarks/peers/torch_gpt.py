"""A GPT in PyTorch with nanoGPT's architecture: pre-norm blocks and fused attention; our own code."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (its usual name)


class SelfAttention(nn.Module):
    """Causal self-attention: queries, keys and values from one product, and PyTorch's fused attention."""

    def __init__(self, channels, heads, dropout):
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)
        self.heads = heads
        self.dropout = dropout

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, -1).transpose(1, 2) for part in self.qkv(x).split(C, dim=2))
        p = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
        return self.output(y.transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x))."""

    def __init__(self, channels, heads, dropout):
        super().__init__()
        self.first_norm = nn.LayerNorm(channels)
        self.attention = SelfAttention(channels, heads, dropout)
        self.second_norm = nn.LayerNorm(channels)
        self.up = nn.Linear(channels, 4 * channels)
        self.down = nn.Linear(4 * channels, channels)
        self.gelu = nn.GELU(approximate="tanh")
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.dropout(self.attention(self.first_norm(x)))
        return x + self.dropout(self.down(self.gelu(self.up(self.second_norm(x)))))


class TorchGPT(nn.Module):
    """Returns the mean loss for ids and targets (B, T); a target of -1 is excluded."""

    def __init__(self, vocabulary_size, context, channels, layers, heads, dropout):
        super().__init__()
        self.token = nn.Embedding(vocabulary_size, channels)
        self.position = nn.Embedding(context, channels)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(channels, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        self.output = nn.Linear(channels, vocabulary_size, bias=False)

    def forward(self, x, y):
        positions = torch.arange(x.shape[1])
        h = self.dropout(self.token(x) + self.position(positions))
        for block in self.blocks:
            h = block(h)
        logits = self.output(self.norm(h))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.reshape(-1), ignore_index=-1)


@torch.no_grad()
def take_weights(theirs, ours):
    """Copy the weights of Backlight's GPT, whose matrices are transposed, into PyTorch's."""

    def linear(to, layer):
        to.weight.copy_(torch.from_numpy(layer.weight.array.T))
        if layer.bias is not None:
            to.bias.copy_(torch.from_numpy(layer.bias.array))

    for name in ("token", "position"):
        getattr(theirs, name).weight.copy_(torch.from_numpy(getattr(ours, name).weight.array))
    linear(theirs.output, ours.output)
    for to, block in zip(theirs.blocks, ours.blocks, strict=True):
        linear(to.attention.qkv, block.attention.qkv)
        linear(to.attention.output, block.attention.output)
        linear(to.up, block.mlp[0])
        linear(to.down, block.mlp[2])
