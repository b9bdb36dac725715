"""The house rules that a reader relies on: which package imports which, and how large a module may grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("morello_isa", "loader", "emulator", "guest")
ALLOWED = {
    "morello_isa": {"morello_isa"},
    "loader": {"loader", "morello_isa"},
    "emulator": {"emulator", "loader", "morello_isa"},
    "guest": {"guest", "loader", "morello_isa"},
}
MAX_LINES = 800
PURE_TABLES = {"morello_isa/encodings", "morello_isa/sysregs_table.py"}


def _modules(package: str) -> Iterator[Path]:
    return (path for path in (REPOSITORY / package).rglob("*.py") if "build" not in path.parts)


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, is a star import) for every absolute import, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or "", any(alias.name == "*" for alias in node.names)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    wrong = []
    for path in _modules(package):
        for module, is_star in _imports(path):
            top = module.split(".")[0]
            if is_star or (top in PACKAGES and top not in ALLOWED[package]):
                wrong.append(f"{path.relative_to(REPOSITORY)} imports {module}")
            if top == "unicorn" and package != "emulator":
                wrong.append(f"{path.relative_to(REPOSITORY)} imports unicorn")
    assert wrong == []


def test_only_the_hosts_talk_to_unicorn() -> None:
    users = {
        str(path.relative_to(REPOSITORY))
        for path in _modules("emulator")
        if any(module.split(".")[0] == "unicorn" for module, _ in _imports(path))
    }
    assert users <= {f"emulator/engine/{name}.py" for name in ("host", "raw", "translate/host")}


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_plugin_needs_pytest(package: str) -> None:
    """It is no dependency of the package: only a session of pytest loads these modules."""
    users = {
        str(path.relative_to(REPOSITORY))
        for path in _modules(package)
        if any(module.split(".")[0] in ("pytest", "_pytest") for module, _ in _imports(path))
    }
    assert users <= {"emulator/testing/plugin.py", "emulator/testing/collect.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_stay_readable(package: str) -> None:
    long = [
        f"{path.relative_to(REPOSITORY)}: {lines}"
        for path in _modules(package)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
        and not any(str(path.relative_to(REPOSITORY)).startswith(table) for table in PURE_TABLES)
    ]
    assert long == []
