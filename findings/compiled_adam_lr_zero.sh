#!/usr/bin/env bash
# torch 2.13.0 (CPU): a compiled step of Adam or AdamW at learning rate 0 makes NaN of weights whose gradient is 0.
#
# Compiled, Adam takes the code that is made for CUDA graphs, which divides the second moment by the learning rate: 0 / 0 where
# the gradient has been 0 so far, as in the row of a token that did not occur yet, or in a dead unit. Weights with a gradient
# stay, and so do all of NAdam, RAdam, Adamax, Adadelta, RMSprop and SGD, and Adam's own eager step.
# Why it surprises: a schedule that warms up from 0 takes exactly one such step, the first, and its loss is still finite.
# Seen: the rows below. weights (1, 1), gradients (0, 0.5), one step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import logging
import warnings

import torch

warnings.simplefilter("ignore")
torch._logging.set_logs(all=logging.ERROR)


def after_one_step(kind, *, compiled, lr, **settings):
    """Return the weights after one step; the gradient of the first is 0, as of an unused embedding or a dead unit."""
    torch._dynamo.reset()
    weights = [torch.nn.Parameter(torch.tensor([1.0, 1.0])) for _ in range(2)]
    optimiser = kind(weights, lr=lr, **settings)
    step = torch.compile(optimiser.step, backend="eager") if compiled else optimiser.step
    for one in weights:
        one.grad = torch.tensor([0.0, 0.5])
    step()
    return [round(one, 4) for one in weights[0].tolist()]


OPTIM = torch.optim
KINDS = {
    "Adam": (OPTIM.Adam, {}), "AdamW": (OPTIM.AdamW, {}), "Adam, foreach=False": (OPTIM.Adam, {"foreach": False}), "Adam, amsgrad": (OPTIM.Adam, {"amsgrad": True}),
    "NAdam": (OPTIM.NAdam, {}), "RAdam": (OPTIM.RAdam, {}), "Adamax": (OPTIM.Adamax, {}), "Adadelta": (OPTIM.Adadelta, {}), "RMSprop": (OPTIM.RMSprop, {}), "SGD": (OPTIM.SGD, {}),
}
for name, (kind, settings) in KINDS.items():
    for lr in 0.0, 1e-3:
        print(f"{name:20} lr {lr:<6}", *(f"{way} {after_one_step(kind, compiled=way == 'compiled', lr=lr, **settings)}" for way in ("eager", "compiled")))
PYTHON
cat >"$folder/expected" <<'EXPECTED'
Adam                 lr 0.0    eager [1.0, 1.0] compiled [nan, 1.0]
Adam                 lr 0.001  eager [1.0, 0.999] compiled [1.0, 0.999]
AdamW                lr 0.0    eager [1.0, 1.0] compiled [nan, 1.0]
AdamW                lr 0.001  eager [1.0, 0.999] compiled [1.0, 0.999]
Adam, foreach=False  lr 0.0    eager [1.0, 1.0] compiled [nan, 1.0]
Adam, foreach=False  lr 0.001  eager [1.0, 0.999] compiled [1.0, 0.999]
Adam, amsgrad        lr 0.0    eager [1.0, 1.0] compiled [nan, 1.0]
Adam, amsgrad        lr 0.001  eager [1.0, 0.999] compiled [1.0, 0.999]
NAdam                lr 0.0    eager [1.0, 1.0] compiled [1.0, 1.0]
NAdam                lr 0.001  eager [1.0, 0.9989] compiled [1.0, 0.9989]
RAdam                lr 0.0    eager [1.0, 1.0] compiled [1.0, 1.0]
RAdam                lr 0.001  eager [1.0, 0.9995] compiled [1.0, 0.9995]
Adamax               lr 0.0    eager [1.0, 1.0] compiled [1.0, 1.0]
Adamax               lr 0.001  eager [1.0, 0.999] compiled [1.0, 0.999]
Adadelta             lr 0.0    eager [1.0, 1.0] compiled [1.0, 1.0]
Adadelta             lr 0.001  eager [1.0, 1.0] compiled [1.0, 1.0]
RMSprop              lr 0.0    eager [1.0, 1.0] compiled [1.0, 1.0]
RMSprop              lr 0.001  eager [1.0, 0.99] compiled [1.0, 0.99]
SGD                  lr 0.0    eager [1.0, 1.0] compiled [1.0, 1.0]
SGD                  lr 0.001  eager [1.0, 0.9995] compiled [1.0, 0.9995]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "compiled_adam_lr_zero: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "compiled_adam_lr_zero: as expected"
