#!/usr/bin/env bash
# tinygrad 0.14.0 (its Python backend, beside torch 2.13.0): ELU and erf have slope 0 at exactly 0.
#
# Just left and just right of 0 the slope of ELU is 1, and torch says 1 at 0. tinygrad's ELU is a difference of two ReLUs, whose
# slopes at 0 are both 0, and so is theirs; its erf is a sign times a polynomial, and the sign is 0 there. Its CELU, the same
# function, is built in another way and right. ELU(NaN) is 0 where torch has NaN.
# Why it surprises: no kink, no convention to choose, and a gradient check at random points never meets it. Zero is where layers
# start whose weights or biases are set to zero: behind them nothing learns. The guess was 1, and 1.128 for erf.
# Seen: the table below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tinygrad==0.14.0 torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import os
import torch

os.environ["DEV"] = "PYTHON"  # needs no compiler
from tinygrad import Tensor

CASES = {
    "elu": (lambda x: x.elu(), torch.nn.functional.elu),
    "celu": (lambda x: x.celu(), torch.nn.functional.celu),
    "erf": (lambda x: x.erf(), torch.erf),
    "tanh": (lambda x: x.tanh(), torch.tanh),
}
POINTS = [-0.001, 0.0, 0.001]
for name, (ours, theirs) in CASES.items():
    x, y = Tensor(POINTS), torch.tensor(POINTS, requires_grad=True)
    ours(x).sum().backward()
    theirs(y).sum().backward()
    print(name, "tinygrad", [round(s, 2) for s in x.grad.tolist()], "torch", [round(s, 2) for s in y.grad.tolist()])

weight, target = Tensor([[0.0, 0.0]]), Tensor([[1.0], [1.0]])
inputs = Tensor([[1.0, 2.0], [3.0, 1.0]])
for step in range(100):
    weight.grad = None
    ((inputs.matmul(weight.transpose()).elu() - target) ** 2).mean().backward()
    weight = (weight - 0.1 * weight.grad).detach()
print("a weight that starts at zero, after 100 steps:", weight.tolist())
print("elu(nan): tinygrad", Tensor([float("nan")]).elu().item(), "torch", torch.nn.functional.elu(torch.tensor(float("nan"))).item())
PYTHON
cat >"$folder/expected" <<'EXPECTED'
elu tinygrad [1.0, 0.0, 1.0] torch [1.0, 1.0, 1.0]
celu tinygrad [1.0, 1.0, 1.0] torch [1.0, 1.0, 1.0]
erf tinygrad [1.13, 0.0, 1.13] torch [1.13, 1.13, 1.13]
tanh tinygrad [1.0, 1.0, 1.0] torch [1.0, 1.0, 1.0]
a weight that starts at zero, after 100 steps: [[0.0, 0.0]]
elu(nan): tinygrad 0.0 torch nan
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "tinygrad_elu_slope: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "tinygrad_elu_slope: as expected"
