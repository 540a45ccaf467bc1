"""What others wrote: every package is pinned, as are all that it brings along, and what
is installed is what is pinned."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
from django.conf import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = ("requirements.txt", "requirements-dev.txt")


def pinned(file: str) -> list[Requirement]:
    lines = (Path(settings.BASE_DIR) / file).read_text().splitlines()
    words = (line.partition(" #")[0].strip() for line in lines)
    wanted = [each for each in words if each and not each.startswith(("#", "-r "))]
    return [Requirement(each) for each in wanted]


def applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({"extra": extra}) for extra in extras or {""}
    )


def missing(roots: list[Requirement]) -> set[str]:
    """What these bring along and nobody has pinned."""
    names = {canonicalize_name(each.name) for each in roots}
    brought = {
        canonicalize_name(needed.name)
        for root in roots
        if applies(root, set())
        for needed in map(Requirement, distribution(root.name).requires or [])
        if applies(needed, root.extras | {""})
    }
    return brought - names


@pytest.mark.parametrize("file", FILES)
def test_every_package_is_pinned(file: str) -> None:
    found = pinned(file)
    assert len(found) > 10
    for each in found:
        assert re.fullmatch(r"==[\w.]+", str(each.specifier)), each
        assert each.url is None, each


@pytest.mark.parametrize("file", FILES)
def test_what_is_installed_is_what_is_pinned(file: str) -> None:
    for each in pinned(file):
        if not applies(each, set()):
            continue
        try:
            assert version(each.name) in each.specifier, each
        except PackageNotFoundError:
            pytest.fail(f"{each} is not installed")


def test_the_server_runs_on_nothing_that_is_not_pinned() -> None:
    assert missing(pinned("requirements.txt")) == set()


def test_every_package_of_the_server_says_how_it_may_be_used() -> None:
    for each in pinned("requirements.txt"):
        if not applies(each, set()):
            continue
        told = distribution(each.name).metadata
        said = [told.get("License-Expression"), told.get("License")]
        said += [c for c in told.get_all("Classifier", []) if "License" in c]
        files = [
            f for f in distribution(each.name).files or [] if "LICEN" in f.name.upper()
        ]
        assert any(said) or files, each.name
