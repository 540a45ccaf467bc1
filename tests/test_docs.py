"""Nothing an operator or developer may use is missing from the manual."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

FOR_DEVELOPERS = {"catalogues", "demo", "frames"}


def names_read_from_the_environment() -> list[str]:
    settings = (ROOT / "helpdesk" / "settings.py").read_text()
    main = (ROOT / "helpdesk" / "__main__.py").read_text()
    found = re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', settings + main)
    return sorted({*found, "HOST", "PORT"})


def check_ids() -> list[str]:
    checks = (ROOT / "helpdesk" / "checks.py").read_text()
    return re.findall(r'id="(helpdesk\.[EW]\d+)"', checks)


def routes() -> list[str]:
    urls = (ROOT / "helpdesk" / "urls.py").read_text()
    return re.findall(r'path\("(\w+)", ', urls)


def commands() -> list[str]:
    folder = ROOT / "helpdesk" / "management" / "commands"
    ours = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return sorted(ours - FOR_DEVELOPERS)


def metrics() -> list[str]:
    """Of our own; those that start with process_ and python_ are Prometheus' own."""
    source = (ROOT / "helpdesk" / "prometheus.py").read_text()
    names = re.findall(r'(?:gauge|counter|histogram|labelled)\("(\w+)"', source)
    return [*names, *re.findall(r'\("(queue_\w+)"', source)]


def make_words() -> list[str]:
    makefile = (ROOT / "Makefile").read_text()
    return re.findall(r"^\t@echo 'make ([\w-]+)", makefile, re.MULTILINE)


def relative_links(text: str) -> list[str]:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    return [link for link in links if "://" not in link]


@pytest.mark.parametrize("name", names_read_from_the_environment())
def test_every_word_of_the_environment_is_explained(name: str) -> None:
    assert re.search(rf"^\| .*`{name}`.* \|", OPERATIONS, re.MULTILINE)


def test_nothing_is_explained_that_nobody_reads() -> None:
    table = OPERATIONS.split("## The environment")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert explained == set(names_read_from_the_environment())


@pytest.mark.parametrize("id", check_ids())
def test_every_check_is_listed(id: str) -> None:
    assert f"`{id}`" in OPERATIONS


def test_check_ids_are_used_once() -> None:
    assert len(check_ids()) == len(set(check_ids()))


@pytest.mark.parametrize("route", routes())
def test_every_page_for_who_watches_is_explained(route: str) -> None:
    assert f"`/{route}`" in OPERATIONS


@pytest.mark.parametrize("command", commands())
def test_every_command_is_explained(command: str) -> None:
    assert f"manage.py {command}" in OPERATIONS


@pytest.mark.parametrize("name", metrics())
def test_every_metric_is_explained(name: str) -> None:
    assert re.search(rf"^\| .*`helpdesk_{name}(_total|\{{\w)?.*\|", OPERATIONS, re.M)


@pytest.mark.parametrize("word", make_words())
def test_every_word_of_make_is_in_the_readme(word: str) -> None:
    assert f"make {word}" in README


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for link in relative_links(path.read_text()):
        assert (path.parent / link).exists(), link
