"""What the command-line tools share: options, and how wrong input is reported."""

import argparse
import atexit
import functools
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable

from mmdpt.errors import InputError

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]')


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the config, and what overrides its keys."""
    parser.add_argument('config', help='config file, or the name of one of mmdpt')
    add_overrides(parser)


def add_overrides(
    parser: argparse.ArgumentParser, what: str = 'keys of the config; lists as key="[a,b]"'
) -> None:
    """Add ``--cfg-options``, which gives a list."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help=f'override {what}',
    )


def report_input_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Print an InputError as one message and exit with code 1.

    So are other errors while a part of the config is built, from values that do not fit. All others
    keep their traceback. With ``MMDPT_TRACEBACK=1`` every error does.
    """

    @functools.wraps(main)
    def run() -> None:
        # The same sums on any number of threads, hence the same metrics on one process with all
        # cores as on several with one each: Intel oneMKL's developer guide, strict CNR mode
        os.environ.setdefault('MKL_CBWR', 'AUTO,STRICT')
        # Python would search all modules for cycles at its end, for seconds
        atexit.register(gc.freeze)
        try:
            main()
        except (ValueError, TypeError, AssertionError, LookupError) as error:
            text = own_message(error) if isinstance(error, InputError) else in_config(error)
            if text is None or os.environ.get('MMDPT_TRACEBACK') == '1':
                raise
            # names from files could control the terminal
            text = CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
            print(f'error: {text}', file=sys.stderr)
            sys.exit(1)

    return run


def own_message(error: InputError) -> str:
    """Give an error's message, out of the traceback if it comes from a data loader's worker."""
    in_worker = re.search(r'mmdpt\.errors\.InputError: (.*)\Z', str(error), re.DOTALL)
    return in_worker.group(1).rstrip() if in_worker else str(error)


def in_config(error: Exception) -> str | None:
    """Name the innermost part of a config that could not be built, if the error comes from it."""
    part = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == 'build_from_cfg':  # of MMEngine's registries
            part = getattr(frame.f_locals.get('obj_cls'), '__name__', None) or part
        elif frame.f_code.co_name == 'from_cfg':
            part = part or 'the runner'
    if part is None:
        return None
    kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
    hint = 'MMDPT_TRACEBACK=1 shows where'
    return f'{part} cannot be built from what the config says: {kind}{error} ({hint})'
