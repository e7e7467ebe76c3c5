#!/usr/bin/env bash
# torchmetrics 1.9.0 (with torch 2.13.0): for targets around 10,000, R2 is 1.0012, 0.0 or 0.9997, by the size of the batches.
#
# The predictions are good: R2, worked out in float64, is 0.99. R2Score and ExplainedVariance keep a float32 sum of squares, and
# subtract the square of the sum from it at the end; where the mean is much larger than the spread (years, prices, temperatures
# in kelvin, pressures) nothing true is left. PearsonCorrCoef of the same package merges means and variances of batches and is
# right each time. `metric.double()` is no help: it changes no state, by design; `set_dtype` is.
# Why it surprises: the metric of a whole epoch should not know the size of its batches, and an R2 over 1 cannot be.
# Seen: the rows below, as "right" (within 0.001 of float64) or "wrong"; the exact wrong numbers vary with the machine.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch
from torchmetrics import ExplainedVariance, PearsonCorrCoef, R2Score

torch.manual_seed(0)
noise, spread = torch.randn(4000), torch.randn(4000)
for mean in 0, 10_000:
    target = spread + mean
    predicted = target + 0.1 * noise
    t, p = target.double(), predicted.double()
    r2 = 1 - ((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum()
    true = {R2Score: r2, PearsonCorrCoef: torch.corrcoef(torch.stack([t, p]))[0, 1]}
    true[ExplainedVariance] = 1 - (t - p).var() / t.var()
    for kind in R2Score, ExplainedVariance, PearsonCorrCoef:
        verdicts = []
        for size in 4000, 400, 32:
            metric = kind()
            for start in range(0, 4000, size):
                metric.update(predicted[start : start + size], target[start : start + size])
            verdicts.append("right" if abs(metric.compute().item() - true[kind].item()) < 0.001 else "wrong")
        print(f"mean {mean}, batches of 4000, 400, 32: {kind.__name__}", *verdicts)
PYTHON
cat >"$folder/expected" <<'EXPECTED'
mean 0, batches of 4000, 400, 32: R2Score right right right
mean 0, batches of 4000, 400, 32: ExplainedVariance right right right
mean 0, batches of 4000, 400, 32: PearsonCorrCoef right right right
mean 10000, batches of 4000, 400, 32: R2Score wrong wrong wrong
mean 10000, batches of 4000, 400, 32: ExplainedVariance wrong wrong wrong
mean 10000, batches of 4000, 400, 32: PearsonCorrCoef right right right
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "torchmetrics_r2: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "torchmetrics_r2: as expected"
