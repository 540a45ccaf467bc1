"""Gather the texts of every app into its catalogues, and compile them.

    manage.py catalogues           gather, keep what is translated, compile
    manage.py catalogues --check   change nothing; fail if anything is missing or stale

Babel (a development tool) does the work, so that no gettext programs are needed; the
compiled .mo files are committed, so that a server needs neither.
"""

from __future__ import annotations

import ast
import datetime as dt
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
APPS = ("helpdesk", "agents", "customers")
SCRIPTS = {  # whose djangojs catalogue holds which scripts' words
    "agents": ("static/chat", "static/dashboard"),
    "customers": ("static/chat", "static/widget"),
}
PYTHON_CALLS: dict[str, Any] = {
    "_": None,
    "_lazy": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
STRING = r'"(?:[^"\\\n]|\\.)*"'
SCRIPT_CALL = re.compile(
    rf"(?<![\w.#$])(?:_\(\s*({STRING})|n_\(\s*({STRING})\s*,\s*({STRING}))"
)
SCRIPT_COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
THE_DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # a date that moved would be noise

Text = tuple[Any, str | None, str]  # text or (one, many); context; the file it is in


class Command(BaseCommand):
    help = "Gather translatable texts into the catalogues and compile them."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Change nothing; fail if stale."
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        stale = [
            complaint
            for language in languages()
            for complaint in (faults(language) if check else renew(language))
        ]
        for complaint in stale:
            self.stderr.write(complaint)
        if check and stale:
            raise CommandError("Catalogues are stale: run manage.py catalogues.")


def languages() -> list[str]:
    """All but the one in which the texts are written."""
    return [code for code, _ in settings.LANGUAGES if code != "en"]


def renew(language: str) -> Iterator[str]:
    """Rewrite the catalogues; tell what is still to be translated."""
    gathered = {path: merged(path, texts) for path, texts in catalogues(language)}
    lend(list(gathered.values()))
    for path, catalogue in gathered.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_po(catalogue))
        path.with_suffix(".mo").write_bytes(as_mo(catalogue))
        yield from untranslated(path, catalogue)


def faults(language: str) -> Iterator[str]:
    for path, texts in catalogues(language):
        catalogue = merged(path, texts)
        if not path.exists() or path.read_bytes() != as_po(catalogue):
            yield f"{path.relative_to(ROOT)}: texts were added, changed or removed"
        compiled = path.with_suffix(".mo")
        if not compiled.exists() or compiled.read_bytes() != as_mo(catalogue):
            yield f"{compiled.relative_to(ROOT)}: not compiled from its .po"
        yield from untranslated(path, catalogue)


# --- gathering ---------------------------------------------------------------------


def catalogues(language: str) -> Iterator[tuple[Path, list[Text]]]:
    """Each catalogue's path and the texts that belong into it."""
    for app in APPS:
        folder = ROOT / app / "locale" / to_locale(language) / "LC_MESSAGES"
        yield folder / "django.po", [*python_texts(app), *template_texts(app)]
        if app in SCRIPTS:
            yield folder / "djangojs.po", list(script_texts(app))


def python_texts(app: str) -> Iterator[Text]:
    for path in sorted((ROOT / app).rglob("*.py")):
        if "migrations" not in path.parts:
            yield from _calls(path, path.read_bytes())


def template_texts(app: str) -> Iterator[Text]:
    """A template counts to the app that its folder names, else to the desk."""
    templates = ROOT / "templates"
    for path in sorted(
        p for p in templates.rglob("*") if p.suffix in {".html", ".txt"}
    ):
        folder = path.relative_to(templates).parts[0]
        owner = folder if folder in APPS else "helpdesk"
        if path.suffix in {".html", ".txt"} and app == owner:
            # Markup is not indented as Python is; what is translated is one line.
            source = re.sub(r"(?m)^\s+", "", templatize(path.read_text()))
            yield from _calls(path, source.encode())


def _calls(path: Path, source: bytes) -> Iterator[Text]:
    from babel.messages.extract import extract

    options = {"encoding": "utf-8"}
    found = extract("python", io.BytesIO(source), PYTHON_CALLS, (), options)
    for _line, text, _comments, context in found:
        yield text, context, str(path.relative_to(ROOT))


def script_texts(app: str) -> Iterator[Text]:
    for folder in SCRIPTS[app]:
        for path in sorted((ROOT / folder).rglob("*.js")):
            source = SCRIPT_COMMENT.sub("", path.read_text())
            for text, one, many in SCRIPT_CALL.findall(source):
                said = _literal(text) if text else (_literal(one), _literal(many))
                yield said, None, str(path.relative_to(ROOT))


def _literal(text: str) -> str:
    return str(ast.literal_eval(text))


# --- catalogues --------------------------------------------------------------------


def merged(path: Path, texts: list[Text]) -> Any:
    """The catalogue at `path`, with these texts and no others."""
    from babel.messages import Catalog
    from babel.messages.pofile import read_po

    locale = path.parts[-3]
    written = io.BytesIO(path.read_bytes() if path.exists() else b"")
    old = read_po(written, locale=locale)
    new = Catalog(
        locale=locale,
        project="Helpdesk",
        fuzzy=False,
        header_comment="# Helpdesk's texts. Written by manage.py catalogues.",
        creation_date=THE_DAY,
        revision_date=THE_DAY,
    )
    for text, context, where in texts:
        known = old.get(text, context=context)
        string = known.string if known and not known.fuzzy else None
        flags = ["python-format"] if "%(" in str(text) else []
        new.add(text, string, [(where, 0)], flags, context=context)
    return new


def lend(catalogues: list[Any]) -> None:
    """The same text means the same everywhere: what one catalogue has translated,
    another need not."""
    known = {
        (m.id, m.context): m.string for c in catalogues for m in c if _translated(m)
    }
    for catalogue in catalogues:
        for message in catalogue:
            if message.id and not _translated(message):
                key = (message.id, message.context)
                message.string = known.get(key, message.string)


def untranslated(path: Path, catalogue: Any) -> Iterator[str]:
    for message in catalogue:
        if message.id and not _translated(message):
            yield f"{path.relative_to(ROOT)}: not translated: {message.id!r}"


def _translated(message: Any) -> bool:
    strings = message.string if message.pluralizable else (message.string,)
    return bool(strings) and all(strings)


def as_po(catalogue: Any) -> bytes:
    from babel.messages.pofile import write_po

    file = io.BytesIO()
    write_po(file, catalogue, width=88, sort_by_file=True, include_lineno=False)
    return file.getvalue()


def as_mo(catalogue: Any) -> bytes:
    from babel.messages.mofile import write_mo

    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()
