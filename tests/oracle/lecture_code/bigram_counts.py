"""Lecture 2, first half: count pairs of characters, turn rows into probabilities, draw names, measure the fit."""

# ruff: noqa: B007, B905, RUF005, RUF007  (written as the lectures write it)

from pathlib import Path

import torch

words = Path("names.txt").read_text().splitlines()

chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}
V = len(itos)

N = torch.zeros((V, V), dtype=torch.int32)
for w in words:
    chs = ["."] + list(w) + ["."]
    for ch1, ch2 in zip(chs, chs[1:]):
        ix1 = stoi[ch1]
        ix2 = stoi[ch2]
        N[ix1, ix2] += 1

# the first letter, from the first row alone
g = torch.Generator().manual_seed(2147483647)
p = N[0].float()
p = p / p.sum()
first_letters = [itos[ix] for ix in torch.multinomial(p, num_samples=20, replacement=True, generator=g).tolist()]

# a small distribution of three
g = torch.Generator().manual_seed(2147483647)
three = torch.rand(3, generator=g)
three = three / three.sum()
draws = torch.multinomial(three, num_samples=100, replacement=True, generator=g)

P = (N + 1).float()
P /= P.sum(1, keepdims=True)

g = torch.Generator().manual_seed(2147483647)
names = []
for i in range(10):
    out = []
    ix = 0
    while True:
        p = P[ix]
        ix = torch.multinomial(p, num_samples=1, replacement=True, generator=g).item()
        out.append(itos[ix])
        if ix == 0:
            break
    names.append("".join(out))

log_likelihood = 0.0
n = 0
shown = []
for w in words:
    chs = ["."] + list(w) + ["."]
    for ch1, ch2 in zip(chs, chs[1:]):
        prob = P[stoi[ch1], stoi[ch2]]
        logprob = torch.log(prob)
        log_likelihood += logprob
        n += 1
        if n <= 5:
            shown.append(f"{ch1}{ch2}: {prob:.4f} {logprob:.4f}")
nll = -log_likelihood

results = {
    "counts": N.tolist(),
    "row": [tuple(N[0, :].shape), N[0].sum().item(), N[:, 0].sum().item(), N[3, 13].item()],
    "first_letters": first_letters,
    "draws": draws.tolist(),
    "names": names,
    "shown": shown,
    "nll": nll.item(),
    "mean_nll": f"{nll / n:.4f}",
    "rows_sum_to": P.sum(1, keepdim=True).view(-1).tolist(),
}
