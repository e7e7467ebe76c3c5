#!/usr/bin/env bash
# torch 2.13.0: the gradient that ctc_loss gives to its log-probabilities is not the derivative of its value by them.
#
# It is larger by the probabilities themselves, exp(log_probs), divided as the loss is. That is the derivative by logits below a
# log-softmax, given away one operation too early. Behind log_softmax the two give the same: its backward pass takes off what was added.
# Why it surprises: the guess was that each loss is differentiated by what it is given, as nll_loss and kl_div are, which take
# log-probabilities too. So central differences reject ctc_loss alone, and without a log_softmax before it the gradient is that
# of no loss.
# Seen: as below. Differences are the largest over all elements; "plus the probabilities" adds exp(log_probs) to the central differences.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch
from torch.nn import functional as F

torch.manual_seed(0)
logits = torch.randn(6, 4, dtype=torch.float64)
classes, lengths = torch.tensor([[1, 2]]), (torch.tensor([6]), torch.tensor([2]))
losses = {
    "ctc_loss": lambda x: F.ctc_loss(x[:, None], classes, *lengths, reduction="sum"),
    "nll_loss": lambda x: F.nll_loss(x, torch.tensor([0, 1, 2, 3, 0, 1]), reduction="sum"),
    "kl_div": lambda x: F.kl_div(x, torch.full_like(x, 0.25), reduction="sum"),
}


def by_backward(loss, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]


def by_differences(loss, x, h=1e-6):
    found = torch.empty_like(x)
    for place in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[place] = h
        found.view(-1)[place] = (loss(x + step.view_as(x)) - loss(x - step.view_as(x))) / (2 * h)
    return found


x = logits.log_softmax(1)
for name, loss in losses.items():
    apart = (by_backward(loss, x) - by_differences(loss, x)).abs().max()
    print(f"{name} by its log-probabilities: {apart:.3f} from central differences")
ctc = losses["ctc_loss"]
apart = (by_backward(ctc, x) - by_differences(ctc, x) - x.exp()).abs().max()
print(f"ctc_loss, with the probabilities added to those: {apart:.3f}")
below = lambda z: ctc(z.log_softmax(1))
print(f"ctc_loss by logits below log_softmax: {(by_backward(below, logits) - by_differences(below, logits)).abs().max():.3f}")
PYTHON
cat >"$folder/expected" <<'EXPECTED'
ctc_loss by its log-probabilities: 0.706 from central differences
nll_loss by its log-probabilities: 0.000 from central differences
kl_div by its log-probabilities: 0.000 from central differences
ctc_loss, with the probabilities added to those: 0.000
ctc_loss by logits below log_softmax: 0.000
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "ctc_gradient: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "ctc_gradient: as expected"
