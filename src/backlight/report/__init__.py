"""A diagnosis as an HTML page: the findings first, each with its numbers and figures.

write_report(watcher.measurements, Path("report.html"), title="my net")
"""

from backlight.report.page import FigureImages, figure_images, html_page, report, write_report

__all__ = ["FigureImages", "figure_images", "html_page", "report", "write_report"]
