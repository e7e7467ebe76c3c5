#!/usr/bin/env bash
# What only a GPU can show, in under ten minutes on one of the H100 class. Nothing of it has been run on a GPU yet.
#
#     bash scripts/gpu_checks.sh                 on a machine with a CUDA GPU, after `pip install '.[torch]'`
#     DEVICE=cpu SMALL=1 bash scripts/gpu_checks.sh   checks this script itself, with tiny networks
#
# Part 3 reads tinyshakespeare, which is downloaded, or taken from the folder in BACKLIGHT_DATA.
#
# 1. Losses of 200 steps on the GPU, in bfloat16, beside those of the compiled kernels in float32.
# 2. A run that is stopped on the GPU, resumed by the kernels, and resumed on the GPU again.
# 3. Lecture 7's GPT until its held-out loss is 1.48: seconds from the start of the command.
# 4. With several GPUs: the same losses in one process and in one for each GPU, by NCCL; and with the model divided.
set -euo pipefail
device=${DEVICE:-cuda}
small=${SMALL:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

count=$(python - "$device" <<'PYTHON'
import sys
import torch
if sys.argv[1] == "cuda":
    if not torch.cuda.is_available():
        sys.exit("gpu_checks.sh needs a CUDA GPU; PyTorch sees none here.")
    print(torch.cuda.get_device_name(0), torch.__version__, file=sys.stderr)
print(torch.cuda.device_count() if sys.argv[1] == "cuda" else 2)
PYTHON
)

gpt=(names --model gpt --n-embd 64 --n-layer 4 --n-head 4 --context 16 --batch-size 32 --dropout 0 --lr 1e-3 --samples 0)
[ -z "$small" ] || gpt=(names --model gpt --n-embd 16 --n-layer 1 --n-head 2 --context 8 --batch-size 8 --dropout 0 --lr 1e-3 --samples 0)
steps=200
[ -z "$small" ] || steps=40
torch=(--engine torch --device "$device")

# dev_of RUN: the held-out loss of a finished run
dev_of() { python -c 'import json, sys; print(json.load(open(f"runs/{sys.argv[1]}/result.json"))["dev_nats"])' "$1"; }

# within WHAT A B BOUND: print the difference of two losses, and fail above the bound
within() {
  python - "$@" <<'PYTHON'
import sys
what, a, b, bound = sys.argv[1], *map(float, sys.argv[2:])
print(f"{what}: {a:.4f} and {b:.4f}, {abs(a - b):.5f} apart; at most {bound}")
sys.exit(abs(a - b) > bound)
PYTHON
}

echo "== 1. the same training by the kernels and by PyTorch on $device"
backlight train "${gpt[@]}" --steps "$steps" --name kernels >/dev/null
backlight train "${gpt[@]}" --steps "$steps" --name device "${torch[@]}" >/dev/null
within "held-out loss" "$(dev_of kernels)" "$(dev_of device)" 0.01

echo "== 2. from the GPU to the kernels and back"
backlight train "${gpt[@]}" --steps "$((steps * 2))" --name whole "${torch[@]}" >/dev/null
backlight train "${gpt[@]}" --steps "$((steps * 2))" --name moved "${torch[@]}" >/dev/null &
training=$!
until [ -e runs/moved/optimiser.safetensors ] || ! kill -0 "$training" 2>/dev/null; do sleep 0.2; done
kill -INT "$training" 2>/dev/null || true
wait "$training" || true
[ -e runs/moved/result.json ] || timeout -s INT 5 backlight train --resume moved >/dev/null || true
[ -e runs/moved/result.json ] || backlight train --resume moved "${torch[@]}" >/dev/null
within "held-out loss" "$(dev_of whole)" "$(dev_of moved)" 0.02

echo "== 3. lecture 7's GPT to a held-out loss of 1.48"
preset=(--preset shakespeare-gpt --eval-interval 250 --samples 0 --name lecture "${torch[@]}")
[ -z "$small" ] || preset+=(--n-embd 16 --n-layer 1 --n-head 2 --context 16 --batch-size 4 --steps 20 --eval-interval 10)
SECONDS=0
backlight train "${preset[@]}" >/dev/null
echo "whole training: $SECONDS s"
python - <<'PYTHON'
import json
lines = [json.loads(line) for line in open("runs/lecture/metrics.jsonl")]
reached = next((one for one in lines if one.get("dev_nats", 9) <= 1.48), None)
print("1.48 was not reached" if reached is None else f"1.48 at step {reached['step']}, {reached.get('seconds', 0):.0f} s after the first step")
PYTHON

echo "== 4. one process and $count"
if [ "$count" -gt 1 ]; then
  backlight train "${gpt[@]}" --steps "$steps" --name group "${torch[@]}" --devices "$count" >/dev/null
  within "held-out loss" "$(dev_of device)" "$(dev_of group)" 0.01
  backlight train "${gpt[@]}" --steps "$steps" --name divided "${torch[@]}" --devices "$count" --shard >/dev/null
  within "held-out loss, divided" "$(dev_of device)" "$(dev_of divided)" 0.01
else
  echo "not run: there is one GPU"
fi
