#!/usr/bin/env bash
# torch 2.13.0 (gloo, CPU): whether a NaN survives all_reduce with MAX or MIN depends on which rank has it.
#
# Two ranks take the maximum of their losses. If rank 0 has a NaN, both get NaN; if rank 1 has it, both get rank 0's number, and
# no rank knows that the other diverged. The same with MIN. SUM gives NaN both times.
# Why it surprises: torch.maximum and torch.max hand NaN on whichever side it is on, and a reduction over ranks reads as the same
# operation; "one rank saw NaN, so all of them stop" is commonly written as a MAX. The guess was NaN on both ranks both times.
# Seen: the four lines below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import os
import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def reduce(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for operation in dist.ReduceOp.MAX, dist.ReduceOp.MIN, dist.ReduceOp.SUM:
        for owner in 0, 1:
            loss = torch.tensor([float("nan") if rank == owner else 1.0])
            dist.all_reduce(loss, op=operation)
            with open(f"{folder}/rank{rank}", "a") as file:
                print(f"{str(operation).split('.')[-1]}, NaN on rank {owner}: {loss.item()}", file=file)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(reduce, (os.getcwd(),), nprocs=2)
    lines = open("rank0").read()
    print(lines + ("both ranks have the same" if lines == open("rank1").read() else "the ranks differ"))
    print("torch.maximum:", torch.maximum(torch.tensor([1.0, float("nan")]), torch.tensor([float("nan"), 1.0])).tolist())
PYTHON
cat >"$folder/expected" <<'EXPECTED'
MAX, NaN on rank 0: nan
MAX, NaN on rank 1: 1.0
MIN, NaN on rank 0: nan
MIN, NaN on rank 1: 1.0
SUM, NaN on rank 0: nan
SUM, NaN on rank 1: nan
both ranks have the same
torch.maximum: [nan, nan]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "gloo_nan_rank: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "gloo_nan_rank: as expected"
