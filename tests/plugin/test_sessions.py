"""Whole sessions: with xdist workers, and the example project of the documentation."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.plugin.conftest import Session, text_of

EXAMPLE = REPOSITORY / "docs" / "example-project"
MANY = """
SOURCE = "int main(int argc, char **argv) { return argc; }\\n"

@pytest.mark.parametrize("n", range(8))
def test_it(morello, n, tmp_path_factory):
    program = morello.cc(SOURCE)
    assert morello.run(program, *(["x"] * n)).status == n + 1
    result = morello.run(morello.asm(ECHO), stdin=f"number {n}")
    assert result.stdout == morello.snapshot()
    with open(LOG, "a") as log:
        log.write(f"{program}\\n")
"""


def test_workers_share_what_was_built(session: Session, pytester: pytest.Pytester) -> None:
    log = pytester.path / "log"
    python = f"LOG = {str(log)!r}\n" + MANY
    first = session(python, "-n", "2", "--morello-update", subprocess=True)
    first.assert_outcomes(passed=8)
    assert len([line for line in first.outlines if line.startswith("written: ")]) == 8
    programs = log.read_text().splitlines()
    assert len(programs) == 8 and len(set(programs)) == 1
    # The session's folder is gone with it.
    assert not Path(programs[0]).exists() and Path(programs[0]).is_relative_to(tempfile.gettempdir())
    session(None, "-n", "2", subprocess=True).assert_outcomes(passed=8)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example project."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "project"))


def test_example_project_with_workers(example: Path, pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", f"--rootdir={example}", "-c", example / "pyproject.toml", "-n", "2", example
    )
    done.assert_outcomes(passed=11, xfailed=1)


def test_example_project_notices_a_mistake(example: Path, pytester: pytest.Pytester) -> None:
    """Without the length check its tests fail, and the report says where and why."""
    source = example / "src" / "settings.c"
    source.write_text(source.read_text().replace(" || equals - line >= NAME_SIZE", ""))
    done = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", f"--rootdir={example}", "-c", example / "pyproject.toml", example
    )
    done.assert_outcomes(passed=10, failed=1, xfailed=1)
    done.stdout.fnmatch_lines(
        ["*capability bounds fault: strb*copy_name*", "where c*came from:", "*scbnds*malloc*24 bytes"]
    )
    assert "test_names_that_are_too_long_are_refused" in text_of(done)
