"""The chat's modules in one file: the same program, smaller."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpdesk import packing
from helpdesk.minify import Unreadable, minified
from helpdesk.packing import CannotPack, PackedFiles, pack_script, pack_style

NODE = Path(sys.executable).parent / "node"


def said(script: str) -> str:
    """What a module prints."""
    run = subprocess.run(
        [NODE, "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("const a = 1; // why\nlet b;", "const a=1;let b;"),
        ("/** @param {x} */ f ( a , b ) ;", "f(a,b);"),
        ("a = b - -c + +d;", "a=b- -c+ +d;"),
        ("return /a b\\/ [/] '/u.test(x);", "return/a b\\/ [/] '/u.test(x);"),
        ("x = a / b / c;", "x=a/b/c;"),
        ('say("a  // b");', 'say("a  // b");'),
        ("x = `a  b`;", "x=`a  b`;"),
        ("x = `<a  b>\n    ${ y  ?  z : 1 }  c`;", "x=`<a  b>\n${y?z:1}  c`;"),
        (
            "h`${ a && h`<b  c> // ${ {d : 1}.d }</b>` }`",
            "h`${a&&h`<b  c> // ${{d:1}.d}</b>`}`",
        ),
        ("this.#a ??= `\\`${1}`;", "this.#a??=`\\`${1}`;"),
    ],
)
def test_what_means_nothing_is_left_out(source: str, expected: str) -> None:
    assert minified(source) == expected


@pytest.mark.parametrize("source", ["`a ${b", "f(}", 'x = "a\n'])
def test_what_is_broken_is_named(source: str) -> None:
    with pytest.raises(Unreadable):
        minified(source)


def modules(root: Path, **sources: str) -> Path:
    for name, source in sources.items():
        path = root / (name.replace("__", "/") + ".js")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(source)
    return root


def test_a_packed_program_does_what_its_modules_do(tmp_path: Path) -> None:
    modules(
        tmp_path,
        app__main='import say from "../lib/b.js";\n'
        'import { A as B, half } from "../lib/a.js";\n'
        'import { again } from "../lib/c.js";\n'
        "const local = 1;\nsay(B, half(8), again, local);\n",
        lib__a="const local = 3;\nexport const A = local;\n"
        "export function half(x) { return x / 2; }\n",
        lib__b="export default function (...all) { console.log(...all); }\n",
        lib__c='export { A as again } from "./a.js";\n',
    )
    assert said(pack_script("app/main.js", tmp_path)) == "3 4 3 1"


def test_a_dynamic_import_stays_one_and_finds_its_file(tmp_path: Path) -> None:
    modules(
        tmp_path,
        app__main='import { late } from "../lib/a.js";\nlate();\n',
        lib__a='export const late = () => import("./b.js");\n',
        lib__b="",
    )
    assert 'import("../lib/b.js")' in pack_script("app/main.js", tmp_path)


def test_circles_are_refused(tmp_path: Path) -> None:
    modules(
        tmp_path,
        app__main='import { a } from "./b.js";\nexport const b = a;\n',
        app__b='import { b } from "./main.js";\nexport const a = b;\n',
    )
    with pytest.raises(CannotPack):
        pack_script("app/main.js", tmp_path)


def test_an_export_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    modules(tmp_path, app__main='export * from "./b.js";\n', app__b="")
    with pytest.raises(CannotPack):
        pack_script("app/main.js", tmp_path)


def test_styles_lose_their_comments(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("/* why */\na { b: c; }\n\n  d { e: f }\n")
    assert pack_style(["a.css"], tmp_path) == "a { b: c; }\nd { e: f }\n"


def test_the_packed_file_follows_its_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = modules(tmp_path / "static", widget__main="console.log(1);\n")
    for name in ("chat", "vendor"):
        (root / name).mkdir()
    (root / "tokens.css").write_text("")
    (root / "widget/widget.css").write_text("")
    monkeypatch.setattr(packing, "SOURCES", root)
    monkeypatch.setattr(packing, "pack_script", lambda entry: pack_script(entry, root))
    monkeypatch.setattr(packing, "pack_style", lambda paths: pack_style(paths, root))
    finder = PackedFiles()
    finder.storage._location = str(tmp_path / "packed")  # type: ignore[attr-defined]
    finder.storage.__dict__.pop("location", None)
    finder.storage.__dict__.pop("base_location", None)
    first = Path(finder.find("widget/packed.js"))
    assert "console.log(1)" in first.read_text()
    source = root / "widget/main.js"
    source.write_text("console.log(2);\n")
    later = first.stat().st_mtime + 5
    os.utime(source, (later, later))
    assert "console.log(2)" in Path(finder.find("widget/packed.js")).read_text()


def test_it_finds_nothing_else() -> None:
    assert PackedFiles().find("widget/main.js") == []
