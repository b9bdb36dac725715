"""An interpreter of the compiler's intermediate form, to test the front end without a back end.

Memory is a set of objects; a capability is (object, address, base, length) and every access is checked
against the bounds. Tags are kept: a granule overwritten with integers gives no pointer back.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

from guest.cc import ir
from guest.cc.ir import BinOp, CapOp, Cond, Imm, RegFile, Ty, UnOp, VReg, Width

MASK64 = (1 << 64) - 1


class Trap(Exception):
    """A memory or control fault of the interpreted program."""


class Exit(Exception):
    def __init__(self, status):
        self.status = status


@dataclass(eq=False)
class Obj:
    base: int
    size: int
    data: bytearray
    caps: dict = field(default_factory=dict)  # offset -> Cap
    name: str = ""


@dataclass(frozen=True)
class Cap:
    address: int
    obj: Obj | None = None  # None: untagged
    low: int = 0
    high: int = 0
    code: object = None  # function name, or (function, block)

    def at(self, address):
        return Cap(address & MASK64, self.obj, self.low, self.high, self.code)


NULL = Cap(0)
SIZES = {
    Width.U8: 1, Width.S8: 1, Width.U16: 2, Width.S16: 2, Width.W32: 4, Width.S32: 4,
    Width.X64: 8, Width.CAP: 16, Width.F32: 4, Width.F64: 8,
}  # fmt: skip


def signed(v, bits):
    v &= (1 << bits) - 1
    return v - (1 << bits) if v >> (bits - 1) else v


def f32(v):
    try:
        return struct.unpack("<f", struct.pack("<f", v))[0]
    except OverflowError:
        return math.copysign(math.inf, v)


class Machine:
    def __init__(self, module, steps=20_000_000):
        self.module = module
        self.functions = {f.name: f for f in module.functions}
        self.next = 0x10000
        self.objects = []
        self.symbols = {}
        self.out = bytearray()
        self.steps = steps
        self.blocks = {f.name: {b.name: b for b in f.blocks} for f in module.functions}
        for d in module.data:
            o = self.new(d.size, max(d.align, 1), d.name)
            if d.bytes_ is not None:
                assert len(d.bytes_) == d.size, d.name
                o.data[:] = d.bytes_
            self.symbols[d.name] = Cap(o.base, o, o.base, o.base + o.size)
        for name in list(self.functions) + list(HOST):
            self.symbols.setdefault(name, Cap(self.code_address(), None, code=name))
        for alias, target in module.aliases.items():
            self.symbols[alias] = self.symbols[target]
            if target in self.functions:
                self.functions[alias] = self.functions[target]
        for d in module.data:
            o = self.symbols[d.name].obj
            for p in d.pieces:
                if isinstance(p, ir.DataCap):
                    if p.symbol not in self.symbols:
                        raise Trap(f"undefined symbol {p.symbol}")
                    c = self.symbols[p.symbol]
                    self.put_cap(o, p.offset, c.at(c.address + p.addend))
                elif isinstance(p, ir.DataBlockCap):
                    self.put_cap(o, p.offset, self.block_cap(p.function, p.block))
                else:
                    diff = (
                        self.block_cap(p.function, p.block).address
                        - self.block_cap(p.function, p.base).address
                    )
                    o.data[p.offset : p.offset + p.size] = (diff & ((1 << 8 * p.size) - 1)).to_bytes(
                        p.size, "little"
                    )

    def code_address(self):
        self.next += 64
        return self.next | 1

    def block_cap(self, function, block):
        key = (function, block)
        if key not in self.symbols:
            self.symbols[key] = Cap(self.code_address(), None, code=key)
        return self.symbols[key]

    def new(self, size, align=16, name=""):
        self.next = -(-self.next // max(align, 16)) * max(align, 16)
        o = Obj(self.next, size, bytearray(size), name=name)
        self.next += size + 32
        self.objects.append(o)
        return o

    def alloc(self, size, align=16, name=""):
        o = self.new(size, align, name)
        return Cap(o.base, o, o.base, o.base + size)

    # ------------------------------------------------ memory

    def check(self, cap, address, size):
        address &= MASK64
        if cap.obj is None:
            raise Trap(f"access through an untagged capability at {address:#x}")
        if not (cap.low <= address and address + size <= cap.high):
            raise Trap(f"{size} bytes at {address:#x} outside [{cap.low:#x},{cap.high:#x}) of {cap.obj.name}")
        return cap.obj, address - cap.obj.base

    def put_cap(self, o, offset, cap):
        if (o.base + offset) % 16:
            raise Trap("unaligned capability store")
        o.data[offset : offset + 16] = (cap.address).to_bytes(16, "little")
        if cap.obj is not None or cap.code is not None:
            o.caps[offset] = cap
        else:
            o.caps.pop(offset, None)

    def get_cap(self, o, offset):
        if (o.base + offset) % 16:
            raise Trap("unaligned capability load")
        cap = o.caps.get(offset)
        if cap is not None:
            return cap
        low = int.from_bytes(o.data[offset : offset + 8], "little")
        high = bytes(o.data[offset + 8 : offset + 16])
        return Cap(low) if not any(high) else Cap(low, code=("raw", high))

    def put(self, o, offset, raw):
        size = len(raw)
        for granule in range((o.base + offset) // 16 * 16 - o.base, offset + size, 16):
            o.caps.pop(granule, None)
        o.data[offset : offset + size] = raw

    def load(self, width, o, offset):
        if width is Width.CAP:
            return self.get_cap(o, offset)
        raw = bytes(o.data[offset : offset + SIZES[width]])
        if width is Width.F32:
            return struct.unpack("<f", raw)[0]
        if width is Width.F64:
            return struct.unpack("<d", raw)[0]
        return int.from_bytes(raw, "little", signed=width in (Width.S8, Width.S16, Width.S32))

    def store(self, width, o, offset, v):
        if width is Width.CAP:
            if isinstance(v.code, tuple) and v.code[0] == "raw":
                self.put(o, offset, v.address.to_bytes(8, "little") + v.code[1])
            else:
                self.put_cap(o, offset, v)
        elif width is Width.F32:
            self.put(o, offset, struct.pack("<f", v))
        elif width is Width.F64:
            self.put(o, offset, struct.pack("<d", v))
        else:
            n = SIZES[width]
            self.put(o, offset, (v & ((1 << 8 * n) - 1)).to_bytes(n, "little"))

    def bytes_at(self, cap, n):
        o, off = self.check(cap, cap.address, n)
        return bytes(o.data[off : off + n])

    def string(self, cap):
        o, off = self.check(cap, cap.address, 1)
        end = o.data.find(0, off)
        if end < 0:
            raise Trap("string runs off its object")
        return bytes(o.data[off:end])

    def copy(self, dst, src, n):
        if not n:
            return
        so, s = self.check(src, src.address, n)
        do, d = self.check(dst, dst.address, n)
        raw = bytes(so.data[s : s + n])
        caps = {}
        if (so.base + s - do.base - d) % 16 == 0:
            caps = {o - s: c for o, c in so.caps.items() if s <= o and o + 16 <= s + n}
        self.put(do, d, raw)
        for o, c in caps.items():
            do.caps[d + o] = c

    # ------------------------------------------------ running

    def run(self, name="main", args=()):
        """Exit status of the program."""
        try:
            for init in self.module.init_functions:
                self.invoke(init, {}, [])
            regs = {(RegFile.X, i): a for i, a in enumerate(args)}
            regs.setdefault((RegFile.X, 0), 1)
            regs.setdefault((RegFile.C, 1), NULL)
            results = self.invoke(name, regs, None)
            return results.get((RegFile.X, 0), 0) & 0xFF
        except Exit as e:
            return e.status & 0xFF

    def invoke(self, name, places, varargs, buffer=NULL):
        f = self.functions.get(name)
        if f is None:
            host = HOST.get(name)
            if host is None:
                raise Trap(f"undefined function {name}")
            return host(self, places, varargs)
        return Frame(self, f, places, varargs, buffer).run()


class Frame:
    def __init__(self, m, f, places, varargs, buffer):
        self.m, self.f, self.varargs, self.buffer = m, f, varargs, buffer
        self.r = {}
        self.slots = [m.new(s.size, s.align, s.name or f.name) for s in f.slots]
        for v, p in f.params:
            if (p.file, p.index) not in places:
                raise Trap(f"{f.name}: nothing arrives in {p}")
            self.r[v.number] = self.cast(places[(p.file, p.index)], v.ty)

    @staticmethod
    def cast(v, ty):
        if ty is Ty.I32:
            return signed(v, 32)
        if ty is Ty.I64:
            return signed(v.address if isinstance(v, Cap) else v, 64)
        if ty is Ty.CAP and not isinstance(v, Cap):
            raise Trap("integer where a capability is expected")
        return v

    def get(self, a):
        if isinstance(a, Imm):
            return a.value
        try:
            return self.r[a.number]
        except KeyError:
            raise Trap(f"{self.f.name}: register {a} read before it was written") from None

    def set(self, dst, v):
        if dst.ty is Ty.I32:
            v = signed(v, 32)
        elif dst.ty is Ty.I64:
            v = signed(v, 64)
        elif dst.ty is Ty.F32:
            v = f32(v)
        elif dst.ty is Ty.CAP and not isinstance(v, Cap):
            raise Trap("integer written to a capability register")
        self.r[dst.number] = v

    def run(self):
        blocks = self.m.blocks[self.f.name]
        block = self.f.blocks[0]
        while True:
            target = None
            for op in block.ops:
                self.m.steps -= 1
                if self.m.steps < 0:
                    raise Trap("too many steps")
                target = EXEC[type(op)](self, op)
            if isinstance(target, dict):
                return target
            if target is None:
                raise Trap(f"{self.f.name}: block {block.name} ends without a terminator")
            block = blocks[target]

    # one method per operation

    def const(self, op):
        if op.dst.ty is Ty.CAP:
            assert op.value == 0
            self.set(op.dst, NULL)
        else:
            self.set(op.dst, op.value)

    def fconst(self, op):
        if op.dst.ty is Ty.F32:
            self.set(op.dst, struct.unpack("<f", struct.pack("<I", op.bits))[0])
        else:
            self.set(op.dst, struct.unpack("<d", struct.pack("<Q", op.bits))[0])

    def binary(self, op):
        a, b = self.get(op.a), self.get(op.b)
        for operand in (op.a, op.b):
            if isinstance(operand, VReg) and operand.ty is not op.dst.ty:
                raise Trap(f"operand class mismatch in {op}")
        self.set(op.dst, binary(op.op, a, b, {Ty.I32: 32, Ty.F32: 32}.get(op.dst.ty, 64)))

    def unary(self, op):
        self.set(op.dst, unary(op.op, self.get(op.a), op.a.ty, op.dst.ty))

    def cap_binary(self, op):
        a, b = self.get(op.a), self.get(op.b)
        k = op.op
        if k is CapOp.ADD:
            v = a.at(a.address + b)
        elif k is CapOp.SET_ADDRESS:
            v = a.at(b)
        elif k is CapOp.SET_OFFSET:
            v = a.at(a.low + b)
        elif k in (CapOp.SET_BOUNDS, CapOp.SET_BOUNDS_EXACT):
            if a.obj is None or a.address < a.low or a.address + b > a.high:
                v = Cap(a.address)
            else:
                v = Cap(a.address, a.obj, a.address, a.address + b)
        elif k in (CapOp.AND_PERMS, CapOp.CLEAR_PERMS, CapOp.SET_FLAGS):
            v = a
        else:
            raise Trap(f"{k} is not interpreted")
        self.set(op.dst, v)

    def set_cond(self, op):
        self.set(op.dst, int(self.test(op)))

    def select(self, op):
        self.set(op.dst, self.get(op.if_true) if self.test(op) else self.get(op.if_false))

    def test(self, op):
        a, b = self.get(op.a), self.get(op.b)
        c = op.cond
        if c in (Cond.CAP_EXACT_EQ, Cond.CAP_EXACT_NE):
            return (a == b) == (c is Cond.CAP_EXACT_EQ)
        if isinstance(a, Cap) or isinstance(b, Cap):
            raise Trap("capability compared as a number")
        ty = op.a.ty if isinstance(op.a, VReg) else op.b.ty if isinstance(op.b, VReg) else Ty.I64
        if c.value[0] == "u":
            m = (1 << (32 if ty is Ty.I32 else 64)) - 1
            a, b = a & m, b & m
        return {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[
            c.value[-2:]
        ]

    def fma(self, op):
        from fractions import Fraction

        a, b, c = self.get(op.a), self.get(op.b), self.get(op.c)
        if all(map(math.isfinite, (a, b, c))):
            exact = Fraction(a) * Fraction(b) + Fraction(c)
            self.set(op.dst, float(exact) if exact else a * b + c)
        else:
            self.set(op.dst, a * b + c)

    def where(self, op):
        cap = self.get(op.base)
        address = cap.address + op.offset
        if op.index is not None:
            assert op.index.ty is Ty.I64
            address += self.get(op.index) << op.scale
        return self.m.check(cap, address, SIZES[op.width])

    def load(self, op):
        o, off = self.where(op)
        self.set(op.dst, self.m.load(op.width, o, off))

    def store(self, op):
        o, off = self.where(op)
        self.m.store(op.width, o, off, self.get(op.src))

    def local_addr(self, op):
        o = self.slots[op.slot]
        self.set(op.dst, Cap(o.base + op.offset, o, o.base, o.base + o.size))

    def local_load(self, op):
        o = self.slots[op.slot]
        assert op.offset >= 0 and op.offset + SIZES[op.width] <= o.size, op
        self.set(op.dst, self.m.load(op.width, o, op.offset))

    def local_store(self, op):
        o = self.slots[op.slot]
        assert op.offset >= 0 and op.offset + SIZES[op.width] <= o.size, op
        self.m.store(op.width, o, op.offset, self.get(op.src))

    def global_addr(self, op):
        c = self.m.symbols.get(op.symbol)
        if c is None:
            raise Trap(f"undefined symbol {op.symbol}")
        self.set(op.dst, c.at(c.address + op.offset))

    def block_addr(self, op):
        self.set(op.dst, self.m.block_cap(self.f.name, op.block))

    def get_special(self, op):
        s = op.special
        if s is ir.Special.RESULT_BUFFER:
            self.set(op.dst, self.buffer)
        elif s is ir.Special.VARARGS:
            if not self.varargs:
                self.set(op.dst, NULL)
                return
            area = self.m.alloc(16 * len(self.varargs), 16, "varargs")
            for i, v in enumerate(self.varargs):
                ty = Width.CAP if isinstance(v, Cap) else Width.F64 if isinstance(v, float) else Width.X64
                self.m.store(ty, area.obj, 16 * i, v)
            self.set(op.dst, area)
        else:
            self.set(op.dst, Cap(0x5000, code="special"))

    def call(self, op):
        target = op.target if isinstance(op.target, str) else self.get(op.target).code
        if not isinstance(target, str):
            raise Trap("call through something that is no function")
        places, slots, buffer = {}, {}, NULL
        for operand, place in op.args:
            v = self.get(operand)
            if place.file is RegFile.VARARG:
                slots[place.index] = v
            else:
                assert (place.file, place.index) not in places, op
                places[(place.file, place.index)] = v
        if op.indirect_result is not None:
            buffer = self.get(op.indirect_result)
        assert (op.varargs or 0) == len(slots)
        varargs = [slots[i] for i in range(len(slots))] if op.varargs is not None else None
        results = self.m.invoke(target, places, varargs, buffer)
        if op.noreturn:
            raise Trap(f"{target} returned")
        for v, place in op.results:
            self.set(v, self.cast(results[(place.file, place.index)], v.ty))

    def copy_memory(self, op):
        d, s = self.get(op.dst), self.get(op.src)
        if op.caps:
            assert op.size % 16 == 0 and d.address % 16 == 0 and s.address % 16 == 0, op
        self.m.copy(d, s, op.size)
        if not op.caps:
            o, off = self.m.check(d, d.address, op.size)
            for g in [g for g in o.caps if off <= g < off + op.size]:
                del o.caps[g]

    def zero_memory(self, op):
        d = self.get(op.dst)
        o, off = self.m.check(d, d.address, op.size)
        self.m.put(o, off, bytes(op.size))

    def alloca(self, op):
        self.set(op.dst, self.m.alloc(self.get(op.size), 16, "alloca"))

    def atomic(self, op):
        if op.op is ir.AtomicOp.FENCE:
            return
        cap = self.get(op.address)
        o, off = self.m.check(cap, cap.address, SIZES[op.width])
        old = self.m.load(op.width, o, off)
        k = op.op
        new = self.get(op.operand) if op.operand is not None else None
        if k is ir.AtomicOp.COMPARE_EXCHANGE:
            expected = self.get(op.expected)
            n = 8 * SIZES[op.width]
            same = old == expected if op.width is Width.CAP else (old - expected) % (1 << n) == 0
            if same:
                self.m.store(op.width, o, off, new)
        elif k is not ir.AtomicOp.LOAD:
            value = {
                "store": lambda: new, "exchange": lambda: new, "add": lambda: old + new, "sub": lambda: old - new,
                "and": lambda: old & new, "or": lambda: old | new, "xor": lambda: old ^ new,
            }[k.value]()  # fmt: skip
            self.m.store(op.width, o, off, value)
        if op.dst is not None:
            self.set(op.dst, old)

    def asm(self, op):
        raise Trap(f"asm: {op.template}")

    def jump(self, op):
        return op.target

    def cond_branch(self, op):
        return op.if_true if self.test(op) else op.if_false

    def switch(self, op):
        m = (1 << (32 if op.value.ty is Ty.I32 else 64)) - 1
        return op.cases.get(self.get(op.value) & m, op.default)

    def indirect_jump(self, op):
        code = self.get(op.address).code
        if not isinstance(code, tuple) or code[0] != self.f.name or code[1] not in op.targets:
            raise Trap("jump to something that is no label here")
        return code[1]

    def ret(self, op):
        return {(p.file, p.index): self.get(v) for v, p in op.values}

    def unreachable(self, op):
        raise Trap("unreachable code reached")


EXEC = {
    ir.Const: Frame.const, ir.FConst: Frame.fconst, ir.Binary: Frame.binary, ir.Unary: Frame.unary,
    ir.CapBinary: Frame.cap_binary, ir.SetCond: Frame.set_cond, ir.Select: Frame.select, ir.Fma: Frame.fma,
    ir.Load: Frame.load, ir.Store: Frame.store, ir.LocalAddr: Frame.local_addr, ir.LocalLoad: Frame.local_load,
    ir.LocalStore: Frame.local_store, ir.GlobalAddr: Frame.global_addr, ir.TlsAddr: Frame.global_addr,
    ir.BlockAddr: Frame.block_addr, ir.GetSpecial: Frame.get_special, ir.Call: Frame.call,
    ir.CopyMemory: Frame.copy_memory, ir.ZeroMemory: Frame.zero_memory, ir.Alloca: Frame.alloca,
    ir.Atomic: Frame.atomic, ir.Asm: Frame.asm, ir.Jump: Frame.jump, ir.CondBranch: Frame.cond_branch,
    ir.Switch: Frame.switch, ir.IndirectJump: Frame.indirect_jump, ir.Return: Frame.ret,
    ir.Unreachable: Frame.unreachable,
}  # fmt: skip


def binary(op, a, b, bits):
    m = (1 << bits) - 1
    match op:
        case BinOp.ADD:
            return a + b
        case BinOp.SUB:
            return a - b
        case BinOp.MUL:
            return a * b
        case BinOp.SDIV | BinOp.SREM:
            a, b = signed(a, bits), signed(b, bits)
            q = 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return q if op is BinOp.SDIV else a - q * b
        case BinOp.UDIV:
            return 0 if b & m == 0 else (a & m) // (b & m)
        case BinOp.UREM:
            return a & m if b & m == 0 else (a & m) % (b & m)
        case BinOp.AND:
            return a & b
        case BinOp.OR:
            return a | b
        case BinOp.XOR:
            return a ^ b
        case BinOp.SHL:
            return a << (b % bits)
        case BinOp.LSHR:
            return (a & m) >> (b % bits)
        case BinOp.ASHR:
            return signed(a, bits) >> (b % bits)
        case BinOp.UMULH:
            return (a & m) * (b & m) >> bits
        case BinOp.SMULH:
            return signed(a, bits) * signed(b, bits) >> bits
        case BinOp.FADD:
            return a + b
        case BinOp.FSUB:
            return a - b
        case BinOp.FMUL:
            return a * b
        case BinOp.FDIV:
            return fdiv(a, b)
        case BinOp.FCOPYSIGN:
            return math.copysign(a, b)
    raise Trap(f"{op} is not interpreted")


def fdiv(a, b):
    if b == 0:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def saturate(v, bits, is_signed):
    if math.isnan(v):
        return 0
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    if math.isinf(v):
        return high if v > 0 else low
    return max(low, min(high, int(v)))


def unary(op, a, source, target):
    bits = 32 if source in (Ty.I32, Ty.F32) else 64
    m = (1 << bits) - 1
    to_bits = 32 if target is Ty.I32 else 64
    match op:
        case UnOp.COPY:
            assert source is target, (op, source, target)
            return a
        case UnOp.TRUNC:
            assert source is Ty.I64 and target is Ty.I32
            return a
        case UnOp.NEG:
            return -a
        case UnOp.NOT:
            return ~a
        case UnOp.SEXT8:
            return signed(a, 8)
        case UnOp.SEXT16:
            return signed(a, 16)
        case UnOp.SEXT32:
            assert source is Ty.I32 and target is Ty.I64
            return signed(a, 32)
        case UnOp.ZEXT8:
            return a & 0xFF
        case UnOp.ZEXT16:
            return a & 0xFFFF
        case UnOp.ZEXT32:
            assert source is Ty.I32 and target is Ty.I64
            return a & 0xFFFFFFFF
        case UnOp.CLZ:
            return bits - (a & m).bit_length()
        case UnOp.CTZ:
            a &= m
            return bits if a == 0 else (a & -a).bit_length() - 1
        case UnOp.POPCOUNT:
            return (a & m).bit_count()
        case UnOp.BSWAP:
            return int.from_bytes((a & m).to_bytes(bits // 8, "little"), "big")
        case UnOp.FNEG:
            return -a
        case UnOp.FABS:
            return abs(a)
        case UnOp.FSQRT:
            return math.sqrt(a) if a >= 0 else math.nan
        case UnOp.FCEIL | UnOp.FFLOOR | UnOp.FTRUNC | UnOp.FNEAREST:
            if not math.isfinite(a):
                return a
            f = {
                UnOp.FCEIL: math.ceil,
                UnOp.FFLOOR: math.floor,
                UnOp.FTRUNC: math.trunc,
                UnOp.FNEAREST: round,
            }[op]
            return math.copysign(float(f(a)), a)
        case UnOp.FCVT:
            return a
        case UnOp.S2F:
            return nearest(a, target)
        case UnOp.U2F:
            return nearest(a & m, target)
        case UnOp.F2S:
            return saturate(a, to_bits, True)
        case UnOp.F2U:
            return saturate(a, to_bits, False)
        case UnOp.BITS:
            if source is Ty.F32:
                return struct.unpack("<I", struct.pack("<f", a))[0]
            if source is Ty.F64:
                return struct.unpack("<Q", struct.pack("<d", a))[0]
            if source is Ty.I32:
                return struct.unpack("<f", struct.pack("<I", a & m))[0]
            return struct.unpack("<d", struct.pack("<Q", a & m))[0]
        case UnOp.CAP_ADDRESS:
            return a.address
        case UnOp.INT_TO_CAP:
            return Cap(a & MASK64)
        case UnOp.CAP_BASE:
            return a.low
        case UnOp.CAP_LENGTH:
            return a.high - a.low
        case UnOp.CAP_OFFSET:
            return a.address - a.low
        case UnOp.CAP_TAG:
            return int(a.obj is not None or a.code is not None)
        case UnOp.CAP_CLEAR_TAG:
            return Cap(a.address)
    raise Trap(f"{op} is not interpreted")


def nearest(value, target):
    from guest.cc.constants import _int_to_float
    from guest.cc.types import DOUBLE, FLOAT

    return _int_to_float(value, FLOAT if target is Ty.F32 else DOUBLE)


# ------------------------------------------------ the few library functions programs call


def _x(places, n, bits=32):
    return signed(places[(RegFile.X, n)], bits)


def host_printf(m, places, varargs):
    text = c_format(m, m.string(places[(RegFile.C, 0)]), list(varargs))
    m.out += text
    return {(RegFile.X, 0): len(text)}


def c_format(m, form, args):
    import re

    def one(match):
        flags, width, precision, length, conv = match.groups()
        conv = conv.decode()
        if conv == "%":
            return b"%"
        width = width.decode()
        precision = precision.decode() if precision else ""
        if width == "*":
            width = str(signed(args.pop(0), 32))
        if precision == ".*":
            precision = "." + str(signed(args.pop(0), 32))
        v = args.pop(0)
        flags = flags.decode()
        if conv in "di":
            return f"%{flags}{width}{precision}d".encode() % signed(v, int_bits(length))
        if conv in "uxXo":
            conv = "d" if conv == "u" else conv
            return f"%{flags}{width}{precision}{conv}".encode() % (v & ((1 << int_bits(length)) - 1))
        if conv == "c":
            return f"%{flags}{width}c".encode() % (v & 0xFF)
        if conv == "s":
            return f"%{flags}{width}{precision}s".encode() % m.string(v)
        if conv == "p":
            return b"0x%x" % v.address
        return f"%{flags}{width}{precision}{conv}".encode() % v

    return re.sub(rb"%([-+ #0]*)(\*|\d*)(\.\*|\.\d*)?(hh|h|ll|l|z|j|t|L)?([a-zA-Z%])", one, form)


def int_bits(length):
    return {b"hh": 8, b"h": 16, None: 32}.get(length, 64)


def host_puts(m, places, _):
    m.out += m.string(places[(RegFile.C, 0)]) + b"\n"
    return {(RegFile.X, 0): 1}


def host_putchar(m, places, _):
    m.out.append(_x(places, 0) & 0xFF)
    return {(RegFile.X, 0): _x(places, 0) & 0xFF}


def host_memcpy(m, places, _):
    m.copy(places[(RegFile.C, 0)], places[(RegFile.C, 1)], _x(places, 2, 64))
    return {(RegFile.C, 0): places[(RegFile.C, 0)]}


def host_memset(m, places, _):
    n = _x(places, 2, 64)
    if n:
        d = places[(RegFile.C, 0)]
        o, off = m.check(d, d.address, n)
        m.put(o, off, bytes([_x(places, 1) & 0xFF]) * n)
    return {(RegFile.C, 0): places[(RegFile.C, 0)]}


def compare(a, b):
    return (a > b) - (a < b)


def host_memcmp(m, places, _):
    n = _x(places, 2, 64)
    a, b = (m.bytes_at(places[(RegFile.C, i)], n) for i in (0, 1))
    return {(RegFile.X, 0): compare(a, b)}


def host_strcmp(m, places, _):
    a, b = (m.string(places[(RegFile.C, i)]) for i in (0, 1))
    return {(RegFile.X, 0): compare(a, b)}


def host_strlen(m, places, _):
    return {(RegFile.X, 0): len(m.string(places[(RegFile.C, 0)]))}


def host_strcpy(m, places, _):
    s = m.string(places[(RegFile.C, 1)]) + b"\0"
    d = places[(RegFile.C, 0)]
    o, off = m.check(d, d.address, len(s))
    m.put(o, off, s)
    return {(RegFile.C, 0): d}


def host_malloc(m, places, _):
    return {(RegFile.C, 0): m.alloc(_x(places, 0, 64), 16, "heap")}


def host_calloc(m, places, _):
    return {(RegFile.C, 0): m.alloc(_x(places, 0, 64) * _x(places, 1, 64), 16, "heap")}


def host_free(_m, _places, _):
    return {}


def host_exit(_m, places, _):
    raise Exit(_x(places, 0))


def host_abort(_m, _places, _):
    raise Exit(134)


HOST = {
    "printf": host_printf, "puts": host_puts, "putchar": host_putchar, "memcpy": host_memcpy,
    "memmove": host_memcpy, "memset": host_memset, "memcmp": host_memcmp, "strcmp": host_strcmp,
    "strlen": host_strlen, "strcpy": host_strcpy, "malloc": host_malloc, "calloc": host_calloc,
    "free": host_free, "exit": host_exit, "abort": host_abort,
}  # fmt: skip
