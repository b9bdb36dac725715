"""`morello profile`: the instructions of functions add up to the run's; stacks are those of the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.insight.conftest import DEMO, RunMorello


def test_tables(run_morello: RunMorello, loops: Path) -> None:
    done = run_morello("profile", "--top", "4", loops, "x", input="hello")
    assert (done.returncode, done.stdout) == (7, "377 17997000 5\n")
    lines = done.stderr.splitlines()
    assert lines[0] == "done x"
    assert "where the time went" in done.stderr
    for name in ("start-up", "translated code", "translation", "kernel", "entering and leaving"):
        assert any(line.startswith(f"  {name} ") for line in lines), name
    after = lines.index(next(line for line in lines if line.startswith("functions ")))
    assert lines[after + 1].split()[0] == "mix"
    assert any(line.split()[0] == "fib" for line in lines[after + 1 : after + 5])


def test_json_adds_up(run_morello: RunMorello, tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    done = run_morello("profile", "--json", file, "-o", tmp_path / "text", *DEMO)
    assert done.returncode == 0
    content = json.loads(file.read_text())
    functions = content["functions"]
    counted = sum(row["instructions"] for row in functions)
    ends = sum(row["count"] for row in content["exits"] if row["reason"] == "ends of turns")
    assert abs(content["instructions"] - counted - ends) <= 64
    assert sum(row["instructions"] for row in content["blocks"]) <= content["instructions"]
    # Both sides of the boundary, and what the reference engine did by name.
    assert {row["restricted"] for row in functions} == {False, True}
    assert any(row["name"] == "compile_function in libiwasm.so" for row in functions)
    details = {(row["reason"], row["detail"]) for row in content["exits"]}
    assert ("instructions of the reference engine", "svc") in details
    assert sum(content["time"].values()) == pytest.approx(content["seconds"], rel=0.05, abs=0.05)


def test_collapsed_stacks(run_morello: RunMorello, loops: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        file = tmp_path / name
        done = run_morello("profile", "--flame", file, "--period", "997", loops, "x", input="hello")
        assert done.returncode == 7
        assert "open it with flamegraph.pl" in done.stderr
        texts.append(file.read_text())
    assert texts[0] == texts[1]
    stacks = dict(line.rsplit(" ", 1) for line in texts[0].splitlines())
    assert all(count.isdecimal() and int(count) % 997 == 0 for count in stacks.values())
    deep = max(stacks, key=lambda stack: stack.count("fib [loops]"))
    assert deep.startswith("loops 100;_start [loops];")
    assert "main [loops];fib [loops];fib [loops];fib [loops]" in deep
    mix = sum(int(count) for stack, count in stacks.items() if stack.endswith("main [loops];mix [loops]"))
    assert mix > sum(map(int, stacks.values())) / 2


def test_speedscope_across_the_compartment_boundary(run_morello: RunMorello, tmp_path: Path) -> None:
    file = tmp_path / "flame.speedscope.json"
    assert run_morello("profile", "--flame", file, "-o", tmp_path / "text", *DEMO).returncode == 0
    content = json.loads(file.read_text())
    assert content["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = [frame["name"] for frame in content["shared"]["frames"]]
    profile = content["profiles"][0]
    assert profile["type"] == "sampled"
    assert len(profile["samples"]) == len(profile["weights"])
    assert sum(profile["weights"]) == profile["endValue"]
    stacks = [[frames[number] for number in sample] for sample in profile["samples"]]
    crossing = [
        stack for stack in stacks if "main [iwasm]" in stack and "run [libiwasm.so, Restricted]" in stack
    ]
    assert crossing
    for stack in crossing:
        assert stack.index("main [iwasm]") < stack.index("run [libiwasm.so, Restricted]")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "reference"], "profile: it is the fast engine's time that is shown"),
        (["--stats"], "profile: --stats belongs to 'morello run'"),
        (["--period", "5"], "profile: --period belongs to --flame"),
        (["--top", "0"], "profile: argument --top: '0' is not a number from 1"),
        (
            ["--json", "/tmp/same", "--flame", "/tmp/same"],
            "profile: -o, --json and --flame need files of their own",
        ),
        (["--flame", "/nowhere/x"], "/nowhere/x can't be written"),
        (["--frame", "x"], "profile: "),
    ],
)
def test_wrong_options(run_morello: RunMorello, options: list[str], message: str) -> None:
    done = run_morello("profile", *options, *DEMO)
    assert done.returncode == 125
    assert done.stderr.startswith(f"morello: {message}")
    assert done.stderr.count("\n") == 1


def test_a_program_that_isnt_there(run_morello: RunMorello) -> None:
    done = run_morello("profile", "/no/such/program")
    assert (done.returncode, done.stderr) == (127, "morello: /no/such/program does not exist\n")


def test_the_limit(run_morello: RunMorello, loops: Path) -> None:
    done = run_morello("profile", "--max-instructions", "20000", loops, input="")
    assert done.returncode == 124
    assert "20,000 instructions in" in done.stderr


def test_a_board(run_morello: RunMorello, image: Path, tmp_path: Path) -> None:
    """An image's functions; its output appears and its status is the command's."""
    file = tmp_path / "profile.json"
    done = run_morello("profile", "--image", image, "--json", file)
    assert done.returncode == 0
    assert done.stdout.startswith("hello from the board\n")
    assert "functions " in done.stderr
    content = json.loads(file.read_text())
    assert content["functions"][0]["name"] == "main in hello.elf"
    counted = sum(row["instructions"] for row in content["functions"])
    assert abs(content["instructions"] - counted) <= 64
    done = run_morello("profile", "--image", image, "--flame", file)
    assert done.returncode == 125
    assert done.stderr == "morello: profile: unrecognized arguments: --flame " + str(file) + "\n"
