"""The files of a run: configuration, vocabulary, weights, checkpoint, metrics and samples, without pickle.

Files are written atomically: after a kill, each one is complete, either old or new.
"""

from backlight.runs.atomic import write_atomically
from backlight.runs.directory import RunDirectory, RunExistsError
from backlight.runs.listing import RunSummary, find_run, list_runs, new_run_path
from backlight.runs.store import FORMAT, RunStore, extra_files, new_files, start_files
from backlight.runs.strict_json import JSON
from backlight.runs.tensors import load_tensors, save_tensors

__all__ = [
    "FORMAT",
    "JSON",
    "RunDirectory",
    "RunExistsError",
    "RunStore",
    "RunSummary",
    "extra_files",
    "find_run",
    "list_runs",
    "load_tensors",
    "new_files",
    "new_run_path",
    "save_tensors",
    "start_files",
    "write_atomically",
]
