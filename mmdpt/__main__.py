"""``python -m mmdpt``, the console command without its script."""

import sys

from mmdpt.commands.cli import main

sys.exit(main())
