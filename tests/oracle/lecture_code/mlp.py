"""Lecture 3: embeddings of the last three characters, a tanh layer, minibatches, a search for the learning rate."""

# ruff: noqa: N812, RUF005  (written as the lectures write it)

import random
from pathlib import Path

import torch
import torch.nn.functional as F

words = Path("names.txt").read_text().splitlines()
chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}
V = len(itos)
block_size = 3


def build_dataset(words):
    X, Y = [], []
    for w in words:
        context = [0] * block_size
        for ch in w + ".":
            ix = stoi[ch]
            X.append(context)
            Y.append(ix)
            context = context[1:] + [ix]
    X = torch.tensor(X)
    Y = torch.tensor(Y)
    return X, Y


random.seed(42)
random.shuffle(words)
n1 = int(0.8 * len(words))
n2 = int(0.9 * len(words))
Xtr, Ytr = build_dataset(words[:n1])
Xdev, Ydev = build_dataset(words[n1:n2])
Xte, Yte = build_dataset(words[n2:])

g = torch.Generator().manual_seed(2147483647)
C = torch.randn((V, 10), generator=g)
W1 = torch.randn((30, 60), generator=g)
b1 = torch.randn(60, generator=g)
W2 = torch.randn((60, V), generator=g)
b2 = torch.randn(V, generator=g)
parameters = [C, W1, b1, W2, b2]

# many ways to the same embedding, and to the same row of thirty numbers
emb = C[Xtr]
one_hot_row = F.one_hot(torch.tensor(5), num_classes=V).float() @ C
same = [
    (one_hot_row - C[5]).abs().max().item(),
    C[[5, 6, 7]].tolist(),
    C[torch.tensor([5, 6, 7, 7])].sum().item(),
    torch.cat([emb[:, 0, :], emb[:, 1, :], emb[:, 2, :]], 1).shape == torch.Size((emb.shape[0], 30)),
    torch.all(torch.cat(torch.unbind(emb, 1), 1) == emb.view(-1, 30)).item(),
    torch.all(emb.view(emb.shape[0], 30) == torch.cat([emb[:, 0, :], emb[:, 1, :], emb[:, 2, :]], 1)).item(),
    torch.arange(18).view(3, 3, 2).tolist(),
]

# by hand and by cross_entropy
h = torch.tanh(emb.view(-1, 30) @ W1 + b1)
logits = h @ W2 + b2
counts = logits.exp()
prob = counts / counts.sum(1, keepdims=True)
loss_by_hand = -prob[torch.arange(Xtr.shape[0]), Ytr].log().mean()
loss = F.cross_entropy(logits, Ytr)
big = F.cross_entropy(torch.tensor([[-100.0, -3, 0, 100]]), torch.tensor([3]))

for p in parameters:
    p.requires_grad = True

lre = torch.linspace(-3, 0, 1000)
lrs = 10**lre
lri, lossi = [], []
torch.manual_seed(1)
for i in range(60):
    # minibatch
    ix = torch.randint(0, Xtr.shape[0], (32,))

    # forward pass
    emb = C[Xtr[ix]]
    h = torch.tanh(emb.view(-1, 30) @ W1 + b1)
    logits = h @ W2 + b2
    loss = F.cross_entropy(logits, Ytr[ix])

    # backward pass
    for p in parameters:
        p.grad = None
    loss.backward()

    # update
    lr = lrs[i * 10].item() if i < 40 else 0.1
    for p in parameters:
        p.data += -lr * p.grad

    lri.append(lr)
    lossi.append(loss.log10().item())

with torch.no_grad():
    emb = C[Xdev]
    h = torch.tanh(emb.view(-1, 30) @ W1 + b1)
    dev_loss = F.cross_entropy(h @ W2 + b2, Ydev)

g = torch.Generator().manual_seed(2147483647 + 10)
names = []
for _ in range(8):
    out = []
    context = [0] * block_size
    while len(out) < 30:
        emb = C[torch.tensor([context])]
        h = torch.tanh(emb.view(1, -1) @ W1 + b1)
        logits = h @ W2 + b2
        probs = F.softmax(logits, dim=1)
        ix = torch.multinomial(probs, num_samples=1, generator=g).item()
        context = context[1:] + [ix]
        out.append(ix)
        if ix == 0:
            break
    names.append("".join(itos[i] for i in out))

results = {
    "parameters": sum(p.nelement() for p in parameters),
    "shapes": [tuple(Xtr.shape), tuple(Xte.shape), len(Yte), emb.shape[2]],
    "same": same,
    "by_hand": [loss_by_hand.item(), big.item()],
    "lrs": [lri, lre.tolist()],
    "lossi": lossi,
    "dev_loss": dev_loss.item(),
    "C": C.data.tolist(),
    "names": names,
}
