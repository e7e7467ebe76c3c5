"""The run directory: config, vocabulary, weights, checkpoint, metrics, samples; whole files only, never pickle."""

from backlight.runs.atomic import write_atomically
from backlight.runs.directory import FORMAT, RunDirectory
from backlight.runs.listing import RunSummary, list_runs, new_run_path
from backlight.runs.strict_json import JSON
from backlight.runs.tensors import load_tensors, save_tensors

__all__ = [
    "FORMAT",
    "JSON",
    "RunDirectory",
    "RunSummary",
    "list_runs",
    "load_tensors",
    "new_run_path",
    "save_tensors",
    "write_atomically",
]
