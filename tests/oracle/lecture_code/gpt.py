"""Lecture 7 with modules: a GPT with dropout, its first weights set by hand, trained by AdamW, then sampled from."""

# ruff: noqa: N812  (written as the lectures write it)

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

text = "\n".join(Path("names.txt").read_text().splitlines())
chars = sorted(set(text))
stoi = {ch: i for i, ch in enumerate(chars)}
vocab_size, batch_size, block_size, n_embd, n_head, n_layer = len(chars), 8, 8, 24, 3, 2
dropout = 0.2
data = torch.tensor([stoi[c] for c in text], dtype=torch.long)
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(1337)
torch.set_float32_matmul_precision("high")


def get_batch():
    ix = torch.randint(len(data) - block_size, (batch_size,))
    x = torch.stack([data[i : i + block_size] for i in ix])
    y = torch.stack([data[i + 1 : i + block_size + 1] for i in ix])
    return x.to(device), y.to(device)


class Head(nn.Module):
    def __init__(self, head_size):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer("tril", torch.tril(torch.ones(block_size, block_size)))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        _, T, C = x.shape
        wei = self.query(x) @ self.key(x).transpose(-2, -1) * C**-0.5
        wei = wei.masked_fill(self.tril[:T, :T] == 0, float("-inf"))
        return self.dropout(F.softmax(wei, dim=-1)) @ self.value(x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList([Head(n_embd // n_head) for _ in range(n_head)])
        self.proj = nn.Sequential(nn.Linear(n_embd, n_embd), nn.Dropout(dropout))
        self.ffwd = nn.Sequential(
            nn.Linear(n_embd, 4 * n_embd), nn.ReLU(), nn.Linear(4 * n_embd, n_embd), nn.Dropout(dropout)
        )
        self.ln1, self.ln2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)

    def forward(self, x):
        y = self.ln1(x)
        x = x + self.proj(torch.cat([head(y) for head in self.heads], dim=-1))
        return x + self.ffwd(self.ln2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*[Block() for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size)
        self.apply(self.first_weights)

    def first_weights(self, module):
        if isinstance(module, nn.Linear):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, idx, targets=None):
        _, T = idx.shape
        x = self.tokens(idx) + self.positions(torch.arange(T, device=device))
        logits = self.lm_head(self.ln_f(self.blocks(x)))
        if targets is None:
            return logits, None
        B, T, C = logits.shape
        return logits, F.cross_entropy(logits.view(B * T, C), targets.view(B * T))


model = GPT().to(device)
model = torch.compile(model) if device == "cuda" else model
first = {name: p.detach().sum().item() for name, p in model.named_parameters()}
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
losses = []
for _ in range(30):
    logits, loss = model(*get_batch())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.item())


@torch.no_grad()
def estimate_loss():
    model.eval()
    found = torch.zeros(5)
    for k in range(5):
        found[k] = model(*get_batch())[1].item()
    model.train()
    return found.mean().item()


@torch.no_grad()
def generate(count):
    idx = torch.zeros((1, 1), dtype=torch.long, device=device)
    for _ in range(count):
        logits, _ = model(idx[:, -block_size:])
        probs = F.softmax(logits[:, -1, :], dim=-1)
        idx = torch.cat((idx, torch.multinomial(probs, num_samples=1)), dim=1)
    return "".join(chars[i] for i in idx[0].tolist())


results = {
    "first": first,
    "losses": losses,
    "evaluated": estimate_loss(),
    "printed": f"{estimate_loss():.2f}",
    "sample": generate(100),
    "text": repr(model),
    "size": sum(p.numel() for p in model.parameters()),
    "last": {name: p.detach().abs().mean().item() for name, p in model.named_parameters() if p.dim() > 1},
}
