"""Words and sequences: vectors of words, scores of pairs, weights of positions."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, right, usual
from tests.faults.public.tasks import rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "keras-team/keras#13808", "greenelab/snorkeling#96", "zhaogaofeng611/TextMatch#10",
    what="frozen word vectors are one row off the vocabulary, which has a padding before its first word",
    part="inputs",
    names={"embedding-misaligned"}, says="The rows of the frozen embedding do not belong to the ids that read them.",
    words=r"embedding .*(row|shift|align|vocab)|vectors|vocabular", enough=0.75,
)  # fmt: skip
def word_vectors_one_row_off(faulty: bool) -> Run:
    words = 600
    mood = torch.randint(2, (words,)).float() * 2 - 1
    vectors = torch.randn(words, 16) + 2.5 * mood[:, None] * F.normalize(torch.randn(16), dim=0)
    ids = 1 + torch.cat([torch.randint(words // 2, (768, 9)), words // 2 + torch.randint(words // 2, (512, 9))])
    y = (mood[ids - 1].sum(1) > 0).long()  # the held-out texts have other words than those that are learnt from
    table = torch.cat([vectors, torch.zeros(1, 16)]) if faulty else torch.cat([torch.zeros(1, 16), vectors])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding.from_pretrained(table, freeze=True)
            self.read = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, ids: Tensor) -> Tensor:
            return self.read(self.embed(ids).mean(1))

    net = Net()
    return usual(net, ids[:768], y[:768], quality=lambda: right(net, ids[768:], y[768:]))


@fault(
    "RUCAIBox/RecBole#1505",
    what="the loss of sampled pairs is a mean of sigmoids, without their logarithms: all pairs are driven down",
    part="loss",
    names={"logarithm-missing", "loss-saturates"}, says="The loss is a mean of probabilities: take their logarithms.",
    words=r"logarithm|logsigmoid|\blog\b|saturat", enough=0.55, also={"saturated-units", "output-constant"},
)  # fmt: skip
def sampled_pairs_without_logarithm(faulty: bool) -> Run:
    likes = (torch.randn(60, 4) @ torch.randn(4, 80)).mul(2).softmax(1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.users, self.things = nn.Embedding(60, 16), nn.Embedding(80, 16)
            nn.init.normal_(self.users.weight, std=0.3)
            nn.init.normal_(self.things.weight, std=0.3)

        def forward(self, user: Tensor, thing: Tensor) -> Tensor:
            return (self.users(user)[:, None] * self.things(thing)).sum(2)

    net = Net()
    optimiser = adam(net, 2e-2)

    def step(i: int) -> Tensor:
        user = rows(60, 128)
        thing = torch.cat([likes[user].multinomial(1), torch.randint(80, (128, 5))], 1)
        score = net(user, thing) * torch.tensor([1.0, -1, -1, -1, -1, -1])
        return descend(-(score.sigmoid() if faulty else F.logsigmoid(score)).mean(), optimiser)

    def quality() -> Tensor:  # of the ten things that a user likes best, the share among the ten with the best scores
        with torch.no_grad():
            found = net(torch.arange(60), torch.arange(80).expand(60, 80)).topk(10, 1).indices
        best = torch.zeros(60, 80).scatter(1, likes.topk(10, 1).indices, 1.0)
        return best.gather(1, found).mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=quality)


@fault(
    "DEEP-PolyU/KEQA_WSDM19#2", "catalyst-team/catalyst#285", "PetrochukM/PyTorch-NLP#2",
    what="the softmax of an attention over positions is taken along an axis of one number: all weights are 1",
    part="network",
    names={"softmax-axis", "softmax-of-one"}, says="A softmax has one number to choose from, and always gives 1.",
    words=r"softmax|attention|weights? .*(always|constant|all) ", enough=0.8, also={"vanishing-gradients"},
)  # fmt: skip
def softmax_of_one_number(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.score, self.head = nn.Linear(9, 32), nn.Linear(32, 1), nn.Linear(32, 8)

        def forward(self, x: Tensor) -> Tensor:
            h = self.read(x).tanh()
            weights = self.score(h).softmax(2 if faulty else 1)
            return self.head((weights * h).sum(1))

    kinds = torch.randint(8, (2048, 24))
    marked = torch.randint(24, (2048,))
    x = torch.cat([F.one_hot(kinds, 8).float(), F.one_hot(marked, 24).float()[..., None]], 2)
    net = Net()
    return usual(net, x, kinds.gather(1, marked[:, None])[:, 0], optimiser=adam(net, 1e-2), steps=400)
