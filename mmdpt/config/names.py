"""Names that a misspelt one may have meant."""

import difflib
from collections.abc import Iterable


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """Give up to three similar known names, the most similar first."""
    return difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.4)


def near(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Ask for the most similar known name, in a message's words; '' if none is similar."""
    spelt = {other.lower(): other for other in sorted(known, reverse=True)}
    close = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=cutoff)
    return f"; did you mean '{spelt[close[0]]}'?" if close else ''
