"""What a run is said to be worth: scores, figures and the report. Knows arrays and plain dicts only."""

from jaxboost.reporting.figures import (
    MODALITIES,
    confusion_matrix,
    coverage_accuracy,
    modality_attention,
    reliability_diagram,
    roc_curves,
)
from jaxboost.reporting.metrics import grouping_matrix, log_losses, paired_difference, score
from jaxboost.reporting.reliability import calibration_bins, calibration_error
from jaxboost.reporting.report import CANDIDATES, console_table, write_report
from jaxboost.reporting.training_curves import learning_curves

__all__ = [
    "CANDIDATES",
    "MODALITIES",
    "calibration_bins",
    "calibration_error",
    "confusion_matrix",
    "console_table",
    "coverage_accuracy",
    "grouping_matrix",
    "learning_curves",
    "log_losses",
    "modality_attention",
    "paired_difference",
    "reliability_diagram",
    "roc_curves",
    "score",
    "write_report",
]
