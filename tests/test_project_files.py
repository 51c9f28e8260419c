"""Files about the project: they parse, and they agree with each other and with the version."""

import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import bricksight

if sys.version_info >= (3, 11):
    import tomllib

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ISSUE_FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
REPOSITORY = "https://github.com/bricksight/bricksight"
CFF_KEYS = {
    "abstract",
    "authors",
    "cff-version",
    "date-released",
    "keywords",
    "license",
    "message",
    "repository-code",
    "title",
    "type",
    "version",
}

pytestmark = pytest.mark.skipif(
    not GITHUB.is_dir(), reason="this is a source archive, not the repository"
)
needs_tomllib = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no tomllib")


def read_yaml(path: Path) -> dict[Any, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict), path
    return content


def read_pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return read_yaml(path)["jobs"]


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", ())]


def matrix_versions(job: dict[str, Any]) -> set[str]:
    """The Python versions of a job: those of its matrix, with what ``include`` adds."""
    matrix = job["strategy"]["matrix"]
    return set(matrix["python"]) | {row["python"] for row in matrix.get("include", ())}


def locked_versions() -> dict[str, set[str]]:
    """Package → its versions in the lock; there are several where they depend on Python."""
    versions: dict[str, set[str]] = {}
    for line in (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.lstrip().startswith("#"):
            found = re.match(r"([a-z0-9-]+)==([^\s;]+)", line)
            assert found, f"no exact version: {line}"
            versions.setdefault(found[1], set()).add(found[2])
    return versions


def normalized(requirement: str) -> str:
    """``"Pi_Heif>=1.1"`` → ``"pi-heif"``."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def newest_section() -> tuple[str, str]:
    """Version and date, or ``unreleased``, of the changelog's first section."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## \[(.+?)\] - (.+)$", changelog, re.MULTILINE)
    assert found
    return found[1], found[2]


def test_version__is_written_in_one_place_and_cited() -> None:
    citation = read_yaml(ROOT / "CITATION.cff")
    assert citation["version"] == bricksight.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", bricksight.__version__)


@needs_tomllib
def test_version__is_read_from_the_code_by_the_build() -> None:
    pyproject = read_pyproject()
    assert "version" not in pyproject["project"]
    assert pyproject["project"]["dynamic"] == ["version"]
    source = ROOT / pyproject["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{bricksight.__version__}"' in source.read_text(encoding="utf-8")


def test_changelog__begins_with_this_version_and_its_date() -> None:
    version, when = newest_section()
    assert version == bricksight.__version__.partition(".dev")[0]
    released = read_yaml(ROOT / "CITATION.cff").get("date-released")
    if ".dev" in bricksight.__version__:
        assert (when, released) == ("unreleased", None)
    else:
        assert date.fromisoformat(when) == released


def test_changelog__every_section_has_a_link() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    links = dict(re.findall(r"^\[(\d.+?)\]: (\S+)$", changelog, re.MULTILINE))
    assert list(links) == sections
    assert all(link.startswith(f"{REPOSITORY}/") for link in links.values())


def test_citation__has_the_keys_of_the_format() -> None:
    citation = read_yaml(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"authors", "cff-version", "message", "title"} <= set(citation) <= CFF_KEYS
    assert all(set(author) == {"name"} for author in citation["authors"])
    assert citation["type"] == "software"
    assert citation["repository-code"] == REPOSITORY


@needs_tomllib
def test_citation__agrees_with_the_package() -> None:
    project = read_pyproject()["project"]
    citation = read_yaml(ROOT / "CITATION.cff")
    assert citation["license"] == project["license"]
    assert citation["title"] == project["name"]
    assert citation["authors"] == project["authors"]
    assert set(citation["keywords"]) <= set(project["keywords"])
    assert project["urls"]["Source"] == REPOSITORY


@needs_tomllib
def test_classifiers__every_python_is_tested_and_no_other() -> None:
    project = read_pyproject()["project"]
    classified = {
        found[1]
        for classifier in project["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
    }
    ci = jobs(GITHUB / "workflows" / "ci.yml")
    assert matrix_versions(ci["tests"]) | matrix_versions(ci["light"]) == classified
    oldest = min(classified, key=lambda version: int(version.partition(".")[2]))
    assert project["requires-python"] == f">={oldest}"
    assert {oldest} <= matrix_versions(ci["light"]) & matrix_versions(ci["tests"])


@needs_tomllib
def test_classifiers__every_system_is_tested() -> None:
    runner = {"MacOS": "macos", "Microsoft :: Windows": "windows", "POSIX :: Linux": "ubuntu"}
    prefix = "Operating System :: "
    systems = {
        classifier.removeprefix(prefix)
        for classifier in read_pyproject()["project"]["classifiers"]
        if classifier.startswith(prefix)
    }
    for job in ("tests", "light"):
        matrix = jobs(GITHUB / "workflows" / "ci.yml")[job]["strategy"]["matrix"]
        images = set(matrix["os"]) | {row["os"] for row in matrix.get("include", ())}
        assert {image.partition("-")[0] for image in images} == {runner[name] for name in systems}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow__has_least_rights_limits_and_pinned_actions(path: Path) -> None:
    workflow = read_yaml(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert "concurrency" in workflow
    for name, job in jobs(path).items():
        assert "uses" in job or job["timeout-minutes"] <= 120, name
        assert set(job.get("needs", "").split()) <= set(jobs(path)), name
    for step in steps(path):
        assert ("uses" in step) != ("run" in step), step
        action, _, version = step.get("uses", "a/b@v1").partition("@")
        assert re.fullmatch(r"(?:release/)?v\d+", version), step
        if action == "actions/checkout":
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow__python_versions_are_texts(path: Path) -> None:
    """Without quotes, YAML reads 3.10 as the number 3.1."""
    for job in jobs(path).values():
        if "python" in job.get("strategy", {}).get("matrix", {}):
            assert all(isinstance(version, str) for version in matrix_versions(job))
    for step in steps(path):
        assert isinstance(step.get("with", {}).get("python-version", ""), str)


def test_release__only_publishing_may_ask_for_an_identity() -> None:
    release = jobs(GITHUB / "workflows" / "release.yml")
    may_write = {name for name, job in release.items() if "write" in job["permissions"].values()}
    assert may_write == {"publish"}
    assert release["publish"]["permissions"] == {"id-token": "write"}
    assert release["publish"]["needs"] == "ci"
    assert release["ci"]["needs"] == "tag"


def test_release__publishes_what_ci_has_built() -> None:
    uploads = {
        step["with"]["name"]
        for step in steps(GITHUB / "workflows" / "ci.yml")
        if step.get("uses", "").startswith("actions/upload-artifact@")
    }
    downloads = {
        step["with"]["name"]
        for path in WORKFLOWS
        for step in steps(path)
        if step.get("uses", "").startswith("actions/download-artifact@")
    }
    assert "dist" in downloads
    assert downloads <= uploads


@needs_tomllib
def test_lock__has_every_dependency_and_no_address() -> None:
    pyproject = read_pyproject()
    needed = list(pyproject["project"]["dependencies"])
    for extra in pyproject["project"]["optional-dependencies"].values():
        needed += extra
    needed += [one for one in pyproject["dependency-groups"]["dev"] if isinstance(one, str)]
    missing = {normalized(one) for one in needed} - {"bricksight"} - set(locked_versions())
    assert not missing, "run `make lock`"
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--|@|\\", text)


def test_pre_commit__ruff_is_that_of_the_lock() -> None:
    config = read_yaml(ROOT / ".pre-commit-config.yaml")
    (ruff,) = [one for one in config["repos"] if one["repo"].endswith("/ruff-pre-commit")]
    assert {ruff["rev"].removeprefix("v")} == locked_versions()["ruff"]
    hooks = {hook["id"] for repository in config["repos"] for hook in repository["hooks"]}
    assert {"ruff-check", "ruff-format", "end-of-file-fixer", "lint"} <= hooks


def test_issue_forms__have_what_github_asks_for() -> None:
    assert {path.stem for path in ISSUE_FORMS} == {"bug", "feature"}
    for path in ISSUE_FORMS:
        form = read_yaml(path)
        assert {"name", "description", "body"} <= set(form)
        fields = [field for field in form["body"] if field["type"] != "markdown"]
        assert any(field.get("validations", {}).get("required") for field in fields)
        identifiers = [field["id"] for field in fields]
        assert len(set(identifiers)) == len(identifiers)
        assert all(field["attributes"]["label"] for field in fields)


def test_security__is_reported_at_one_private_address() -> None:
    address = f"{REPOSITORY}/security/advisories/new"
    (link,) = read_yaml(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["contact_links"]
    assert link["url"] == address
    for path in (ROOT / "SECURITY.md", GITHUB / "ISSUE_TEMPLATE" / "bug.yml"):
        assert f"({address})" in path.read_text(encoding="utf-8")


def test_dependabot__watches_the_actions() -> None:
    config = read_yaml(GITHUB / "dependabot.yml")
    assert config["version"] == 2
    assert [update["package-ecosystem"] for update in config["updates"]] == ["github-actions"]


def test_make__has_what_other_files_call() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    calls = [step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step]
    calls.append(container["postCreateCommand"])
    calls += [
        hook["entry"]
        for repository in read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
        for hook in repository["hooks"]
        if "entry" in hook
    ]
    called = {found for call in calls for found in re.findall(r"\bmake ([a-z]+)", call)}
    assert {"lint", "setup"} <= called
    assert called <= targets
