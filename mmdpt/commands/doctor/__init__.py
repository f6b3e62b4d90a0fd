"""What is wrong with an installation, and what to do about it."""

from .examination import examine
from .findings import Finding, format_finding

__all__ = ['Finding', 'examine', 'format_finding']
