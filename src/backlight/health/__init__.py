"""What is wrong with a network that does not learn, by what was measured on it: findings with evidence and a way out.

Measuring stands apart from judging. `diagnose` takes `Measurements`, never a network.
"""

from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.health.findings import Evidence, Finding

__all__ = ["Diagnosis", "Evidence", "Finding", "diagnose"]
