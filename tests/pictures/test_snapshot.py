"""What a capability map is made of: the snapshot of a process, what Restricted code reaches, the data, the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.linux.kernel import Options
from emulator.linux.session import Request, Session
from emulator.memory.address_space import Area, Prot
from emulator.pictures.moments import LastMoment
from emulator.pictures.page_data import page_data
from emulator.pictures.page_html import embedded, page_html
from emulator.pictures.snapshot import MOST_CAPABILITIES, Reach, Snapshot, _thinned
from morello_isa.capability import CAP_MAX, Capability
from morello_isa.permissions import ObjectType, Perm
from tests.pictures.conftest import DEMO, HELLO, REPOSITORY, RunMorello


def snapshot_at_exit(*command: str) -> tuple[Snapshot, Callable[[int], str], int]:
    """(snapshot, names, tags in memory) of a program's last moment."""
    kept: list = []

    def keep(snapshot: Snapshot, where: Callable[[int], str]) -> None:
        kept.append((snapshot, where, session.process.space.tag_count()))

    session = Session(Request(command[0], command[1:]), Options(), observer=LastMoment(keep))
    session.kernel.run()
    (found,) = kept
    return found


def capability(base: int, length: int, drop: int = 0, otype: int = 0) -> Capability:
    """[base, base+length), Executive unless dropped, sealed with `otype`."""
    made = CAP_MAX.set_value(base).set_bounds(length, exact=True).clear_permissions(drop)
    assert made.tag
    return made.with_object_type(otype)


EXECUTIVE = Perm.EXECUTIVE


@pytest.mark.parametrize(
    ("link", "follows"),
    [
        (capability(0x2000, 0x20), True),
        (capability(0x2000, 0x20, Perm.LOAD_CAP), False),
        (capability(0x2000, 0x20, Perm.LOAD), False),
        (capability(0x2000, 0x20, EXECUTIVE, ObjectType.RB), True),
        (capability(0x2000, 0x20, 0, ObjectType.RB), False),
        (capability(0x2000, 0x20, EXECUTIVE, 0x1234), False),
        (capability(0x2001, 0x20), False),
        (capability(0x2000, 0x8), False),
    ],
)
def test_what_is_followed(link: Capability, follows: bool) -> None:
    # Memory: 0x1000 holds `link`, 0x2000 points back, 0x2010 on to 0x3000, where one more lies; 0x4000 is not readable.
    places = [0x1000, 0x2000, 0x2010, 0x3000, 0x4000]
    values = [
        link,
        capability(0x1000, 0x10),
        capability(0x3000, 0x10),
        capability(0x4000, 0x10),
        capability(0x1000, 0x10),
    ]
    readable = [Area(page, page + 0x1000, Prot.READ) for page in (0x1000, 0x2000, 0x3000)]
    reach = Reach(places, values, readable)
    reach.follow_range(0x1000, 0x2000)
    found = reach.finish()
    # 0x2001: the granule at 0x2000 isn't wholly within its bounds, the next one is.
    assert found == ({0, 1, 2, 3} if follows else {0, 2, 3} if link.base == 0x2001 else {0})


def test_reach_visits_many_overlapping_ranges_once() -> None:
    places = list(range(0x1000, 0x1000 + 16 * 4000, 16))
    values = [capability(0x1000, 16 * (n + 1) & -256 or 16) for n in range(4000)]
    reach = Reach(places, values, [Area(0x1000, 0x1000 + 16 * 4096, Prot.READ)])
    reach.follow_range(0x1000, places[-1] + 16)
    assert reach.finish() == set(range(4000))


def test_the_demo_at_its_end(capfd) -> None:
    snapshot, where, tags = snapshot_at_exit(*DEMO)
    assert capfd.readouterr().out == HELLO
    assert (snapshot.program, snapshot.moment) == ("iwasm", "at exit with status 0")
    assert snapshot.restricted_libraries == ["libiwasm.so"] and snapshot.purecap
    in_memory = [held for held in snapshot.capabilities if held.address is not None]
    assert len(in_memory) == tags == sum(sum(area.tags.values()) for area in snapshot.areas) > 1000
    registers = {held.register: held for held in snapshot.capabilities if held.address is None}
    assert snapshot.total == len(in_memory) + len(registers)
    assert (
        registers["pcc"].value.has(int(EXECUTIVE))
        and not registers["pcc"].reachable
        and "rcsp" not in registers
    )
    library = [area for area in snapshot.areas if area.group == "libiwasm.so"]
    inside = [h for h in in_memory if any(a.start <= h.address < a.limit for a in library)]
    assert len(inside) > 700 and all(held.reachable for held in inside)
    # The compartment's whole way out while nobody calls it: a sealed entry of the manager's.
    gates = [h for h in snapshot.capabilities if h.reachable and h.value.has(int(EXECUTIVE | Perm.EXECUTE))]
    assert gates and all(gate.value.otype == ObjectType.RB for gate in gates)
    assert {where(gate.value.value & ~1) for gate in gates} == {"iwasm`CompartmentServiceEntry"}
    stack = next(area for area in snapshot.areas if area.label == "stack of thread 100")
    assert stack.group == "[stack]" and stack.rights == "rw-"


def test_numbers_beyond_javascripts_are_text() -> None:
    snapshot, where, _ = snapshot_at_exit(*DEMO)
    data = json.loads(json.dumps(page_data(snapshot, where)))
    columns = data["capabilities"]
    assert {len(column) for column in columns.values()} == {len(snapshot.capabilities)}
    for index, held in enumerate(snapshot.capabilities):
        value, shape = held.value, data["shapes"][columns["shape"][index]]
        numbers = [
            int(n, 16) if isinstance(n, str) else n for n in (columns["value"][index], shape[0], shape[1])
        ]
        assert numbers == [value.value, value.base, value.limit]
        assert all(isinstance(n, str) or n < 1 << 53 for n in (columns["value"][index], shape[0], shape[1]))
        assert (shape[2], shape[3], int(shape[5], 16)) == (value.permissions, value.otype, value.hi)
        assert bool(columns["reach"][index]) == held.reachable


def test_what_the_guest_chose_cannot_end_the_data_block() -> None:
    evil = "</script><img src=x onerror=alert(1)>&<!--\u2028\ud800"
    text = embedded({"program": evil})
    assert not set("<>&\u2028") & set(text) and text.isascii()
    assert json.loads(text) == {"program": evil}
    snapshot = Snapshot("{{script}}{{data}}" + evil, [evil], "at exit", 1, True, [])
    html = page_html(page_data(snapshot, lambda _: evil))
    assert html.count("</script>") == 2 and "onerror" in html and "<img" not in html


def test_too_many_capabilities_are_thinned_evenly() -> None:
    assert MOST_CAPABILITIES >= 100_000
    items = list(range(1000))
    assert list(_thinned(iter(items), 1000, 1000)) == items
    assert list(_thinned(iter(items), 1000, 300)) == items[::4]


def _data(file: Path) -> dict:
    text = file.read_text().split('<script type="application/json" id="data">')[1].split("</script>")[0]
    return json.loads(text)


def _registers(data: dict) -> set[str]:
    return {data["strings"][number] for number in data["capabilities"]["register"]} - {""}


def test_moments(run_morello: RunMorello, tmp_path: Path, compiled: Callable[..., Path]) -> None:
    overflow, file = compiled(REPOSITORY / "guest" / "examples" / "overflow.c"), tmp_path / "map.html"
    done = run_morello("capmap", overflow, "-o", file)
    assert (done.returncode, done.stdout) == (139, "before\n")
    assert "capability bounds fault" in done.stderr and _data(file)["moment"] == "killed by SIGSEGV"
    at_exit = _data(file)
    done = run_morello("capmap", "--at", "fault", "-o", file, overflow)
    assert (done.returncode, done.stdout) == (0, "before\n")
    at_fault = _data(file)
    assert at_fault["moment"].startswith("capability bounds fault: strb") and "c0" in _registers(at_fault)
    assert at_fault["capabilities"]["value"] == at_exit["capabilities"]["value"]
    done = run_morello("capmap", "--at", "fill", "-o", file, overflow)
    assert done.returncode == 0 and _data(file)["moment"] == "at fill"
    pcc = _data(file)["capabilities"]
    assert _data(file)["strings"][pcc["toName"][0]].startswith("overflow`fill")
    done = run_morello("capmap", "--at", "1_000", "-o", file, overflow)
    assert (done.returncode, done.stdout, _data(file)["instructions"]) == (0, "", 1000)
    done = run_morello("capmap", "--max-instructions", "1000", "-o", file, overflow)
    assert done.returncode == 124 and _data(file)["instructions"] == 1000
    assert _data(file)["moment"] == "stopped by --max-instructions"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["PROGRAM"], 125, "capmap: -o FILE says where the page goes"),
        (["--stats", "PROGRAM", "-o", "FILE"], 125, "--stats belongs to 'morello run'"),
        (
            ["--at", "nowhere", "PROGRAM", "-o", "FILE"],
            125,
            "exited with status 0 before '--at nowhere' was reached; there is no map",
        ),
        (["--at", "999999999", "PROGRAM", "-o", "FILE"], 125, "before '--at 999999999' was reached"),
        (["--at", "*nonsense", "PROGRAM", "-o", "FILE"], 125, "capmap: --at *nonsense: there is no register"),
        (["--at", "fault", "/no/such/program", "-o", "FILE"], 127, "/no/such/program does not exist"),
    ],
)
def test_wrong_input(
    run_morello: RunMorello, tmp_path: Path, compiled, arguments, status: int, message: str
) -> None:
    program, file = compiled(REPOSITORY / "guest" / "examples" / "hello.c"), tmp_path / "map.html"
    file.write_text("the map before")
    words = [a.replace("PROGRAM", str(program)).replace("FILE", str(file)) for a in arguments]
    done = run_morello("capmap", *words)
    assert done.returncode == status and message in done.stderr and done.stderr.count("\n") == 1
    assert file.read_text() == "the map before" and list(tmp_path.iterdir()) == [file]
