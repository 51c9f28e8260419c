"""Puts today's output of the program onto the pages that show it.

    python benchmarks/page_outputs.py WORK

A block below ``<!-- output of: NAME -->`` on a page gets what the command of that name in
``COMMANDS`` prints. Commands run in WORK, in this order. ``WORK/signs`` holds the photos of the
tutorial about hand signs; without it its commands are left out.
What a command printed is kept as ``WORK/NAME.txt``; with it, the command does not run again.
"""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "sample": "sample bricks",
    "check": "check bricks",
    "train": "train bricks --out bricks-model --backbone packaged:efficientnet_lite0",
    "classify": "classify bricks-model bricks/3001_brick_2x4/0030.jpg",
    "evaluate": "evaluate bricks-model bricks --split test",
    "leaky": "train signs --out signs-model",
    "fair": r"train signs --out signs-fair --group_by '/p(\d+)_'",
}
_NEEDS = {"leaky": "signs", "fair": "signs"}
_BLOCK = re.compile(r"(<!-- output of: (\w+) -->\n```text\n).*?(^```$)", re.DOTALL | re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="the folder to run in")
    work = parser.parse_args().work
    work.mkdir(exist_ok=True)
    outputs = {
        name: output_of(name, words, work)
        for name, words in COMMANDS.items()
        if (work / _NEEDS.get(name, "")).exists()
    }
    for page in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"):
        text = page.read_text(encoding="utf-8")
        new = _BLOCK.sub(lambda block: filled(block, outputs), text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(ROOT))


def output_of(name: str, words: str, work: Path) -> str:
    """Returns what a command prints to stdout."""
    kept = work / f"{name}.txt"
    if not kept.exists():
        command = [sys.executable, "-m", "bricksight", *shlex.split(words)]
        run = subprocess.run(command, cwd=work, stdout=subprocess.PIPE, text=True, check=True)
        kept.write_text(run.stdout, encoding="utf-8")
    lines = kept.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def filled(block: re.Match[str], outputs: dict[str, str]) -> str:
    before, name, after = block.groups()
    return f"{before}{outputs[name]}{after}" if name in outputs else block.group()


if __name__ == "__main__":
    main()
