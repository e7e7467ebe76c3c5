#!/usr/bin/env bash
# lightning 2.6.6's metrics.csv, read by polars 2.1.0 and pyarrow 26.0.1: the epoch in which the loss was NaN.
#
# Lightning's CSVLogger writes `nan`. polars looks at the first 100 rows to find the types: a `nan` there, or nothing there (a
# validation loss that is first logged in row 151), makes the whole column text; a `nan` further down is a number. The minimum
# of a text column is the first in the alphabet, so that the best loss is 2.5 where it is 0.000095. pyarrow makes null of `nan`,
# so that the mean of the column leaves it out.
# Why it surprises: neither says anything, and the guess was a column of floats with a NaN in it, as the logger wrote it.
# Seen: text (minimum 2.5), float, text for polars; one null and a mean of 1.25 for pyarrow.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check lightning==2.6.6 polars==2.1.0 pyarrow==26.0.1 torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import polars
import pyarrow.compute
import pyarrow.csv
from lightning.pytorch.loggers import CSVLogger


def written(name, rows):
    logger = CSVLogger(".", name=name, version=0)
    for step, row in enumerate(rows):
        logger.log_metrics(row, step=step)
    logger.save()
    return f"{name}/version_0/metrics.csv"


nan, first = {"loss": float("nan")}, [{"loss": 1.0}] * 150
early = written("early", [{"loss": 2.5}, nan, {"loss": 0.000095}])
late = written("late", [*first, nan])
sparse = written("sparse", [*first, {"val_loss": 0.5}])
loss = polars.read_csv(early)["loss"]
print("polars, nan in row 2:", loss.dtype, "minimum", loss.min())
print("polars, nan in row 151:", polars.read_csv(late)["loss"].dtype)
print("polars, val_loss from row 151:", polars.read_csv(sparse)["val_loss"].dtype)
column = pyarrow.csv.read_csv(early)["loss"]
mean = round(pyarrow.compute.mean(column).as_py(), 2)
print("pyarrow, nan in row 2:", column.type, "nulls", column.null_count, "mean", mean)
PYTHON
cat >"$folder/expected" <<'EXPECTED'
polars, nan in row 2: String minimum 2.5
polars, nan in row 151: Float64
polars, val_loss from row 151: String
pyarrow, nan in row 2: double nulls 1 mean 1.25
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "csv_nan_loss: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "csv_nan_loss: as expected"
