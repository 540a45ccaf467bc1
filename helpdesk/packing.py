"""The chat's frame in few and small files, made from the modules as they are written.

A customer's phone should not fetch thirty files to show a greeting. There is nothing
to run: whoever asks for static files (collectstatic, the development server) finds
`widget/packed.js` and `widget/packed.css` beside the sources, made anew when one of
those changed. `?sources` behind the frame's address loads the modules themselves,
where DEBUG is on.

Modules keep a scope of their own, so that no name of one meets a name of another.
What is understood of `import` and `export` is what our modules use; a dynamic import
stays one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.files.storage import FileSystemStorage

from .minify import minified

SOURCES = Path(settings.BASE_DIR) / "static"
SCRIPT = "widget/packed.js", "widget/main.js"
STYLE = "widget/packed.css", ("tokens.css", "widget/widget.css")

# Of minified source: no comments, no spare spaces.
START = r"(?:^|(?<=[;}\n]))"
IMPORT = re.compile(START + r'import\s*([\w$]+|\{[^}]*\})\s*from\s*"([^"]+)";?')
RE_EXPORT = re.compile(START + r'export\s*\{([^}]*)\}\s*from\s*"([^"]+)";?')
EXPORT_LIST = re.compile(START + r"export\s*\{([^}]*)\};?")
EXPORT_DEFAULT = re.compile(START + r"export default\b")
EXPORT = re.compile(
    START + r"export (?=(?:async )?(?:class|const|function|let)\*? ?([\w$]+))"
)
DYNAMIC = re.compile(r'\bimport\("(\.[^"]+)"\)')
LEFT_OVER = re.compile(START + r"(?:import|export)\b(?!\()")


class CannotPack(Exception):
    """A module imports or exports in a way that packing does not know."""


# --- scripts -----------------------------------------------------------------------


def pack_script(entry: str, root: Path = SOURCES) -> str:
    order = list(dict.fromkeys(_modules(entry, root, ())))
    numbers = {path: f"$m{place}" for place, path in enumerate(order)}
    return "".join(_module(path, entry, root, numbers) for path in order)


def _source(path: str, root: Path) -> str:
    text = (root / path).read_text()
    return text if path.startswith("vendor/") else minified(text)


def _modules(path: str, root: Path, under: tuple[str, ...]) -> Iterator[str]:
    """What a module needs comes before it."""
    if path in under:
        raise CannotPack(f"{path} imports itself, through {under[-1]}.")
    source = _source(path, root)
    for needed in [*IMPORT.findall(source), *RE_EXPORT.findall(source)]:
        yield from _modules(_beside(path, needed[1]), root, (*under, path))
    yield path


def _module(path: str, entry: str, root: Path, numbers: dict[str, str]) -> str:
    source = _source(path, root)
    exports: list[str] = []

    def number(relative: str) -> str:
        return numbers[_beside(path, relative)]

    def imported(found: re.Match[str]) -> str:
        names = found[1]
        if names.startswith("{"):
            return f"const{re.sub(r' as ', ':', names)}={number(found[2])};"
        return f"const {names}={number(found[2])}.default;"

    def re_exported(found: re.Match[str]) -> str:
        for inner, outer in _names(found[1]):
            exports.append(f"{outer}:{number(found[2])}.{inner}")
        return ""

    def listed(found: re.Match[str]) -> str:
        exports.extend(f"{outer}:{inner}" for inner, outer in _names(found[1]))
        return ""

    def declared(found: re.Match[str]) -> str:
        exports.append(found[1])
        return ""

    def rebased(found: re.Match[str]) -> str:
        there = _beside(path, found[1])
        return f'import("{_relative(there, posixpath.dirname(entry))}")'

    source = IMPORT.sub(imported, source)
    source = RE_EXPORT.sub(re_exported, source)
    source = EXPORT_LIST.sub(listed, source)
    if EXPORT_DEFAULT.search(source):
        exports.append("default:$default")
        source = EXPORT_DEFAULT.sub("const $default=", source)
    source = DYNAMIC.sub(rebased, EXPORT.sub(declared, source))
    if LEFT_OVER.search(source):
        raise CannotPack(f"{path}: an import or export that packing does not know.")
    body = f"{source};return{{{','.join(exports)}}}" if exports else source
    return f"const {numbers[path]}=(()=>{{{body}}})();\n"


def _names(listed: str) -> Iterator[tuple[str, str]]:
    for name in filter(None, (each.strip() for each in listed.split(","))):
        inner, _, outer = name.partition(" as ")
        yield inner, outer or inner


def _beside(path: str, relative: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))


def _relative(path: str, folder: str) -> str:
    there = posixpath.relpath(path, folder)
    return there if there.startswith(".") else f"./{there}"


# --- styles ------------------------------------------------------------------------


def pack_style(paths: Iterable[str], root: Path = SOURCES) -> str:
    style = "\n".join((root / path).read_text() for path in paths)
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    return re.sub(r"\s*\n\s*", "\n", style).strip() + "\n"


# --- found by whoever looks for static files -----------------------------------------


class PackedFiles(BaseFinder):
    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storage = FileSystemStorage(location=str(settings.DATA / "packed"))

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        if path not in (SCRIPT[0], STYLE[0]):
            return []
        self.renew()
        found = self.storage.path(path)
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[Any]:
        self.renew()
        for path in (SCRIPT[0], STYLE[0]):
            if not matches_patterns(path, list(ignore_patterns or ())):
                yield path, self.storage

    def renew(self) -> None:
        newest = max(
            each.stat().st_mtime
            for folder in ("chat", "widget", "vendor", "tokens.css")
            for each in [SOURCES / folder, *(SOURCES / folder).rglob("*")]
        )
        self._renew(SCRIPT[0], newest, lambda: pack_script(SCRIPT[1]))
        self._renew(STYLE[0], newest, lambda: pack_style(STYLE[1]))

    def _renew(self, path: str, newest: float, pack: Callable[[], str]) -> None:
        packed = Path(self.storage.path(path))
        if not packed.exists() or packed.stat().st_mtime < newest:
            _replace(packed, pack())


def _replace(path: Path, text: str) -> None:
    """At once, since another process may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{id(text)}")
    draft.write_text(text)
    draft.replace(path)
