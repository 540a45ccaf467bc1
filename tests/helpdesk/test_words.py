"""Texts in the reader's language: complete, current, and found for every reader."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from helpdesk.words import bcp47, best, words


def test_catalogues_are_complete_and_current() -> None:
    call_command("catalogues", check=True)


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [
        (("zh-CN",), "zh-hans"),
        (("zh",), "zh-hans"),
        (("en-GB",), "en"),
        (("fr", "zh-Hans"), "zh-hans"),
        (("fr",), "en"),
        ((None, ""), "en"),
        (("x" * 1000,), "en"),
    ],
)
def test_the_best_language_is_one_that_the_desk_speaks(
    wanted: tuple[str | None, ...], spoken: str
) -> None:
    assert best(*wanted) == spoken


def test_a_page_gets_its_own_apps_words() -> None:
    chinese = words("customers", "zh-hans")
    assert chinese["locale"] == "zh-Hans"
    assert chinese["words"]["You are next in line."] == "下一位就是您。"
    assert words("customers", "en") == {"locale": "en", "words": {}, "plural": ""}


def test_language_tags_are_written_as_browsers_write_them() -> None:
    assert [bcp47(each) for each in ("en", "zh-hans", "pt-br")] == [
        "en",
        "zh-Hans",
        "pt-BR",
    ]
