"""Power State Coordination Interface: what firmware at EL3 answers to SMC when the board starts below it.

Arm DEN0022 (PSCI 1.1) for one core, and SMCCC_VERSION of Arm DEN0028.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from emulator.state.pe import Pe


class PowerRequest(Enum):
    """What a guest asks of the machine."""

    OFF = "off"
    RESET = "reset"


SUCCESS = 0
NOT_SUPPORTED = -1 & 0xFFFF_FFFF_FFFF_FFFF
INVALID_PARAMETERS = -2 & 0xFFFF_FFFF_FFFF_FFFF
ALREADY_ON = -4 & 0xFFFF_FFFF_FFFF_FFFF

_SMCCC_VERSION = 0x8000_0000
_SMCCC_FEATURES = 0x8000_0001
_VERSION, _CPU_SUSPEND, _CPU_OFF, _CPU_ON, _AFFINITY_INFO = 0, 1, 2, 3, 4
_MIGRATE_INFO_TYPE, _SYSTEM_OFF, _SYSTEM_RESET, _FEATURES = 6, 8, 9, 10
_PSCI_BASE, _PSCI_64 = 0x8400_0000, 0xC400_0000
_MPIDR_AFFINITY = 0xFF_00FF_FFFF


class Psci:
    """Answers calls made with SMC #0; `stop` ends the run for power requests."""

    def __init__(self, stop: Callable[[object], None], trace: Callable[[str], None] | None = None) -> None:
        self._stop = stop
        self._trace = trace
        self._calls: dict[int, Callable[[Pe], int]] = {
            _VERSION: lambda _: 0x0001_0001,
            _CPU_SUSPEND: lambda _: SUCCESS,
            _CPU_OFF: self._cpu_off,
            _CPU_ON: self._cpu_on,
            _AFFINITY_INFO: self._affinity_info,
            _MIGRATE_INFO_TYPE: lambda _: 2,
            _SYSTEM_OFF: lambda _: self._power(PowerRequest.OFF),
            _SYSTEM_RESET: lambda _: self._power(PowerRequest.RESET),
            _FEATURES: self._features,
        }

    def handles(self, pe: Pe) -> bool:
        """Every SMC from below EL3: unknown functions get NOT_SUPPORTED."""
        return pe.pstate.el < 3

    def call(self, pe: Pe) -> None:
        """Executes the function in W0; the result is in X0. PC is already past the SMC."""
        function = pe.read_x(0) & 0xFFFF_FFFF
        if function == _SMCCC_VERSION:
            result = 0x0001_0001
        elif function == _SMCCC_FEATURES:
            result = SUCCESS if pe.read_x(1) & 0xFFFF_FFFF == _SMCCC_VERSION else NOT_SUPPORTED
        else:
            action = self._find(function)
            result = NOT_SUPPORTED if action is None else action(pe)
        if self._trace is not None:
            self._trace(f"smc {function:#x} = {result:#x}")
        pe.write_x(0, result)

    def _find(self, function: int) -> Callable[[Pe], int] | None:
        if function & ~0x1F in (_PSCI_BASE, _PSCI_64):
            return self._calls.get(function & 0x1F)
        return None

    def _power(self, request: PowerRequest) -> int:
        self._stop(request)
        return SUCCESS

    def _cpu_off(self, pe: Pe) -> int:
        """The only core goes: nothing can happen any more."""
        del pe
        return self._power(PowerRequest.OFF)

    def _cpu_on(self, pe: Pe) -> int:
        return ALREADY_ON if self._is_this_core(pe) else INVALID_PARAMETERS

    def _affinity_info(self, pe: Pe) -> int:
        return 0 if self._is_this_core(pe) else INVALID_PARAMETERS

    def _is_this_core(self, pe: Pe) -> bool:
        affinity = pe.sysregs.read("MPIDR_EL1") & _MPIDR_AFFINITY
        return pe.read_x(1) & _MPIDR_AFFINITY == affinity

    def _features(self, pe: Pe) -> int:
        function = pe.read_x(1) & 0xFFFF_FFFF
        if function == _SMCCC_VERSION:
            return SUCCESS
        return SUCCESS if self._find(function) is not None else NOT_SUPPORTED
