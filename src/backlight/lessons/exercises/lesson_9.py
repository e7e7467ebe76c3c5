"""Lesson 9: GPT-2's names and layouts, first weights, decay groups, accumulation, the schedule, attention in blocks."""

from backlight.lessons.exercises.gpt2.blocks import BLOCK, BLOCKS
from backlight.lessons.exercises.gpt2.training import ACCUMULATE, RATE
from backlight.lessons.exercises.gpt2.weights import FILE, GROUPS, INITIAL

EXERCISES = (FILE, INITIAL, GROUPS, ACCUMULATE, RATE, BLOCK, BLOCKS)
