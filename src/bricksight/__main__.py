"""``python -m bricksight``."""

import sys

from bricksight.cli import main

sys.exit(main())
