#!/usr/bin/env bash
# tensorboard 2.21.0 and tbparse 0.0.9 (with torch 2.13.0): after a restart the two readers tell different stories.
#
# A run writes steps 0 to 9, is restarted from step 5 with `purge_step=5` and writes 5 to 7. TensorBoard's accumulator forgets
# the first run's steps from 5 on, and ends at 7. tbparse is built on it, but reads each event file by itself: nothing is ever
# purged, steps 5 to 7 are there twice, and the curve goes on to a step 9 that the resumed run never reached. Without
# `purge_step` the accumulator keeps everything, and its steps go back from 9 to 5 in the middle of the list.
# Why it surprises: purge_step is written into the files, so the guess was that every reader of them sees the same run.
# Seen: 8 points from TensorBoard and 13 from tbparse (the values of the second run are negative).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tensorboard==2.21.0 tbparse==0.0.9 torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import time
from tbparse import SummaryReader
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter


def write(folder, steps, sign, **options):
    with SummaryWriter(folder, filename_suffix=f".{steps}", **options) as writer:
        for step in steps:
            writer.add_scalar("loss", sign * step, step)
    time.sleep(1.1)  # the files are named after the second


for folder, options in ("purged", {"purge_step": 5}), ("plain", {}):
    write(folder, range(10), 1)
    write(folder, range(5, 8), -1, **options)
    accumulator = EventAccumulator(folder)
    accumulator.Reload()
    print(folder, "tensorboard", [int(event.value) for event in accumulator.Scalars("loss")])
    table = SummaryReader(folder).scalars
    print(folder, "tbparse    ", [int(value) for value in table.value])
PYTHON
cat >"$folder/expected" <<'EXPECTED'
purged tensorboard [0, 1, 2, 3, 4, -5, -6, -7]
purged tbparse     [0, 1, 2, 3, 4, 5, -5, 6, -6, 7, -7, 8, 9]
plain tensorboard [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -5, -6, -7]
plain tbparse     [0, 1, 2, 3, 4, 5, -5, 6, -6, 7, -7, 8, 9]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "tensorboard_purge: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "tensorboard_purge: as expected"
