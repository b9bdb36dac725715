"""Real programs: Debian's static busybox, and dynamic ones with their own ld.so."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.linux.debian import unpacked


@pytest.fixture(scope="module")
def busybox() -> Path:
    return unpacked("busybox", "busybox-static")


@pytest.fixture(scope="module")
def debian() -> Path:
    return unpacked(
        "dynamic",
        "libc6",
        "dash",
        "coreutils",
        "libselinux1",
        "libpcre2-8-0",
        "libacl1",
        "libattr1",
        "libgmp10",
    )


def in_tree(
    run_morello, tree: Path, program: str, *arguments: str, **options: object
) -> subprocess.CompletedProcess[str]:
    return run_morello("run", "--root", tree, tree / program, *arguments, **options)


def test_shell_arithmetic_and_sha256sum(run_morello, busybox) -> None:
    result = in_tree(run_morello, busybox, "bin/busybox", "sh", "-c", "echo $((6*7)) | sha256sum")
    assert result.stdout == hashlib.sha256(b"42\n").hexdigest() + "  -\n"
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("awk", 'BEGIN { for (i = 1; i <= 10; i++) s += i * i; print s, length("abc") }'), "385 3\n"),
        (("sort", "-n", "/tmp/numbers"), "1\n9\n30\n"),
        (("find", "/tmp", "-type", "f"), "/tmp/numbers\n"),
        (("sh", "-c", 'x=$(ls /tmp); echo "<$x>"; cd /tmp && pwd'), "<numbers>\n/tmp\n"),
        (("sh", "-c", "trap 'echo got' USR1; kill -USR1 $$; echo after"), "got\nafter\n"),
        (("sh", "-c", "(sleep 100; echo slept) & echo first; wait"), "first\nslept\n"),
        (("sh", "-c", "{ timeout 1 sleep 5; echo $?; } 2>/dev/null"), "143\n"),
        (("sed", "s/3/x/", "/tmp/numbers"), "x0\n9\n1\n"),
    ],
)
def test_busybox_applets(run_morello, busybox, arguments, expected) -> None:
    (busybox / "tmp" / "numbers").write_text("30\n9\n1\n")
    result = in_tree(run_morello, busybox, "bin/busybox", *arguments)
    assert (result.stdout, result.stderr, result.returncode) == (expected, "", 0)


def test_exit_status_and_signals_of_a_shell(run_morello, busybox) -> None:
    assert in_tree(run_morello, busybox, "bin/busybox", "sh", "-c", "exit 7").returncode == 7
    assert in_tree(run_morello, busybox, "bin/busybox", "sh", "-c", "kill -TERM $$").returncode == 143
    assert in_tree(run_morello, busybox, "bin/busybox", "false").returncode == 1


def test_files_can_be_made_changed_and_removed(run_morello, busybox) -> None:
    script = "mkdir -p /tmp/d && echo a > /tmp/d/x && mv /tmp/d/x /tmp/d/y && ln -s y /tmp/d/l && cat /tmp/d/l && rm -r /tmp/d && ls /tmp"
    (busybox / "tmp" / "numbers").write_text("1\n")
    result = in_tree(run_morello, busybox, "bin/busybox", "sh", "-c", script)
    assert (result.stdout, result.stderr) == ("a\nnumbers\n", "")


def test_standard_input_reaches_the_guest(run_morello, busybox) -> None:
    result = in_tree(run_morello, busybox, "bin/busybox", "tr", "a-z", "A-Z", input="quiet\n")
    assert result.stdout == "QUIET\n"


@pytest.mark.slow
def test_dynamic_programs_with_their_own_interpreter(run_morello, debian) -> None:
    script = "echo dynamic $((1+2)); printf '%s\\n' b a c | sort | tr '\\n' ' '; uname -m; seq 3 | wc -l"
    result = in_tree(run_morello, debian, "bin/dash", "-c", script)
    assert (result.stdout, result.stderr) == ("dynamic 3\na b c aarch64\n3\n", "")


def test_missing_interpreter_is_one_sentence(run_morello, debian) -> None:
    result = run_morello("run", debian / "bin" / "dash", "-c", "true")
    assert result.returncode == 127
    assert result.stderr.count("\n") == 1 and "ld-linux-aarch64.so.1" in result.stderr
