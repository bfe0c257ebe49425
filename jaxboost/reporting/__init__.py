"""What a run is said to be worth: scores, figures and the report. Knows arrays and plain dicts only."""

from jaxboost.reporting.metrics import grouping_matrix, log_losses, paired_difference, score
from jaxboost.reporting.reliability import calibration_bins, calibration_error
from jaxboost.reporting.report import CANDIDATES, console_table

__all__ = [
    "CANDIDATES",
    "calibration_bins",
    "calibration_error",
    "console_table",
    "grouping_matrix",
    "log_losses",
    "paired_difference",
    "score",
]
