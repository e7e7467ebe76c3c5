#!/usr/bin/env bash
# torch 2.13.0 (DTensor, gloo, CPU): the mean squared error of a sharded tensor is right, and its gradient is twice too large.
#
# Four numbers over two ranks, `mse_loss` against zeros: the loss is 3.5 as without sharding, and every gradient is multiplied by
# the number of ranks. huber_loss and binary_cross_entropy do the same; l1_loss, binary_cross_entropy_with_logits and the mean
# written out are right. With three numbers, so that the ranks hold two and one, the loss of `mse_loss` is wrong too: 2.25, the
# mean of the ranks' means, in place of 1.6667; the mean written out is right again.
# Why it surprises: the placement of the result says "average over the ranks", the value obeys it, and the backward pass of the
# same call does not; nobody looks at a gradient whose loss is right. The guess was the unsharded gradient.
# Seen: gradients 0 1 2 3 in place of 0 0.5 1 1.5.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import os, torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from torch.nn.functional import l1_loss, mse_loss

def written_out(x, y):
    return ((x - y) ** 2).mean()

def look(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    for size in 4, 3:
        for function in mse_loss, l1_loss, written_out:
            plain = torch.arange(float(size), requires_grad=True)
            function(plain, torch.zeros(size)).backward()
            x = distribute_tensor(torch.arange(float(size)), mesh, [Shard(0)]).requires_grad_()
            loss = function(x, distribute_tensor(torch.zeros(size), mesh, [Shard(0)]))
            loss.backward()
            shown = [[round(number, 2) for number in t.tolist()] for t in (x.grad.full_tensor(), plain.grad)]
            value = round(loss.full_tensor().item(), 4)
            if not rank:
                print(size, function.__name__, value, "gradient", shown[0], "unsharded", shown[1], flush=True)
    dist.barrier()
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(look, (os.getcwd(),), nprocs=2)
PYTHON
cat >"$folder/expected" <<'EXPECTED'
4 mse_loss 3.5 gradient [0.0, 1.0, 2.0, 3.0] unsharded [0.0, 0.5, 1.0, 1.5]
4 l1_loss 1.5 gradient [0.0, 0.25, 0.25, 0.25] unsharded [0.0, 0.25, 0.25, 0.25]
4 written_out 3.5 gradient [0.0, 0.5, 1.0, 1.5] unsharded [0.0, 0.5, 1.0, 1.5]
3 mse_loss 2.25 gradient [0.0, 1.0, 4.0] unsharded [0.0, 0.67, 1.33]
3 l1_loss 1.0 gradient [0.0, 0.33, 0.33] unsharded [0.0, 0.33, 0.33]
3 written_out 1.6667 gradient [0.0, 0.67, 1.33] unsharded [0.0, 0.67, 1.33]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "dtensor_loss_gradient: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "dtensor_loss_gradient: as expected"
