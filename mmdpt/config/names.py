"""Names that a misspelt one may have meant."""

import difflib
from collections.abc import Iterable


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """Give up to three of the known names, the most alike first; none if none is alike."""
    return difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.4)
