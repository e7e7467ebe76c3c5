#!/usr/bin/env bash
# torch 2.13.0: processes that `torchrun --max-restarts` starts again find the keys that the ended ones stored.
#
# `init_process_group` takes its store from torchrun's agent, and a comment beside that code says that the store is new for every
# attempt, so that keys need no number of the attempt. It is one store for all attempts, with the default rendezvous
# and with --standalone. gloo's processes publish their addresses there. One that reads before the other has written gets the address of a
# process that has ended, so whether a restarted group connects is chance; a PrefixStore with TORCHELASTIC_RESTART_COUNT helps.
# Why it surprises: restarts are the purpose of `--max-restarts`, and they often work. The guess was what the comment says.
# Seen: the second attempt finds a key of the first, both ways.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import os
import sys

from torch import distributed as dist

attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
store, rank, world_size = next(dist.rendezvous("env://"))
if attempt == 0:
    store.set("kept", "by the first attempt")
    sys.exit(1)  # so that the group is started again
print("the second attempt finds", "the key of the first" if store.check(["kept"]) else "no key of the first", flush=True)
PYTHON
cat >"$folder/expected" <<'EXPECTED'
default: the second attempt finds the key of the first
--standalone: the second attempt finds the key of the first
EXPECTED

cd "$folder"
for way in default --standalone; do
  options=(--nproc-per-node 1 --max-restarts 1)
  [ "$way" = default ] || options+=("$way")
  venv/bin/torchrun "${options[@]}" look.py 2>>notes | sed "s/^/$way: /"
done | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "torchrun_restart_store: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "torchrun_restart_store: as expected"
