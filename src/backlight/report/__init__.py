"""A diagnosis as a page: findings first, each with its numbers and the figures that bear on it.

write_report(watcher.measurements, Path("report.html"), title="my net")
"""

from backlight.report.page import FigureImages, figure_images, html_page, report, write_report

__all__ = ["FigureImages", "figure_images", "html_page", "report", "write_report"]
