"""System register table and syndrome names."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from morello_isa.syndrome import (
    ExceptionClass,
    describe_syndrome,
    fault_status_name,
    pack_syndrome,
    unpack_syndrome,
)
from morello_isa.sysregs import REGISTERS, find_name, find_register, generic_name, key_of_name

SHEET = Path(__file__).parents[3] / "shared" / "facts" / "isa" / "sysregs.tsv"
KINDS = {"cap": "capability", "64": "integer", "sysop": "operation"}


@pytest.mark.skipif(not SHEET.exists(), reason="../shared is not there")
def test_agrees_with_the_sheet():
    with SHEET.open() as file:
        sheet = list(csv.DictReader(file, delimiter="\t"))
    lines = [
        (row["name"], KINDS[row["kind"]], *(int(row[k]) for k in ("op0", "op1", "CRn", "CRm", "op2")),
         row["read"], row["write"])
        for row in sheet
    ]  # fmt: skip
    assert lines == [(r.name, r.kind, *r.key, r.read, r.write) for r in REGISTERS]


def test_names_and_encodings_go_both_ways():
    for register in REGISTERS:
        found = find_register(register.key, register.kind)
        assert found is not None and found.key == register.key
        if register.kind != "operation":
            assert key_of_name(register.name.lower(), register.kind) == register.key


def test_a_capability_register_and_its_integer_view_share_an_encoding():
    assert find_name("ctpidr_el0").key == find_name("TPIDR_EL0").key == (3, 3, 13, 0, 2)
    assert find_register((3, 3, 13, 0, 2), "capability").name == "CTPIDR_EL0"
    assert find_register((3, 3, 13, 0, 2), "integer").name == "TPIDR_EL0"
    assert key_of_name("tpidr_el0", "capability") is None


def test_generic_names():
    assert generic_name((3, 3, 13, 0, 2)) == "S3_3_C13_C0_2"
    assert key_of_name("s3_3_c13_c0_2", "capability") == (3, 3, 13, 0, 2)
    assert key_of_name("S1_3_C7_C4_1", "integer") is None
    assert key_of_name("S3_8_C13_C0_2", "integer") is None
    assert key_of_name("nothing", "integer") is None


def test_syndrome_text():
    esr = pack_syndrome(ExceptionClass.DATA_ABORT_SAME, 0x2A | 1 << 6)
    assert esr == 0x9600006A
    assert unpack_syndrome(esr) == (0x25, 0x6A, True)
    assert describe_syndrome(esr) == "data abort, same level: capability bounds fault on a write"
    assert describe_syndrome(pack_syndrome(0x15, 0x80)) == "SVC #0x80"
    assert describe_syndrome(pack_syndrome(0x20, 0x07)).endswith("translation fault, level 3")
    assert describe_syndrome(pack_syndrome(0x3B)) == "reserved exception class 0x3b"
    assert fault_status_name(0x3F) == "reserved fault status 0x3f"
