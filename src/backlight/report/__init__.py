"""A diagnosis as a page: findings first, each with its numbers and the pictures that bear on it.

write_report(watcher.measurements, Path("report.html"), title="my net")
"""

from backlight.report.page import html_page
from backlight.report.pictures import Drawing, drawings
from backlight.report.writing import report, write_report

__all__ = ["Drawing", "drawings", "html_page", "report", "write_report"]
