"""How good detections are: against a truth, with figures and an HTML report.

tables.py    detections and truth, read and checked
matching.py  which detection is which true source
measures.py  completeness, purity, positions, classes
blends.py    what becomes of sources that touch, and of large galaxies
boxes.py     average precision of boxes
results.py   all of these, and their JSON
figures.py   plots
gallery.py   pictures of what was missed and what was false
page.py      the report's words
pipeline.py  all of these: flags in, a report out
"""

from galaxy_models.evaluation.detections.pipeline import (
    DetectionReport,
    evaluate_detections,
)

__all__ = ["DetectionReport", "evaluate_detections"]
