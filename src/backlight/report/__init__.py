"""A diagnosis as an HTML page: the findings first, each with its numbers, and then the whole recording in the viewer.

write_report(watcher.measurements, Path("report.html"), title="my net")
"""

from backlight.report.page import html_page, report, write_report

__all__ = ["html_page", "report", "write_report"]
