"""What ``mkdocs build`` adds to the pages: the command reference, the measurements, and links.

The command reference is made from the application itself. The pages of ``benchmarks/results`` join
the site as ``measurements/``. A link from a page to any other file of the repository, which works
where the sources are read, leads to the repository's site; a link to a missing file is a warning,
and so an error of a strict build.
"""

import logging
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).parents[2]
_RESULTS = "benchmarks/results"
_MEASUREMENTS = "measurements"
_CLI_PAGE = "reference/cli.md"
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^( *)(```+|~~~+)[^\n]*\n.*?^\1\2 *$", re.DOTALL | re.MULTILINE)
_log = logging.getLogger("mkdocs.hooks.site")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that are not written by hand in ``docs``."""
    files.append(File.generated(config, _CLI_PAGE, content=command_reference()))
    for path in sorted((_ROOT / _RESULTS).iterdir()):
        name = f"{_MEASUREMENTS}/{'index.md' if path.name == 'README.md' else path.name}"
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Returns the page with links that work on the site."""
    source = _source_of(page.file.src_uri)
    return _outside_code(
        markdown, lambda text: _LINK.sub(lambda link: _relinked(link, source, page, config), text)
    )


def command_reference() -> str:
    """Returns the help of all commands, with every option, as one page."""
    sys.path.insert(0, str(_ROOT / "src"))
    from cyclopts.docs.markdown import generate_markdown_docs

    from bricksight.cli import make_app

    parts = [
        "# Command line\n",
        "Every command with every option, made from the program itself. "
        "Dashes and underscores in the names of options are both understood. "
        "Exit codes: [Exit codes and errors](exit-codes.md).\n",
    ]
    for name in make_app():
        if name.startswith("-"):
            continue
        text = generate_markdown_docs(
            make_app(name, show_advanced=True),
            commands_filter=[name],
            heading_level=1,
            generate_toc=False,
            include_hidden=True,
        )
        parts.append(f"## bricksight {name}\n\n{text}")
    return "\n".join(parts)


def _outside_code(markdown: str, change: Any) -> str:
    """Applies ``change`` to the text between fenced blocks of code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def _source_of(page: str) -> str:
    """Returns where a page of the site lies in the repository."""
    if page.startswith(f"{_MEASUREMENTS}/"):
        name = posixpath.basename(page)
        return f"{_RESULTS}/{'README.md' if name == 'index.md' else name}"
    return f"docs/{page}"


def _relinked(link: re.Match[str], source: str, page: Any, config: Any) -> str:
    before, target, after = link.groups()
    path, mark, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:", target):
        return link.group()
    where = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if where == f"docs/{_CLI_PAGE}":
        found = _CLI_PAGE
    elif not (_ROOT / where).exists():
        _log.warning("%s links to %s, which is not in the repository.", source, target)
        return link.group()
    elif where.startswith("docs/"):
        found = where.removeprefix("docs/")
    elif posixpath.dirname(where) == _RESULTS and where.endswith(".md"):
        name = posixpath.basename(where)
        found = f"{_MEASUREMENTS}/{'index.md' if name == 'README.md' else name}"
    else:
        kind = "tree" if (_ROOT / where).is_dir() else "blob"
        return f"{before}{config.repo_url}/{kind}/main/{where}{mark}{anchor}{after}"
    start = posixpath.dirname(page.file.src_uri) or "."
    return f"{before}{posixpath.relpath(found, start)}{mark}{anchor}{after}"
