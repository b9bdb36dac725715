"""`morello run` itself: options, messages, exit statuses."""

from __future__ import annotations

import pytest

HELLO = 'mov x0, #1\nadr c1, text\nmov x2, #6\nsyscall 64\nexit_with #3\ntext: .ascii "hello\\n"\n.balign 4'


def test_output_and_status_are_the_guests(run_morello, assemble) -> None:
    result = run_morello("run", assemble(HELLO))
    assert (result.stdout, result.stderr, result.returncode) == ("hello\n", "", 3)


def test_stats_go_to_stderr(run_morello, assemble) -> None:
    result = run_morello("run", "--stats", assemble(HELLO))
    assert result.stdout == "hello\n"
    assert result.stderr.startswith("── 8 instructions") and "2 system calls" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--nonsense", "x"], 125, "--nonsense"),
        ([], 125, "PROGRAM"),
        (["--max-instructions", "0", "x"], 125, "max-instructions"),
        (["--memory", "12x", "x"], 125, "size"),
        (["--abi", "other", "x"], 125, "abi"),
        (["--env", "novalue", "x"], 125, "NAME=VALUE"),
        (["--root", "/nowhere", "x"], 125, "not a directory"),
        (["--dir", "/nowhere", "x"], 125, "not a directory"),
        (["/nowhere/program"], 127, "does not exist"),
        (["/"], 126, "directory"),
    ],
)
def test_wrong_use_is_one_sentence(run_morello, arguments, status, words) -> None:
    result = run_morello("run", *arguments)
    assert result.returncode == status
    assert result.stdout == "" and result.stderr.count("\n") == 1
    assert result.stderr.startswith("morello: ") and words in result.stderr


def test_files_that_are_no_programs(run_morello, assemble, tmp_path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("# Shopping\n")
    result = run_morello("run", text)
    assert result.returncode == 126 and "is not an ELF file" in result.stderr
    image = assemble(HELLO).read_bytes()
    for cut in (0, 3, 40, 70, 300):
        broken = tmp_path / "broken"
        broken.write_bytes(image[:cut])
        result = run_morello("run", broken)
        assert result.returncode in (126, 127) and result.stderr.count("\n") == 1
        assert "Traceback" not in result.stderr


def test_instruction_limit(run_morello, assemble) -> None:
    result = run_morello("run", "--max-instructions", "1000", assemble("again: b again"))
    assert (
        result.returncode == 124
        and result.stderr == "morello: stopped after 1,000 instructions (--max-instructions)\n"
    )


def test_fault_is_explained(run_morello, assemble) -> None:
    result = run_morello("run", assemble("scbnds c1, csp, #16\nstr x3, [c1, #16]"))
    assert result.returncode == 139
    assert "capability bounds fault: str x3, [c1, #16]" in result.stderr and "_start+0x4" in result.stderr


def test_environment_is_only_what_was_given(run_morello, assemble) -> None:
    text = """
        mov c20, c2
    next:
        ldr c1, [c20], #16
        gctag x0, c1
        cbz x0, done
        gclen x2, c1
        mov x0, #1
        syscall 64
        b next
    done:
        exit_with #0
    """
    result = run_morello("run", "--env", "COLOUR=red", assemble(text))
    variables = dict(item.split("=", 1) for item in result.stdout.strip("\0").split("\0"))
    assert variables["COLOUR"] == "red"
    assert set(variables) == {"PATH", "HOME", "TERM", "COLOUR"}


def test_scripts_run_with_their_interpreter(run_morello, assemble, tmp_path) -> None:
    program = assemble(HELLO)
    script = tmp_path / "script"
    script.write_text(f"#!{program} option\n")
    script.chmod(0o755)
    assert run_morello("run", script, program).stdout == "hello\n"
