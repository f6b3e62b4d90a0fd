"""Names that a misspelt one may have meant."""

import difflib
from collections.abc import Iterable


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """Give up to three similar known names, the most similar first."""
    return difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.4)
