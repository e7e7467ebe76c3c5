"""Lecture 2, second half: the same bigram as one layer of neurons, learned by gradient descent."""

# ruff: noqa: B007, B905, N812, RUF005, RUF007  (written as the lectures write it)

from pathlib import Path

import torch
import torch.nn.functional as F

words = Path("names.txt").read_text().splitlines()
chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}
V = len(itos)

xs, ys = [], []
for w in words:
    chs = ["."] + list(w) + ["."]
    for ch1, ch2 in zip(chs, chs[1:]):
        xs.append(stoi[ch1])
        ys.append(stoi[ch2])
xs = torch.tensor(xs)
ys = torch.tensor(ys)
num = xs.nelement()

g = torch.Generator().manual_seed(2147483647)
W = torch.randn((V, V), generator=g, requires_grad=True)

# the first word, one bigram at a time
xenc = F.one_hot(xs[:5], num_classes=V).float()
logits = xenc @ W
counts = logits.exp()
probs = counts / counts.sum(1, keepdims=True)
nlls = torch.zeros(5)
for i in range(5):
    x = xs[i].item()
    y = ys[i].item()
    p = probs[i, y]
    logp = torch.log(p)
    nll = -logp
    nlls[i] = nll.item()

losses = []
for k in range(30):
    # forward pass
    xenc = F.one_hot(xs, num_classes=V).float()
    logits = xenc @ W
    counts = logits.exp()
    probs = counts / counts.sum(1, keepdims=True)
    loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
    losses.append(loss.item())

    # backward pass
    W.grad = None
    loss.backward()

    # update
    W.data += -50 * W.grad

g = torch.Generator().manual_seed(2147483647)
names = []
for i in range(5):
    out = []
    ix = 0
    while True:
        xenc = F.one_hot(torch.tensor([ix]), num_classes=V).float()
        logits = xenc @ W
        counts = logits.exp()
        p = counts / counts.sum(1, keepdims=True)
        ix = torch.multinomial(p, num_samples=1, replacement=True, generator=g).item()
        out.append(itos[ix])
        if ix == 0:
            break
    names.append("".join(out))

results = {
    "xenc": [tuple(F.one_hot(xs, num_classes=V).shape), F.one_hot(xs[:5]).tolist()],
    "dtypes": [xs.dtype == torch.int64, F.one_hot(xs).dtype == torch.int64, W.dtype == torch.float32],
    "nlls": nlls.tolist(),
    "mean_nll": nlls.mean().item(),
    "losses": losses,
    "W": W.tolist(),
    "dW": W.grad.tolist(),
    "names": names,
}
