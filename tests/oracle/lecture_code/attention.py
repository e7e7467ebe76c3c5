"""Lecture 7: batches of a text, the average of the past in three ways, and one head of self-attention, trained."""

# ruff: noqa: B007, N812  (written as the lectures write it)

from pathlib import Path

import torch
import torch.nn.functional as F

text = "\n".join(Path("names.txt").read_text().splitlines())
chars = sorted(set(text))
vocab_size = len(chars)
stoi = {ch: i for i, ch in enumerate(chars)}
itos = dict(enumerate(chars))
data = torch.tensor([stoi[c] for c in text], dtype=torch.long)
device = "cuda" if torch.cuda.is_available() else "cpu"

# ---- batches ----------------------------------------------------------------------------------------------------
torch.manual_seed(1337)
batch_size, block_size = 4, 8


def get_batch():
    ix = torch.randint(len(data) - block_size, (batch_size,))
    x = torch.stack([data[i : i + block_size] for i in ix])
    y = torch.stack([data[i + 1 : i + block_size + 1] for i in ix])
    x, y = x.to(device), y.to(device)
    return x, y


xb, yb = get_batch()
pairs = [(xb[b, : t + 1].tolist(), yb[b, t].item()) for b in range(2) for t in range(block_size)]

# ---- averages as matrix products --------------------------------------------------------------------------------
torch.manual_seed(42)
a = torch.tril(torch.ones(3, 3))
a = a / torch.sum(a, 1, keepdim=True)
b = torch.randint(0, 10, (3, 2)).float()
c = a @ b

torch.manual_seed(1337)
B, T, C = 4, 8, 2
x = torch.randn(B, T, C)
xbow = torch.zeros((B, T, C))
for bi in range(B):
    for t in range(T):
        xprev = x[bi, : t + 1]
        xbow[bi, t] = torch.mean(xprev, 0)

wei = torch.tril(torch.ones(T, T))
wei = wei / wei.sum(1, keepdim=True)
xbow2 = wei @ x

tril = torch.tril(torch.ones(T, T))
wei = torch.zeros((T, T))
wei = wei.masked_fill(tril == 0, float("-inf"))
wei = F.softmax(wei, dim=-1)
xbow3 = wei @ x

# ---- one head ---------------------------------------------------------------------------------------------------
torch.manual_seed(1337)
B, T, C = 4, 8, 32
x = torch.randn(B, T, C)
head_size = 16
key = torch.randn(C, head_size) * C**-0.5
query = torch.randn(C, head_size) * C**-0.5
value = torch.randn(C, head_size) * C**-0.5
k = x @ key
q = x @ query
wei = q @ k.transpose(-2, -1) * head_size**-0.5
unmasked_var = wei.var().item()
tril = torch.tril(torch.ones(T, T))
wei = wei.masked_fill(tril == 0, float("-inf"))
wei = F.softmax(wei, dim=-1)
out = wei @ (x @ value)

sharp = torch.softmax(torch.tensor([0.1, -0.2, 0.3, -0.2, 0.5]) * 8, dim=-1)

# ---- layer norm on rows, by hand --------------------------------------------------------------------------------
xmean = x.mean(-1, keepdim=True)
xvar = x.var(-1, keepdim=True)
normed = (x - xmean) / torch.sqrt(xvar + 1e-5)

# ---- a tiny language model of one head --------------------------------------------------------------------------
token_embedding = torch.randn(vocab_size, C) * 0.1
position_embedding = torch.randn(block_size, C) * 0.1
lm_head = torch.randn(head_size, vocab_size) * 0.1
parameters = [token_embedding, position_embedding, key, query, value, lm_head]
for p in parameters:
    p.requires_grad_()


def forward(idx, targets=None):
    B, T = idx.shape
    x = token_embedding[idx] + position_embedding[torch.arange(T, device=device)]
    k, q, v = x @ key, x @ query, x @ value
    wei = q @ k.transpose(-2, -1) * head_size**-0.5
    wei = wei.masked_fill(tril[:T, :T] == 0, float("-inf"))
    logits = F.softmax(wei, dim=-1) @ v @ lm_head
    if targets is None:
        return logits, None
    B, T, V = logits.shape
    return logits, F.cross_entropy(logits.view(B * T, V), targets.view(B * T))


losses = []
for steps in range(25):
    xb, yb = get_batch()
    logits, loss = forward(xb, yb)
    for p in parameters:
        p.grad = None
    loss.backward()
    for p in parameters:
        p.data -= 1.0 * p.grad
    losses.append(loss.item())

idx = torch.zeros((1, 1), dtype=torch.long, device=device)
for _ in range(60):
    logits, _ = forward(idx[:, -block_size:])
    logits = logits[:, -1, :]
    probs = F.softmax(logits, dim=-1)
    idx_next = torch.multinomial(probs, num_samples=1)
    idx = torch.cat((idx, idx_next), dim=1)

results = {
    "pairs": pairs,
    "averages": c.tolist(),
    "three_ways": [torch.allclose(xbow, xbow2, atol=1e-6), torch.allclose(xbow, xbow3, atol=1e-6), xbow3.tolist()],
    "wei": wei[0].tolist(),
    "unmasked_var": unmasked_var,
    "out": out.tolist(),
    "sharp": sharp.tolist(),
    "normed": [normed[0, 0, :].mean().abs().item() < 1e-6, normed[0, 0, :].std().item()],
    "losses": losses,
    "text": "".join(itos[i] for i in idx[0].tolist()),
}
