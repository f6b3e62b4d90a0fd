"""What an examination says, a line each."""

from typing import Literal, NamedTuple

State = Literal['ok', 'note', 'wrong']


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        state: 'note' is worth knowing but stops nothing; 'wrong' has to be mended.
        subject: What was looked at, such as 'torch' or 'data/nyu'.
        text: How it is.
        remedy: What to do; empty where there is nothing to do.
    """

    state: State
    subject: str
    text: str
    remedy: str = ''


def format_finding(finding: Finding) -> str:
    """Write a finding as one line, whatever an error's message is made of."""
    text = f'{finding.text} -> {finding.remedy}' if finding.remedy else finding.text
    return f'{finding.state:5}  {finding.subject:28}  {" ".join(text.split())}'
