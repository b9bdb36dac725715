"""Small machines for the tests: code at CODE, data at DATA, capabilities enabled, faults collected."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.faults import PeFault
from emulator.machine import Machine
from emulator.memory.plain import PlainMemory
from emulator.state.pe import Pe
from morello_isa.assemble import assemble
from morello_isa.capability import CAP_MAX, Capability

CODE, DATA, VECTORS, SIZE = 0x1000, 0x8000, 0x1_0000, 1 << 18


@dataclass
class Bench:
    """A machine whose faults stop it and are kept."""

    machine: Machine
    faults: list[PeFault] = field(default_factory=list)

    @property
    def pe(self) -> Pe:
        return self.machine.pe

    @property
    def fault(self) -> PeFault:
        assert len(self.faults) == 1, self.faults
        return self.faults[0]

    def run(self, count: int) -> None:
        self.machine.run(count)


def words(lines: list[str], c64: bool, at: int = CODE) -> list[int]:
    return [assemble(line, at + 4 * i, c64).word for i, line in enumerate(lines)]


def enable_capabilities(pe: Pe) -> None:
    """No traps of Morello or SIMD&FP instructions at any level."""
    pe.sysregs.values.update({"CPTR_EL3": 1 << 9, "CPTR_EL2": 0, "CPACR_EL1": 0xF << 18})


def bench(lines: list[str] | str, c64: bool = True, el: int = 3, size: int = SIZE) -> Bench:
    """A machine with the lines at CODE, ready to run them at that level."""
    machine = Machine(PlainMemory(size))
    result = Bench(machine)

    def collect(_: Pe, fault: PeFault) -> None:
        result.faults.append(fault)
        machine.stop(fault)

    machine.engine.on_exception = collect
    enable_capabilities(machine.pe)
    machine.load(CODE, words([lines] if isinstance(lines, str) else lines, c64))
    machine.pe.pstate.el = el
    machine.start(CODE, c64)
    return result


def run(lines: list[str] | str, c64: bool = True, el: int = 3, **registers: Capability | int) -> Bench:
    """Run the lines once. Registers by name: `c1=`, `x2=`, `csp=`, `ddc=`, `pcc=`."""
    result = bench(lines, c64, el)
    pe = result.pe
    for name, value in registers.items():
        if name == "csp":
            pe.write_csp(value)
        elif name == "ddc":
            pe.ddc = value
        elif name == "pcc":
            pe.pcc = value
        elif isinstance(value, Capability):
            pe.write_c(int(name[1:]), value)
        else:
            pe.write_x(int(name[1:]), value)
    result.run(1 if isinstance(lines, str) else len(lines))
    return result


def buffer(address: int = DATA, length: int = 64, permissions: int = 0x3FFFF) -> Capability:
    """A capability for [address, address+length) with those permissions."""
    full = CAP_MAX.set_value(address).set_bounds(length, exact=True)
    return full.clear_permissions(~permissions & 0x3FFFF)
