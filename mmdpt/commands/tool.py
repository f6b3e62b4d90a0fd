"""What the command-line tools share: options, and how wrong input is reported."""

import argparse
import functools
import os
import re
import sys
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

    Other errors keep their traceback. With ``MMDPT_TRACEBACK=1`` an InputError does too.
    """

    @functools.wraps(main)
    def run() -> None:
        # The same sums on any number of threads, hence the same metrics on one process with all
        # cores as on several with one each: Intel oneMKL's developer guide, strict CNR mode
        os.environ.setdefault('MKL_CBWR', 'AUTO,STRICT')
        try:
            main()
        except InputError as error:
            if os.environ.get('MMDPT_TRACEBACK') == '1':
                raise
            # names from files could control the terminal
            text = CONTROL.sub(lambda found: repr(found[0])[1:-1], own_message(error))
            print(f'error: {text}', file=sys.stderr)
            sys.exit(1)

    return run


def own_message(error: InputError) -> str:
    """Give an error's message, out of the traceback if it comes from a data loader's worker."""
    in_worker = re.search(r'mmdpt\.errors\.InputError: (.*)\Z', str(error), re.DOTALL)
    return in_worker.group(1).rstrip() if in_worker else str(error)
