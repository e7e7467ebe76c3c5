#!/usr/bin/env bash
# torch 2.13.0 (gloo, CPU): all_reduce and broadcast go by memory, so ranks with equal matrices get a sum that is not their sum.
#
# Both ranks hold the same 2 x 3 matrix, rank 0 as a transposed view and rank 1 written out. `all_reduce` adds the first number in
# the memory of one to the first in the memory of the other, and so on. Neither rank gets twice the matrix, and they do not even
# get the same. `broadcast` from rank 0 leaves rank 1, which had the right matrix before, with a scrambled one. Nothing fails.
# Why it surprises: a reduced tensor is the same on all ranks, or so everyone reads the word; a weight that is transposed on one
# rank (loaded from another file, say) is enough. The guess was the sum, or an error about strides.
# Seen: [[0, 6, 7], [3, 4, 10]] and [[0, 3, 6], [4, 7, 10]], where twice the matrix is [[0, 4, 8], [2, 6, 10]].
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


def meet(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    with open(f"{folder}/rank{rank}", "w") as file:
        for name, operation in ("all_reduce", dist.all_reduce), ("broadcast", lambda tensor: dist.broadcast(tensor, 0)):
            matrix = torch.arange(6).reshape(3, 2).T
            matrix = matrix if rank == 0 else matrix.contiguous()
            print(f"rank {rank} before", matrix.tolist(), file=file)
            operation(matrix)
            print(f"rank {rank} after {name}", matrix.tolist(), file=file)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(meet, (os.getcwd(),), nprocs=2)
    print(open("rank0").read() + open("rank1").read(), end="")
PYTHON
cat >"$folder/expected" <<'EXPECTED'
rank 0 before [[0, 2, 4], [1, 3, 5]]
rank 0 after all_reduce [[0, 6, 7], [3, 4, 10]]
rank 0 before [[0, 2, 4], [1, 3, 5]]
rank 0 after broadcast [[0, 2, 4], [1, 3, 5]]
rank 1 before [[0, 2, 4], [1, 3, 5]]
rank 1 after all_reduce [[0, 3, 6], [4, 7, 10]]
rank 1 before [[0, 2, 4], [1, 3, 5]]
rank 1 after broadcast [[0, 1, 2], [3, 4, 5]]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "gloo_memory_layout: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "gloo_memory_layout: as expected"
