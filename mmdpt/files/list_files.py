"""Read list files: text, CSV or JSON lines, without a byte order mark or blank lines."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from mmdpt.errors import InputError

Line = TypeVar('Line')
Parsed = TypeVar('Parsed')


def read_text(path: str | Path) -> str:
    """Read a UTF-8 file; spreadsheets put a byte order mark before the first name.

    Raises:
        InputError: If it cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_bytes().decode('utf-8-sig')
    except OSError as error:
        raise InputError(f'cannot read {path}: {error.strerror or error}') from error
    except UnicodeDecodeError as error:
        raise InputError(f'{path} is no text: {error}') from error


def read_lines(path: str | Path) -> list[tuple[int, str]]:
    """Give the number, from 1, and the stripped text of each line that is not blank.

    Raises:
        InputError: See ``read_text``.
    """
    lines = enumerate(io.StringIO(read_text(path), newline=None), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def read_rows(
    path: str | Path, check_header: Callable[[list[str]], object]
) -> list[tuple[int, dict]]:
    """Give the line number and the columns of each row of a .csv or .jsonl file.

    ``check_header`` is called with a CSV file's column names, and may raise ``InputError``.

    Raises:
        InputError: If the suffix is another, a line cannot be parsed, or the header is wrong.
    """
    suffix = Path(path).suffix
    if suffix == '.jsonl':
        return [
            (number, parse_each(path, [(number, line)], json_object)[0])
            for number, line in read_lines(path)
        ]
    if suffix != '.csv':
        raise InputError(f'list file {path} must end in .csv or .jsonl')
    reader = csv.DictReader(
        io.StringIO(read_text(path), newline=''), restkey='beyond the last', skipinitialspace=True
    )
    try:
        parse_each(path, [(1, list(filter(None, reader.fieldnames or ())))], check_header)
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f'{path}, line {reader.line_num}: no CSV: {error}') from error


def parse_each(
    path: str | Path, lines: Iterable[tuple[int, Line]], parse: Callable[[Line], Parsed]
) -> list[Parsed]:
    """Parse the content of numbered lines.

    Raises:
        InputError: If ``parse`` raises it; names the file and the line.
    """
    parsed = []
    for number, line in lines:
        try:
            parsed.append(parse(line))
        except InputError as error:
            raise InputError(f'{path}, line {number}: {error}') from error
    return parsed


def json_object(line: str) -> dict[str, Any]:
    """Parse a line of JSON, or raise InputError if it is no object."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # also numbers of 5000 digits
        raise InputError(f'no JSON: {error}') from error
    if not isinstance(row, dict):
        raise InputError('expected a JSON object')
    return row
