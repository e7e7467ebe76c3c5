#!/usr/bin/env bash
# datasets 5.2.0 (with torch 2.13.0 and numpy 2.4.6): one missing integer makes the other integers of its batch inexact.
#
# A column of integers has one None. Read with the format "torch" or "numpy", a batch without it is int64; a batch with it is
# float32, not float64, with NaN for the None, and float32 has no odd integers above 16,777,216. So the id 16777217 comes back as
# 16777216 if its neighbour in the batch is missing, and as itself if it is read alone. With the
# format "pandas" the batch is float64, which is exact.
# Why it surprises: the type and the value of a number depend on what it is batched with; the guess was an error or float64.
# Seen: 16777217 alone and 16777216 beside a None.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check datasets==5.2.0 torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import datasets

table = datasets.Dataset.from_dict({"id": [16777217, 7, None, 16777217]})
for name in "torch", "numpy":
    view = table.with_format(name)
    for rows in slice(0, 2), slice(2, 4):
        column = view[rows]["id"]
        print(name, "rows", rows.start, "and", rows.start + 1, str(column.dtype).removeprefix("torch."), [float(n) for n in column])
    print(name, "row 3 alone:", int(view[3]["id"]))
column = table.with_format("pandas")[2:4]["id"]
print("pandas rows 2 and 3", column.dtype, column.tolist())
PYTHON
cat >"$folder/expected" <<'EXPECTED'
torch rows 0 and 1 int64 [16777217.0, 7.0]
torch rows 2 and 3 float32 [nan, 16777216.0]
torch row 3 alone: 16777217
numpy rows 0 and 1 int64 [16777217.0, 7.0]
numpy rows 2 and 3 float32 [nan, 16777216.0]
numpy row 3 alone: 16777217
pandas rows 2 and 3 float64 [nan, 16777217.0]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "datasets_none_in_a_batch: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "datasets_none_in_a_batch: as expected"
