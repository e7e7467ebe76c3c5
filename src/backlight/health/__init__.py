"""What is wrong with a network that does not learn, by what was measured on it: findings with evidence and advice.

Measuring and diagnosing are separate. `watch` and `examine` measure a network; `diagnose` takes `Measurements`, never a
network.
"""

from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.health.examine import Examination, examine
from backlight.health.explained import explained
from backlight.health.findings import Evidence, Finding
from backlight.watch.api import compare_splits, watch

__all__ = [
    "Diagnosis",
    "Evidence",
    "Examination",
    "Finding",
    "compare_splits",
    "diagnose",
    "examine",
    "explained",
    "watch",
]
