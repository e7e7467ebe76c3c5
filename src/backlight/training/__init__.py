"""The loop: from a plan to a trained model, with records of everything on the way."""

from backlight.training.evaluate import bits, dataset, mean_nll
from backlight.training.finder import RateSweep, find_rate
from backlight.training.plan import Plan
from backlight.training.recipe import RECIPES, Recipe
from backlight.training.records import Evaluation, FirstLoss, LossRecord, Progress
from backlight.training.session import Session, load_model, plan_of, prepare, reopen
from backlight.training.setup import Setup, set_up
from backlight.training.trainer import DivergenceError, Trainer

__all__ = [
    "RECIPES",
    "DivergenceError",
    "Evaluation",
    "FirstLoss",
    "LossRecord",
    "Plan",
    "Progress",
    "RateSweep",
    "Recipe",
    "Session",
    "Setup",
    "Trainer",
    "bits",
    "dataset",
    "find_rate",
    "load_model",
    "mean_nll",
    "plan_of",
    "prepare",
    "reopen",
    "set_up",
]
