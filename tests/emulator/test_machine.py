"""The machine as library users hold it, and its documented examples."""

import doctest

import pytest

import emulator.explain
import emulator.machine
from emulator.faults import FaultKind, StopKind
from emulator.machine import Machine, stop_at_fault
from emulator.memory.plain import PlainMemory
from morello_isa.capability import CAP_MAX
from tests.emulator.support import CODE, DATA, buffer, words


@pytest.mark.parametrize("module", [emulator.machine, emulator.explain])
def test_documented_examples(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_stop_at_fault_gives_the_fault():
    machine = Machine(PlainMemory(1 << 16))
    machine.engine.on_exception = stop_at_fault(machine.stop)
    machine.load(CODE, words(["ldr x0, [x1]"], False))
    machine.start(CODE)
    machine.pe.ddc = buffer(DATA, 16)
    reason = machine.run()
    assert reason.kind is StopKind.REQUESTED
    assert reason.detail.kind is FaultKind.CAP_BOUNDS


def test_registers_by_name():
    machine = Machine(PlainMemory(1 << 16))
    machine.pe.write_c(3, buffer())
    assert machine.read_register("c3") == buffer()
    assert machine.read_register("x3") == DATA
    assert machine.read_register("ddc") == CAP_MAX
    assert machine.read_register("pcc").value == machine.read_register("pc")
    for name in ("x31", "c31", "v32", "q", "x", "y0"):
        with pytest.raises(KeyError):
            machine.read_register(name)
