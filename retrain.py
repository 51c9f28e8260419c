"""``python retrain.py ...``: the command line of TensorFlow Hub's retrain.py, run by bricksight."""

import sys

from bricksight.cli import main

if __name__ == "__main__":
    sys.exit(main(["retrain", *sys.argv[1:]]))
