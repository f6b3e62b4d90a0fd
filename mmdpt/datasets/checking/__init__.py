"""Check a data set's files before a long run."""

from .report import format_report
from .splits import SplitReport, check_splits

__all__ = ['SplitReport', 'check_splits', 'format_report']
