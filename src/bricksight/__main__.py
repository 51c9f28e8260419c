"""The command ``bricksight``, also as ``python -m bricksight``."""

import gc
import sys

gc.set_threshold(50_000, 20, 50)
# Python's default looks at all objects again and again while packages are loaded and TensorFlow
# builds its graphs, which took 5 % of a training and 10 ms of each command.

from bricksight.cli import main  # noqa: E402  (after that)

if __name__ == "__main__":
    sys.exit(main())
