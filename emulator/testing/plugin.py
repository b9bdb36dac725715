"""The pytest plugin (entry point `pytest11`). Nothing of the emulator is imported before a test uses it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emulator.testing.settings import ENGINES, MorelloError, Settings, is_for_the_user

if TYPE_CHECKING:
    from emulator.testing.collect import MorelloFile
    from emulator.testing.fixture import Morello, Workshop
    from emulator.testing.snapshots import Snapshot

__tracebackhide__ = is_for_the_user

SUFFIX = ".morello.toml"
MARKER = (
    "morello(abi=, engine=, memory=, max_instructions=, strict_restricted=, env=): how the machines of the "
    "fixture `morello` are made for this test"
)
REPLAY_LIMIT = 3_000_000
MAX_REPORTED = 3
"""Runs of one test that a failure report tells about."""
_INI = ("engine", "memory", "max_instructions")

_WORKSHOP = pytest.StashKey["Workshop"]()
_FOLDER = pytest.StashKey[Path]()
_CHANGES = pytest.StashKey["list[tuple[str, str]]"]()
MORELLO = pytest.StashKey["Morello"]()
"""The object of a test, on its item."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Command line and ini options."""
    group = parser.getgroup("morello", "Morello emulator")
    group.addoption("--morello-update", action="store_true", help="write snapshots that are new or differ")
    group.addoption("--morello-engine", choices=ENGINES, help="engine of tests that don't choose one")
    group.addoption(
        "--morello-replay",
        metavar="N",
        type=int,
        default=REPLAY_LIMIT,
        help="repeat failed runs of up to N instructions to show last instructions and provenance "
        f"(default {REPLAY_LIMIT:,}; 0: never)",
    )
    parser.addini("morello_engine", "engine of tests that don't choose one: reference or fast")
    parser.addini("morello_memory", "memory of a guest, such as 256M")
    parser.addini("morello_max_instructions", "instructions after which a run ends with status 124")


def pytest_configure(config: pytest.Config) -> None:
    """The marker; wrong ini values end the session."""
    config.addinivalue_line("markers", MARKER)
    try:
        session_settings(config)
    except MorelloError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    """The session's folder goes; a worker's belongs to the controller."""
    folder = config.stash.get(_FOLDER, None)
    if folder is not None and not hasattr(config, "workerinput"):
        shutil.rmtree(folder, ignore_errors=True)


# -- what tests share -----------------------------------------------------------------------------------


def session_settings(config: pytest.Config) -> Settings:
    """Defaults, ini options, command line. MorelloError for wrong values."""
    values = {name: config.getini(f"morello_{name}") for name in _INI if config.getini(f"morello_{name}")}
    settings = Settings().changed(values, "the ini option")
    engine = config.getoption("--morello-engine")
    return settings.changed({"engine": engine}, "--morello-engine") if engine else settings


def settings_of(item: pytest.Item) -> Settings:
    """With the markers of class and module, the nearest last. MorelloError for a wrong marker."""
    settings = session_settings(item.config)
    for mark in reversed([*item.iter_markers("morello")]):
        if mark.args:
            raise MorelloError("@pytest.mark.morello takes named options only, such as abi='full'")
        settings = settings.changed(mark.kwargs, "@pytest.mark.morello")
    return settings


def session_folder(config: pytest.Config) -> Path:
    """One folder for all processes of the session."""
    folder = config.stash.get(_FOLDER, None)
    if folder is None:
        given = getattr(config, "workerinput", {}).get("morello_folder")
        folder = Path(given) if given else Path(tempfile.mkdtemp(prefix="morello-tests-"))
        config.stash[_FOLDER] = folder
    return folder


def workshop(config: pytest.Config) -> Workshop:
    """Made at the first use in this process."""
    from emulator.testing.fixture import Workshop
    from emulator.testing.snapshots import SnapshotStore

    shop = config.stash.get(_WORKSHOP, None)
    if shop is None:
        store = SnapshotStore(config.getoption("--morello-update"))
        limit = config.getoption("--morello-replay")
        shop = Workshop(session_folder(config), config.rootpath, store, limit)
        config.stash[_WORKSHOP] = shop
    return shop


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: a worker uses the controller's folder."""
    node.workerinput["morello_folder"] = str(session_folder(node.config))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """xdist: a worker tells which snapshots it wrote."""
    output = getattr(session.config, "workeroutput", None)
    shop = session.config.stash.get(_WORKSHOP, None)
    if output is not None and shop is not None:
        output["morello_snapshots"] = shop.snapshots.changes


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """xdist: collect what a worker told."""
    told = getattr(node, "workeroutput", {}).get("morello_snapshots", [])
    node.config.stash.setdefault(_CHANGES, []).extend((str(path), str(what)) for path, what in told)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Snapshots are never written silently."""
    shop = config.stash.get(_WORKSHOP, None)
    changes = [*config.stash.get(_CHANGES, []), *(shop.snapshots.changes if shop is not None else [])]
    if changes:
        terminalreporter.section("morello snapshots")
        for path, what in sorted(changes):
            terminalreporter.line(f"{what}: {path}")


# -- tests in Python ------------------------------------------------------------------------------------


@pytest.fixture
def morello(request: pytest.FixtureRequest) -> Morello:
    """Runs programs, board images, C, assembly and WebAssembly, each in a machine of its own.

    See docs/testing.md and `emulator.testing.fixture.Morello`.
    """
    try:
        return morello_of(request.node)
    except MorelloError as error:
        pytest.fail(str(error), pytrace=False)


def morello_of(item: pytest.Item) -> Morello:
    """A new object for a test, also when it is run again. MorelloError for wrong markers."""
    from emulator.testing.fixture import Morello

    name = item.nodeid.split("::", 1)[-1].replace("::", ".")
    made = item.stash[MORELLO] = Morello(workshop(item.config), settings_of(item), item.path, name)
    return made


def pytest_assertrepr_compare(
    config: pytest.Config,  # noqa: ARG001  (pluggy passes by name)
    op: str,
    left: object,
    right: object,
) -> list[str] | None:
    """A snapshot that differs is shown as a diff."""
    if op != "==" or not {type(left).__name__, type(right).__name__} & {"Snapshot"}:
        return None
    from emulator.testing.snapshots import Snapshot

    snapshot: Snapshot
    for snapshot, found in ((left, right), (right, left)):  # type: ignore[assignment]
        if isinstance(snapshot, Snapshot) and isinstance(found, str | bytes):
            return snapshot.difference(found)
    return None


# -- tests in TOML --------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> MorelloFile | None:
    """`*.morello.toml`."""
    if not file_path.name.endswith(SUFFIX) or file_path.name == SUFFIX:
        return None
    from emulator.testing.collect import MorelloFile

    return MorelloFile.from_parent(parent, path=file_path)


# -- reports --------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001  (pluggy passes by name)
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test's runs are explained in sections of its report."""
    report = yield
    made = item.stash.get(MORELLO, None)
    if made is not None and report.failed and report.when in ("setup", "call"):
        from emulator.testing.report import describe

        first = max(len(made.runs) - MAX_REPORTED, 0)
        for number, result in enumerate(made.runs[first:], first + 1):
            report.sections.append((f"morello run {number}", describe(result)))
    if made is not None and report.when == "teardown":
        made.close()
    return report
