"""Snapshots: compared always, written only on request, never silently, whole or not at all."""

from __future__ import annotations

import pytest

from emulator.testing.snapshots import Snapshot, SnapshotStore, difference, snapshot_path
from tests.plugin.conftest import Session, text_of

TEST = """
def test_it(morello):
    result = morello.run(morello.asm(ECHO), stdin={text!r})
    assert result.stdout == morello.snapshot()
    assert morello.snapshot("bytes") == result.stdout_bytes
"""


def test_life_of_a_snapshot(session: Session, pytester: pytest.Pytester) -> None:
    stored = pytester.path / "__snapshots__" / "test_inner" / "test_it.txt"
    missing = session(TEST.format(text="one\ntwo\n"))
    missing.assert_outcomes(failed=1)
    assert "--morello-update writes it" in text_of(missing) and not stored.parent.exists()

    written = session(None, "--morello-update")
    written.assert_outcomes(passed=1)
    written.stdout.fnmatch_lines(
        ["*morello snapshots*", "written: */test_it.bytes.txt", f"written: {stored}"]
    )
    assert stored.read_bytes() == b"one\ntwo\n"
    before = stored.stat()

    again = session(None, "--morello-update")
    again.assert_outcomes(passed=1)
    assert "morello snapshots" not in text_of(again) and stored.stat().st_ino == before.st_ino

    differs = session(TEST.format(text="one\n2\n"))
    differs.assert_outcomes(failed=1)
    differs.stdout.fnmatch_lines(["E  *output differs from the snapshot*", "E  *-two", "E  *+2"])
    assert stored.read_bytes() == b"one\ntwo\n"

    rewritten = session(None, "--morello-update")
    rewritten.stdout.fnmatch_lines([f"rewritten: {stored}"])
    assert stored.read_bytes() == b"one\n2\n"
    assert sorted(path.name for path in stored.parent.iterdir()) == ["test_it.bytes.txt", "test_it.txt"]


def test_one_name_has_one_text(session: Session) -> None:
    """Two texts under one name in a session: the second fails instead of replacing the first."""
    python = """
def test_it(morello):
    assert "a" == morello.snapshot("n")
    assert "b" == morello.snapshot("n")
"""
    result = session(python, "--morello-update")
    result.assert_outcomes(failed=1)
    assert "differs from the snapshot" in text_of(result)


def test_parameters_and_classes_have_their_own(session: Session, pytester: pytest.Pytester) -> None:
    python = """
class TestIt:
    @pytest.mark.parametrize("text", ["a/b", "a_b", "A" * 300])
    def test_it(self, morello, text):
        assert morello.snapshot() == text
        assert morello.snapshot() == text + "2"
"""
    session(python, "--morello-update").assert_outcomes(passed=3)
    session(python).assert_outcomes(passed=3)
    files = list((pytester.path / "__snapshots__" / "test_inner").iterdir())
    assert len(files) == 6 and all(len(path.name) < 120 for path in files)


def test_a_failed_write_leaves_the_old_text(tmp_path, monkeypatch) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        assert Snapshot(SnapshotStore(update=True), path) == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"] and path.read_bytes() == b"old"


def test_names_that_differ_have_files_that_differ(tmp_path) -> None:
    names = ["a b", "a_b", "a/b", "../x", ".x", "x" * 500, "x" * 501, "ü", ""]
    paths = {snapshot_path(tmp_path / "test_x.py", name) for name in names}
    assert len(paths) == len(names)
    assert {path.parent for path in paths} == {tmp_path / "__snapshots__" / "test_x"}


def test_differences_show_what_does_not_print() -> None:
    assert difference(b"a\n", b"a")[-2:] == ["-a", "+a (no line break at the end)"]
    assert difference(b"a\n", b"a\r\n")[-2:] == ["-a", "+a\\r"]
    assert difference(b"\xff\n", b"\xfe\n")[-2:] == ["-\\xff", "+\\xfe"]
