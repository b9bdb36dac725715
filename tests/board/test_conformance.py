"""The conformance runner, and the given images when they are there."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from emulator.board.conformance.image import Job, Verdict, find_images, judge, run_image
from emulator.board.conformance.report import table, write_json, write_junit
from emulator.board.conformance.runner import run_jobs
from emulator.board.outcome import Outcome, OutcomeKind
from emulator.cli.conformance import main
from morello_isa.errors import UserError

IMAGES = Path(__file__).parents[3] / "shared" / "conformance" / "generated"
needs_images = pytest.mark.skipif(not IMAGES.is_dir(), reason="no conformance images here")


def test_verdicts_follow_the_output() -> None:
    reported = OutcomeKind.REPORTED
    assert judge(Outcome(reported, b"OK\n")) is Verdict.PASS
    assert judge(Outcome(reported, b"FAILED\n")) is Verdict.FAIL
    assert judge(Outcome(reported, b"OK\nOK\n")) is Verdict.UNCLEAR
    assert judge(Outcome(OutcomeKind.LIMIT)) is Verdict.LIMIT
    assert judge(Outcome(OutcomeKind.STUCK, "x")) is Verdict.STUCK


def test_bad_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        find_images(tmp_path / "none")
    with pytest.raises(UserError, match="no images"):
        find_images(tmp_path)
    (tmp_path / "a_test1.elf").write_bytes(b"x")
    with pytest.raises(UserError, match="matches 'zzz'"):
        find_images(tmp_path, "zzz")


def test_broken_images_cost_only_themselves(tmp_path: Path) -> None:
    """Garbage, a truncated gzip file and an ELF file of another machine; none ends the run."""
    (tmp_path / "a_test1.elf").write_bytes(b"no ELF file")
    (tmp_path / "a_test2.elf.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    (tmp_path / "a_test3.elf").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    jobs = [Job(path, name, group) for path, name, group in find_images(tmp_path)]
    results = list(run_jobs(jobs, 2))
    assert {r.verdict for r in results} == {Verdict.UNREADABLE} and len(results) == 3
    assert main([str(tmp_path), "--jobs", "1"]) == 1


def test_wrong_options_exit_125(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--jobs", "0", "x"], ["--engine", "warp", "x"], []):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 125
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


@needs_images
def test_sample_passes_and_reports_are_written(tmp_path: Path) -> None:
    images = find_images(IMAGES)[::60]
    results = [run_image(Job(path, name, group)) for path, name, group in images]
    bad = [(r.name, r.explanation) for r in results if r.verdict is not Verdict.PASS]
    assert not bad
    write_json(tmp_path / "r.json", results)
    write_junit(tmp_path / "r.xml", results)
    assert len(json.loads((tmp_path / "r.json").read_text())) == len(images)
    suite = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert suite.get("failures") == "0" and len(suite) == len(images)
    assert "total" in table(results)


@needs_images
def test_corrupted_expectations_fail_and_are_explained() -> None:
    for path, name, group in find_images(IMAGES)[5::200]:
        result = run_image(Job(path, name, group, corrupt=True))
        assert result.verdict is Verdict.FAIL
        text = "\n".join(result.explanation)
        assert "comparison at" in text and "last instructions" in text


@needs_images
def test_instruction_limit_is_a_verdict_with_an_explanation() -> None:
    path, name, group = find_images(IMAGES)[0]
    result = run_image(Job(path, name, group, limit=50))
    assert result.verdict is Verdict.LIMIT and result.explanation


@needs_images
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_all_images_pass(engine: str) -> None:
    """1,694 of 1,694."""
    assert main([str(IMAGES), "--engine", engine, "--jobs", str(min(os.cpu_count() or 1, 2))]) == 0
