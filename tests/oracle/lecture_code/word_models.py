"""Models of words over one loader, as makemore has them: a transformer block, an MLP, and a recurrent net."""

# ruff: noqa: N812  (written as the lectures write it)

import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from torch.utils.data.dataloader import DataLoader

torch.manual_seed(3407)
torch.cuda.manual_seed_all(3407)
words = Path("names.txt").read_text().splitlines()
chars = sorted(set("".join(words)))
longest = max(map(len, words))
vocab_size, block_size, n_embd = len(chars) + 1, longest + 1, 16


class Words(Dataset):
    def __init__(self, chosen):
        self.words = chosen
        self.stoi = {ch: i + 1 for i, ch in enumerate(chars)}

    def __len__(self):
        return len(self.words)

    def __getitem__(self, idx):
        ix = torch.tensor([self.stoi[ch] for ch in self.words[idx]], dtype=torch.long)
        x = torch.zeros(block_size, dtype=torch.long)
        y = torch.zeros(block_size, dtype=torch.long)
        x[1 : 1 + len(ix)] = ix
        y[: len(ix)] = ix
        y[len(ix) + 1 :] = -1
        return x, y


order = torch.randperm(len(words)).tolist()
train, test = Words([words[i] for i in order[:-20]]), Words([words[i] for i in order[-20:]])


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("bias", torch.tril(torch.ones(block_size, block_size)).view(1, 1, block_size, block_size))
        self.parts = nn.ModuleDict({
            "wte": nn.Embedding(vocab_size, n_embd), "wpe": nn.Embedding(block_size, n_embd),
            "ln": nn.LayerNorm(n_embd), "attn": nn.Linear(n_embd, 3 * n_embd), "proj": nn.Linear(n_embd, n_embd),
            "fc": nn.Linear(n_embd, 4 * n_embd), "act": nn.GELU(approximate="tanh"),
            "out": nn.Linear(4 * n_embd, n_embd),
        })  # fmt: skip
        self.mlpf = lambda x: self.parts.out(self.parts.act(self.parts.fc(x)))
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)

    def forward(self, idx):
        B, T = idx.size()
        x = self.parts.wte(idx) + self.parts.wpe(torch.arange(0, T, dtype=torch.long).unsqueeze(0))
        q, k, v = self.parts.attn(self.parts.ln(x)).split(n_embd, dim=2)
        q, k, v = (one.view(B, T, 2, n_embd // 2).transpose(1, 2) for one in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (n_embd // 2) ** -0.5
        att = F.softmax(att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf")), dim=-1)
        x = x + self.parts.proj((att @ v).transpose(1, 2).reshape(B, T, n_embd))
        return self.lm_head(x + self.mlpf(x))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, n_embd))
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.cell = nn.GRUCell(n_embd, n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx):
        B, T = idx.size()
        emb, h, hiddens = self.wte(idx), self.start.expand((B, -1)), []
        for t in range(T):
            h = self.cell(emb[:, t, :], h)
            hiddens.append(h)
        return self.lm_head(torch.stack(hiddens, 1))


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd, padding_idx=0)
        self.lstm = nn.LSTM(n_embd, n_embd, num_layers=2, batch_first=True, dropout=0.1)
        self.norm = nn.BatchNorm1d(n_embd)
        self.head = nn.Sequential(nn.Tanh(), nn.Linear(n_embd, vocab_size))

    def forward(self, idx):
        y, _ = self.lstm(self.wte(idx))
        return self.head(self.norm(y.transpose(1, 2)).transpose(1, 2))


def loss_of(model, X, Y):
    logits = model(X)
    return F.cross_entropy(logits.view(-1, logits.size(-1)), Y.view(-1), ignore_index=-1)


@torch.inference_mode()
def evaluate(model, dataset):
    model.eval()
    losses = [loss_of(model, X, Y).item() for X, Y in DataLoader(dataset, shuffle=True, batch_size=7)]
    model.train()
    return torch.tensor(losses).mean().item()


results = {}
for kind in (Transformer, Recurrent, Layers):
    model = kind()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01, betas=(0.9, 0.99), eps=1e-8)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    sampler = torch.utils.data.RandomSampler(train, replacement=True, num_samples=int(1e10))
    batches = iter(DataLoader(train, sampler=sampler, batch_size=16, pin_memory=False, num_workers=0))
    losses = []
    for _ in range(20):
        X, Y = next(batches)
        loss = loss_of(model, X, Y)
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    with tempfile.TemporaryDirectory() as folder:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, Path(folder) / "model.pt")
        saved = torch.load(Path(folder) / "model.pt")
    again = kind()
    matched = repr(again.load_state_dict(saved["model"]))
    results[kind.__name__] = {
        "losses": losses,
        "rates": schedule.get_last_lr(),
        "train": evaluate(model, train),
        "test": evaluate(again, test),
        "matched": matched,
        "steps": len(saved["optimizer"]["state"]),
        "text": repr(model),
        "names": list(saved["model"]),
        "draw": torch.rand(1).item(),
    }
