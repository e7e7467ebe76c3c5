"""Training: from a configuration to a trained model, with records of the losses."""

from backlight.training.branching import branch_steps, branched
from backlight.training.choosing import MINUTES, Choice, choose
from backlight.training.config import RunConfig, TrainConfig
from backlight.training.continuing import continued
from backlight.training.engine import EngineConfig
from backlight.training.evaluate import bits, dataset, mean_nll
from backlight.training.finder import RateSweep, find_rate
from backlight.training.records import Evaluation, FirstLoss, LossRecord, Progress
from backlight.training.run import Run, load_model
from backlight.training.signals import stopped_by
from backlight.training.trainer import DivergenceError, Trainer

__all__ = [
    "MINUTES",
    "Choice",
    "DivergenceError",
    "EngineConfig",
    "Evaluation",
    "FirstLoss",
    "LossRecord",
    "Progress",
    "RateSweep",
    "Run",
    "RunConfig",
    "TrainConfig",
    "Trainer",
    "bits",
    "branch_steps",
    "branched",
    "choose",
    "continued",
    "dataset",
    "find_rate",
    "load_model",
    "mean_nll",
    "stopped_by",
]
