"""Print a config with its bases and overrides merged, after checking its components."""

import argparse

from mmdpt.commands.tool import add_config, report_input_errors


@report_input_errors
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config(parser)
    args = parser.parse_args()
    from mmdpt.config import check_config, load_config

    cfg = load_config(args.config, args.cfg_options)
    print(cfg.pretty_text)
    check_config(cfg)


if __name__ == '__main__':
    main()
