"""The loop: from a plan to a trained model, with records of everything on the way."""

from backlight.train.evaluate import bits, dataset, mean_nats
from backlight.train.finder import RateSweep, find_rate
from backlight.train.plan import Plan
from backlight.train.recipe import RECIPES, Recipe
from backlight.train.records import Evaluation, FirstLoss, LossRecord, Progress
from backlight.train.session import Session, load_model, plan_of, prepare, reopen
from backlight.train.setup import Setup, set_up
from backlight.train.trainer import DivergenceError, Trainer

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
    "mean_nats",
    "plan_of",
    "prepare",
    "reopen",
    "set_up",
]
