#!/usr/bin/env bash
# torch 2.13.0: of one function at one point, forward mode (jvp) and reverse mode (backward) give two derivatives.
#
# Both modes have a formula of their own for each operation, and at some points these were chosen differently. prelu at 0 has the
# slope of the left side in backward and that of the right side in jvp; fmax of two equal numbers gives its first argument the whole gradient
# in backward and nothing in jvp, while fmin agrees with itself; logcumsumexp that starts with -inf is NaN in backward and
# finite in jvp.
# Why it surprises: the guess was that one slope was chosen for each operation, as for the others with a kink that were tried
# (relu, leaky_relu, elu, hardtanh, clamp, abs, maximum, amax, max, median, huber_loss, smooth_l1_loss, norm at 0, prod
# with zeros: both modes agree). `jacfwd` and `jacrev` are documented to differ in speed only, and 0 is where a bias starts.
# Seen: as below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch
from torch.func import jacfwd, jacrev
from torch.nn import functional as F


def point(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


two = point(2.0)
cases = {
    "prelu at 0": (lambda x: F.prelu(x, point(0.25)), point(0.0)),
    "leaky_relu at 0": (lambda x: F.leaky_relu(x, 0.25), point(0.0)),
    "fmax(x, 2) at 2": (lambda x: torch.fmax(x, two), two),
    "fmin(x, 2) at 2": (lambda x: torch.fmin(x, two), two),
    "maximum(x, 2) at 2": (lambda x: torch.maximum(x, two), two),
    "logcumsumexp at (-inf, 0)": (lambda x: torch.logcumsumexp(x, 0)[1], point(-torch.inf, 0.0)),
}
for name, (function, x) in cases.items():
    reverse, forward = (jacobian(function)(x).flatten().tolist() for jacobian in (jacrev, jacfwd))
    print(f"{name}: reverse {[round(g, 6) for g in reverse]}, forward {[round(g, 6) for g in forward]}")
PYTHON
cat >"$folder/expected" <<'EXPECTED'
prelu at 0: reverse [0.25], forward [1.0]
leaky_relu at 0: reverse [0.25], forward [0.25]
fmax(x, 2) at 2: reverse [1.0], forward [0.0]
fmin(x, 2) at 2: reverse [1.0], forward [1.0]
maximum(x, 2) at 2: reverse [0.5], forward [0.5]
logcumsumexp at (-inf, 0): reverse [nan, 1.0], forward [0.0, 1.0]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "forward_mode_kinks: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "forward_mode_kinks: as expected"
