"""Guest code that the host-side dynamic linker provides: the TLS descriptor resolver and dl* stubs.

A stub is `movz x8, #number; svc #0; ret`: process mode answers these private system call numbers with
`loader.dl_service.DlService`. Everything lives in one read-execute page.
"""

from __future__ import annotations

import struct

from loader.capabilities import Roots, code_pointer
from loader.elf_constants import PF_R, PF_X
from loader.link.tables import static_tls_resolver
from loader.loaded import PAGE, GuestMemory
from morello_isa.capability import Capability

SERVICE_NUMBERS = {
    "dlopen": 0x4D00,
    "dlsym": 0x4D01,
    "dlvsym": 0x4D02,
    "dlclose": 0x4D03,
    "dlerror": 0x4D04,
    "dladdr": 0x4D05,
    "dlmopen": 0x4D06,
}
"""Private system call numbers, far above those of Linux."""

_MOVZ_X8 = 0xD2800008
_SVC = 0xD4000001
_RET_C30 = 0xC2C253C0


class RuntimeCode:
    """Maps its page when something is first asked for."""

    def __init__(self, memory: GuestMemory, roots: Roots) -> None:
        self._memory = memory
        self._roots = roots
        self._page: int | None = None
        self._offsets: dict[str, int] = {}

    def tls_resolver(self) -> Capability:
        """Sentry to the static TLS block resolver."""
        return self._pointer("")

    def service(self, name: str) -> Capability | None:
        """Sentry to the stub of a dl* function; None for other names."""
        return self._pointer(name) if name in SERVICE_NUMBERS else None

    def _pointer(self, name: str) -> Capability:
        page = self._map()
        return code_pointer(self._roots.rx, page, PAGE, page + self._offsets[name] + 1)

    def _map(self) -> int:
        if self._page is None:
            resolver = static_tls_resolver()[0].data
            code = bytearray(resolver)
            self._offsets[""] = 0
            for name, number in SERVICE_NUMBERS.items():
                self._offsets[name] = len(code)
                code += struct.pack("<3I", _MOVZ_X8 | number << 5, _SVC, _RET_C30)
            self._page = self._memory.reserve(PAGE, PAGE, None)
            self._memory.map(self._page, PAGE, PF_R | PF_X)
            self._memory.write(self._page, bytes(code))
        return self._page
