"""Say what is wrong with the installation, the machine or the data, and what to do about it."""

import argparse
import json
import sys

from mmdpt.commands.doctor import examine
from mmdpt.commands.tool import add_overrides


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=f'{__doc__} A line each: ok, note or wrong. Exit code 1 if anything is wrong.'
    )
    parser.add_argument(
        'config',
        nargs='?',
        help='config file, or the name of one of mmdpt: its data must be there',
    )
    parser.add_argument('--json', action='store_true', help='a list of objects instead of lines')
    add_overrides(parser)
    args = parser.parse_args()
    if args.cfg_options and args.config is None:
        parser.error('--cfg-options needs a config')
    return args


def main() -> None:
    args = parse_args()
    findings = []
    for finding in examine(args.config, args.cfg_options):
        findings.append(finding)
        if not args.json:
            print(finding, flush=True)
    wrong = sum(finding.state == 'wrong' for finding in findings)
    if args.json:
        print(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        print(f'\n{wrong or "nothing"} wrong')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
