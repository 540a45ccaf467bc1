"""Who may import whom, and who may do what (docs/architecture.md). Imports that only
the type checker reads are nobody's dependency and are not looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parent.parent
APPS = ("helpdesk", "agents", "customers")

# From the ground up. A module imports from its own level and from those above it in
# this list; a new module has to say where it belongs.
LEVELS = {
    "ground": """
        errors filetypes log models origins protocol reasons refusals
        secrets tally whys words
    """,
    "rules": "hours pace",  # pure: values in, a value out
    "machinery": """
        database hub limits newest pictures presence pulse sending together writer
        written
    """,
    "what is shown": "uploads snapshots",
    "verbs": "conversations pairing supervising",
    "outside": """
        admin clock consumers desk followups health metrics prometheus
        templatetags transcripts voices watching
    """,
    "wiring": """
        __init__ __main__ apps asgi checks doctor door embedded first_start lifespan
        management mirror routes serving sessions settings static transport
        urls
    """,
}
LEVEL_OF = {
    name: level for level, names in enumerate(LEVELS.values()) for name in names.split()
}
WIRING = list(LEVELS).index("wiring")

# The models' own package declares them; migrations repeat what it says.
INSERTS = {"create", "bulk_create", "get_or_create", "update_or_create"}
CHANGES = INSERTS | {"update", "bulk_update", "delete"}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the three apps by its dotted name, migrations left out."""
    return {
        dotted(path): ast.parse(path.read_text(), str(path))
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts
    }


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(module: str) -> set[str]:
    """What it imports at run time, as dotted names: `from . import hub` in
    helpdesk.pairing is helpdesk.hub."""
    found = set()
    for node in run_time_nodes(modules()[module]):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")[: -node.level]
    return ".".join([*parts, *([node.module] if node.module else [])])


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from run_time_nodes(node)


def part(name: str) -> str:
    """The part of the desk that a name belongs to: writer, for helpdesk.writer.plan."""
    return name.split(".")[1] if name.count(".") else "__init__"


def of_app(app: str) -> list[str]:
    return [name for name in modules() if name.split(".")[0] == app]


@pytest.mark.parametrize(
    ("app", "other"), [("agents", "customers"), ("customers", "agents")]
)
def test_agents_and_customers_never_know_each_other(app: str, other: str) -> None:
    for module in of_app(app):
        known = [name for name in imports(module) if name.split(".")[0] == other]
        assert not known, f"{module} imports {known}"


def test_the_desk_knows_neither_agents_nor_customers() -> None:
    for module in of_app("helpdesk"):
        if part(module) == "asgi":
            continue
        known = [
            n for n in imports(module) if n.split(".")[0] in ("agents", "customers")
        ]
        assert not known, f"{module} imports {known}"


def test_every_part_of_the_desk_has_its_level() -> None:
    assert {part(module) for module in of_app("helpdesk")} <= set(LEVEL_OF)


def test_imports_point_down() -> None:
    for module in of_app("helpdesk"):
        level = LEVEL_OF.get(part(module), WIRING)
        for name in imports(module):
            if name.startswith("helpdesk.") and part(name) in LEVEL_OF:
                assert LEVEL_OF[part(name)] <= level, f"{module} imports {name}"


def test_the_edges_do_not_reach_into_the_wiring() -> None:
    for module in of_app("agents") + of_app("customers"):
        for name in imports(module):
            if name.startswith("helpdesk."):
                assert LEVEL_OF.get(part(name)) != WIRING, f"{module} imports {name}"


def test_protocol_is_pure() -> None:
    """It knows no Django, no loop and no socket."""
    outside = {"django", "asyncio", "channels", "threading", "socket"}
    pure = [m for m in of_app("helpdesk") if part(m) in ("protocol", "reasons")]
    assert len(pure) > 2
    for module in pure:
        assert not {name.split(".")[0] for name in imports(module)} & outside, module


def test_only_the_hub_touches_the_channel_layer() -> None:
    for module in modules():
        touches = any(name.startswith("channels.layers") for name in imports(module))
        assert not touches or module == "helpdesk.hub", module


@pytest.mark.parametrize(
    ("model", "acts", "allowed"),
    [
        ("Message", INSERTS, {"writer"}),
        ("Conversation", CHANGES, {"conversations", "pairing", "writer"}),
        ("Assignment", CHANGES, {"conversations", "pairing"}),
    ],
)
def test_a_fact_is_changed_in_one_place(
    model: str, acts: set[str], allowed: set[str]
) -> None:
    for module, tree in modules().items():
        if module.startswith("helpdesk.") and part(module) in allowed:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                assert not acts_on(node, model, acts), (
                    f"{module}:{node.lineno} {ast.unparse(node)}"
                )


def acts_on(call: ast.Call, model: str, acts: set[str]) -> bool:
    """`Message.objects.create(…)`, however many filters stand between."""
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in acts
        and any(
            isinstance(node, ast.Attribute)
            and node.attr == "objects"
            and isinstance(node.value, ast.Name)
            and node.value.id == model
            for node in ast.walk(function)
        )
    )


def test_only_the_writer_inserts_messages_in_sql() -> None:
    for module, tree in modules().items():
        if part(module) == "writer":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = " ".join(node.value.lower().split())
                assert "insert into helpdesk_message" not in words, module


@pytest.mark.parametrize("app", APPS)
def test_one_initial_migration_an_app(app: str) -> None:
    """Until the first release; customers ← agents ← helpdesk."""
    assert (ROOT / app / "migrations" / "0001_initial.py").exists()
    known = {"customers": set(), "agents": {"customers"}, "helpdesk": {*APPS}}
    for path in (ROOT / app / "migrations").glob("0*.py"):
        for other in APPS:
            if other != app and f'("{other}", "0' in path.read_text():
                assert other in known[app], f"{path.name} depends on {other}"


@pytest.mark.django_db
def test_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
