"""A bench for compiler output: assembles its text, places it in flat memory and runs it on the engine.

No linker, no operating system: symbols get a GOT slot with an exactly bounded capability, undefined
functions become host functions that take their arguments from the registers.
"""

from __future__ import annotations

import re

from emulator.engine.reference import ReferenceEngine
from emulator.faults import FaultKind
from emulator.state.pe import Pe
from morello_isa.assemble import AssemblyError, assemble
from morello_isa.capability import CAP_MAX, Capability

BASE, CODE, GOT, DATA, HEAP, STACK, SIZE = 0x10000, 0x10000, 0x400000, 0x440000, 0x800000, 0xF00000, 0x1000000
LAST_RETURN = 0x3FFFF0


class Memory:
    """Flat bytes with tags."""

    def __init__(self):
        self.data = bytearray(SIZE)
        self.tags = {}
        self.read_pages = {}
        self.write_pages = {}
        self.on_code_change = lambda: None
        self.code_spaces = (0, 0)
        self.tagged = True

    def read(self, va, size, access=None):
        return int.from_bytes(self.data[va : va + size], "little")

    def write(self, va, size, value, access=None):
        self.data[va : va + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        for granule in range(va >> 4, (va + size - 1 >> 4) + 1):
            self.tags.pop(granule, None)

    def read_cap(self, va, access=None):
        raw = self.read(va, 16)
        return raw >> 64, raw & (1 << 64) - 1, self.tags.get(va >> 4, False)

    def write_cap(self, va, hi, lo, tag, access=None):
        self.write(va, 16, hi << 64 | lo)
        if tag:
            self.tags[va >> 4] = True

    def check_tagged_store(self, va, tag, access):
        pass

    def fetch(self, va):
        return self.read(va, 4)

    fetch_ahead = fetch

    def check(self, va, size, write, access):
        pass

    def context_changed(self):
        pass


class Fault(Exception):
    pass


class Exit(Exception):
    def __init__(self, status):
        self.status = status


def _strip(line):
    return line.split("//")[0].strip()


class Bench:
    """One assembled module."""

    def __init__(self, text):
        self.memory = Memory()
        self.symbols = {}
        self.kinds = {}
        self.sizes = {}
        self.got = {}
        self.hosts = []
        self.out = bytearray()
        self.heap = HEAP
        self.constants = []
        self._assemble(text)
        self.pe = Pe()
        self.engine = ReferenceEngine(self.pe, self.memory, self._exception)

    # -- assembling ----------------------------------------------------------------------------------

    def _assemble(self, text):
        at = {"code": CODE, "data": DATA}
        where = "code"
        items = []
        for raw in text.split("\n"):
            line = _strip(raw)
            while True:
                m = re.match(r"([\w.$]+):\s*(.*)", line)
                if not m:
                    break
                self.symbols[m.group(1)] = at[where]
                line = m.group(2)
            if not line:
                continue
            word, _, rest = line.partition(" ")
            word, rest = word.strip(), rest.strip()
            if word == ".section":
                where = "code" if '"ax"' in rest else "data"
                self.section = rest
                if "init_array" in rest:
                    self.constants.append(rest)
            elif word in (".p2align",):
                step = 1 << int(rest)
                at[where] = -(-at[where] // step) * step
            elif word == ".type":
                name, kind = rest.split(",")
                self.kinds[name.strip()] = kind.strip()
            elif word == ".size":
                name, value = rest.split(",")
                if value.strip().isdigit():
                    self.sizes[name.strip()] = int(value)
            elif word == ".comm":
                name, size, align = (p.strip() for p in rest.split(","))
                step = int(align)
                at["data"] = -(-at["data"] // step) * step
                self.symbols[name] = at["data"]
                self.kinds[name], self.sizes[name] = "%object", int(size)
                at["data"] += int(size)
            elif word == ".zero":
                at[where] += int(rest)
            elif word in (".byte", ".hword", ".word", ".xword"):
                size = {".byte": 1, ".hword": 2, ".word": 4, ".xword": 8}[word]
                for value in rest.split(","):
                    items.append((word, value.strip(), at[where]))
                    at[where] += size
            elif word == ".chericap":
                items.append((word, rest, at[where]))
                at[where] += 16
            elif word == ".set":
                name, target = (p.strip() for p in rest.split(","))
                items.append((word, (name, target), 0))
            elif word.startswith("."):
                continue
            else:
                items.append(("insn", line, at[where]))
                at[where] += 4
        assert at["code"] < LAST_RETURN and at["data"] < HEAP
        self.code_end = at["code"]
        for kind, value, _ in items:
            if kind == ".set":
                self.symbols[value[0]] = self.symbols[value[1]]
                self.kinds[value[0]] = self.kinds.get(value[1], "%object")
                self.sizes[value[0]] = self.sizes.get(value[1], 0)
        for kind, value, address in items:
            if kind == "insn":
                self.memory.write(address, 4, self._encode(value, address))
            elif kind == ".chericap":
                m = re.match(r"([\w.$]+)(.*)", value)
                cap = self._capability(m.group(1), self._value(m.group(2) or "0"))
                self.memory.write_cap(address, cap.hi, cap.value, cap.tag)
            elif kind != ".set":
                size = {".byte": 1, ".hword": 2, ".word": 4, ".xword": 8}[kind]
                self.memory.write(address, size, self._value(value))

    def _value(self, text):
        names = {m: str(self.symbols[m]) for m in re.findall(r"[.A-Za-z_][\w.$]*", text)}
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, names[name])
        return eval(text)

    def _symbol(self, name):
        if name not in self.symbols:
            number = len(self.hosts)
            self.hosts.append(name)
            address = LAST_RETURN - 16 * (number + 1)
            self.symbols[name] = address
            self.kinds[name] = "%function"
            self.memory.write(address, 4, assemble(f"hlt #{number + 1}").word)
            self.memory.write(address + 4, 4, assemble("ret c30").word)
        return self.symbols[name]

    def _capability(self, name, addend=0):
        address = self._symbol(name)
        if self.kinds.get(name, "%object") == "%function":
            return self.code_cap().set_value(address + addend | 1).with_object_type(1)
        cap = CAP_MAX.set_value(address).set_bounds(self.sizes[name], False)
        return cap.add(addend)

    def code_cap(self):
        return CAP_MAX.set_value(BASE).set_bounds(0x400000 - BASE + 0x40000, False)

    def _slot(self, name):
        if name not in self.got:
            cap = self._capability(name)
            self.got[name] = GOT + 16 * len(self.got)
            self.memory.write_cap(self.got[name], cap.hi, cap.value, cap.tag)
        return self.got[name]

    def _encode(self, line, pc):
        m = re.match(r"adrp (c\d+), :got:([\w.$]+)$", line)
        if m:
            pages = (self._slot(m.group(2)) >> 12) - (pc >> 12)
            return assemble(f"adrp {m.group(1)}, #{pages << 12}", pc).word
        line = re.sub(r":got_lo12:([\w.$]+)", lambda m: f"#{self._slot(m.group(1)) & 0xFFF}", line)
        m = re.match(r"adr (c\d+), ([.\w$]+)(?:\+(\d+))?$", line)
        if m and not m.group(2).startswith("#"):
            return assemble(
                f"adr {m.group(1)}, #{self.symbols[m.group(2)] + int(m.group(3) or 0) - pc}", pc
            ).word
        try:
            encoded = assemble(line, pc)
        except AssemblyError as error:
            raise AssertionError(f"{line}: {error}") from error
        if encoded.relocations:
            symbol = encoded.relocations[0].symbol
            line = re.sub(re.escape(symbol) + r"(\+0)?$", f"#{self._symbol(symbol) - pc}", line)
            encoded = assemble(line, pc)
        return encoded.word

    # -- running -------------------------------------------------------------------------------------

    def _exception(self, pe, fault):
        if fault.kind is FaultKind.HLT:
            if fault.immediate == 0:
                self.engine.request_stop("end")
                return
            self._host(self.hosts[fault.immediate - 1])
            pe.pc = fault.pc + 4
            return
        names = sorted((a, n) for n, a in self.symbols.items() if a <= fault.pc and not n.startswith(".Lt"))
        self.failure = Fault(
            f"{fault.kind.value} at {fault.pc:#x} ({names[-1][1] if names else ''}) address {fault.address:#x} {fault.register} {fault.capability}"
        )
        self.engine.request_stop("fault")

    def string(self, va):
        return bytes(self.memory.data[va : self.memory.data.index(0, va)])

    def _host(self, name):
        x, w = self.pe.read_x, self.pe.write_x
        mem = self.memory
        if name == "putchar":
            self.out.append(x(0) & 255)
        elif name == "puts":
            self.out += self.string(x(0)) + b"\n"
        elif name == "strlen":
            w(0, len(self.string(x(0))))
        elif name == "strcmp":
            a, b = self.string(x(0)), self.string(x(1))
            w(0, (a > b) - (a < b))
        elif name == "memcmp":
            a, b = (bytes(mem.data[x(i) : x(i) + x(2)]) for i in (0, 1))
            w(0, (a > b) - (a < b))
        elif name in ("memcpy", "memmove"):
            d, s, n = x(0), x(1), x(2)
            tags = {
                g: True for g in range(n >> 4) if (s & 15) == (d & 15) == 0 and mem.tags.get((s >> 4) + g)
            }
            if n:
                mem.write(d, n, mem.read(s, n))
            for g in tags:
                mem.tags[(d >> 4) + g] = True
        elif name == "memset":
            if x(2):
                mem.write(x(0), x(2), int.from_bytes(bytes([x(1) & 255]) * x(2), "little"))
        elif name == "strcpy":
            data = self.string(x(1)) + b"\0"
            mem.write(x(0), len(data), int.from_bytes(data, "little"))
        elif name in ("malloc", "calloc"):
            size = x(0) * (x(1) if name == "calloc" else 1)
            cap = CAP_MAX.set_value(self.heap).set_bounds(size, False)
            self.heap += -(-size // 16) * 16 + 16
            self.pe.write_c(0, cap)
        elif name == "free":
            pass
        elif name == "printf":
            self._printf()
        elif name in ("exit", "abort"):
            self.exit_status = x(0) & 255 if name == "exit" else 134
            self.engine.request_stop("exit")
        else:
            raise AssertionError(f"no host function {name}")
        self._scramble(name)

    def _scramble(self, name):
        """Host functions destroy what the call standard lets them destroy."""
        first = 1 if name not in ("exit",) else 0
        for n in range(first, 19):
            self.pe.write_x(n, 0xDEAD0000 + n)
        for n in (*range(8), *range(16, 32)):
            self.pe.write_v(n, 0xBAD)
        self.pe.nzcv = 5

    def _printf(self):
        import struct

        fmt = self.string(self.pe.read_x(0)).decode("latin1")
        area, slot = self.pe.read_c(9).value, 0

        def convert(m):
            nonlocal slot
            if m.group(0) == "%%":
                return "%"
            raw = self.memory.read(area + 16 * slot, 8)
            slot += 1
            kind, flags = m.group(3), m.group(1)
            if kind in "di":
                bits = 64 if m.group(2) else 32
                raw &= (1 << bits) - 1
                return f"%{flags}d" % (raw - (1 << bits) if raw >> bits - 1 else raw)
            if kind in "uxX":
                raw &= (1 << (64 if m.group(2) else 32)) - 1
                return f"%{flags}{kind}" % raw
            if kind == "c":
                return chr(raw & 255)
            if kind == "s":
                return f"%{flags}s" % self.string(raw).decode("latin1")
            return f"%{flags}{kind}" % struct.unpack("<d", struct.pack("<Q", raw))[0]

        self.out += re.sub(
            r"%([-+0 #]*\d*(?:\.\d+)?)((?:ll|l|z|h|hh|j)?)([diuxXcsfgep%])", convert, fmt
        ).encode("latin1")
        self.pe.write_x(0, 0)

    def call(self, name, x=(), v=(), limit=20_000_000):
        """Call a function with integer (or Capability) and floating bit arguments; returns X0."""
        pe = self.pe
        pe.sysregs.write("CPACR_EL1", 0x3C0000)
        pe.sysregs.write("CPTR_EL3", 1 << 9)
        pe.sysregs.write("CPTR_EL2", 0)
        pe.sysregs.write("CCTLR_EL3", 0)
        pe.pstate.c64 = True
        for n in range(31):
            pe.write_x(n, 0xC0DE0000 + n)
        for n in range(19, 29):
            pe.write_c(n, CAP_MAX.set_value(0x1000 * n))
        for n, a in enumerate(x):
            if isinstance(a, Capability):
                pe.write_c(n, a)
            else:
                pe.write_x(n, a & (1 << 64) - 1)
        for n, bits in enumerate(v):
            pe.write_v(n, bits)
        for n in range(8, 16):
            pe.write_v(n, 0x5A5A0000 + n)
        self.memory.write(LAST_RETURN, 4, assemble("hlt #0").word)
        code = self.code_cap()
        pe.write_c(30, code.set_value(LAST_RETURN | 1).with_object_type(1))
        stack = CAP_MAX.set_value(HEAP + 0x100000).set_bounds(STACK - HEAP - 0x100000, False).set_value(STACK)
        pe.write_csp(stack)
        pe.pcc = code.set_value(self.symbols[name])
        pe.context_stale = pe.translation_stale = True
        self.failure = None
        self.exit_status = None
        before = pe.instructions
        reason = self.engine.run(limit)
        self.instructions = pe.instructions - before
        if self.failure:
            raise self.failure
        if reason.detail not in ("end", "exit"):
            raise Fault(f"did not end: {reason}")
        if self.exit_status is not None:
            return self.exit_status
        for n in range(19, 29):
            assert pe.read_c(n) == CAP_MAX.set_value(0x1000 * n), f"c{n} not preserved"
        for n in range(8, 16):
            assert pe.read_v(n) & (1 << 64) - 1 == 0x5A5A0000 + n, f"v{n} not preserved"
        assert pe.read_csp() == stack, "csp not restored"
        return pe.read_x(0)
