"""Encoders of base loads and stores. The base register is Cn or CSP in C64, Xn or SP in A64.

An encoder raises NotEncodable when the base is of the other kind (that is an alternate-base row).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from morello_isa.asm.context import EXTENDS, Context, Encoder, NotEncodable, memory, need, register
from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.operands import Memory, Operand, Register, Symbolic

ENCODERS: Final[dict[str, Encoder]] = {}

# log2 of the access size -> relocation suffix of :lo12:
_LO12 = ("LDST8", "LDST16", "LDST32", "LDST64", "LDST128")


def base_number(operand: Memory, context: Context, index: int) -> int:
    """Number of the base register, which must be of the state's kind and not the zero register."""
    base = operand.base
    if (base.kind == "c") != context.c64:
        raise NotEncodable
    if base.number == 31 and not base.is_sp:
        raise AssemblyError(f"'{base.name}' can't be a base register", index)
    return base.number


def memory_relocation(target: Symbolic, log_size: int, capability: bool, index: int) -> str:
    """The relocation of an unsigned scaled offset with a symbol."""
    kind = target.modifier
    if not kind:
        raise AssemblyError(
            f"'{target.symbol}' can't be an offset without a modifier such as ':lo12:'", index
        )
    suffix = _LO12[log_size]
    if kind == "lo12":
        return f"R_AARCH64_{suffix}_ABS_LO12_NC"
    if kind in ("tprel_lo12", "tprel_lo12_nc"):
        return f"R_AARCH64_TLSLE_{suffix}_TPREL_LO12{'_NC' if kind.endswith('_nc') else ''}"
    if capability:
        if kind == "got_lo12":
            return "R_MORELLO_LD128_GOT_LO12_NC"
        if kind == "tlsdesc_lo12":
            return "R_MORELLO_TLSDESC_LD128_LO12"
    elif log_size == 3:
        if kind == "got_lo12":
            return "R_AARCH64_LD64_GOT_LO12_NC"
        if kind == "tlsdesc_lo12":
            return "R_AARCH64_TLSDESC_LD64_LO12"
        if kind == "gottprel_lo12":
            return "R_AARCH64_TLSIE_LD64_GOTTPREL_LO12_NC"
    raise AssemblyError(f"the modifier ':{kind}:' doesn't go with this instruction", index)


def register_offset_fields(operand: Memory, log_size: int, index: int) -> tuple[int, int, int]:
    """(m, option, S) of a register offset."""
    offset = operand.offset
    assert isinstance(offset, Register)
    extend = operand.extend
    kind = extend.kind if extend is not None else "lsl"
    if kind == "lsl":
        option, wide = 3, True
    elif kind in ("uxtw", "sxtw", "sxtx"):
        option, wide = EXTENDS[kind], kind == "sxtx"
    else:
        raise AssemblyError(f"'{kind}' is not an extension of an offset register", index)
    if offset.kind != ("x" if wide else "w") or offset.is_sp:
        raise AssemblyError(f"'{offset.name}' can't be the offset register here", index)
    amount = extend.amount if extend is not None else None
    if amount not in (None, 0, log_size):
        raise AssemblyError(f"the offset register can only be shifted by 0 or {log_size}", index)
    # With bytes an explicit "#0" is the encoding with S set.
    shifted = bool(amount) or (log_size == 0 and amount == 0)
    return offset.number, option, int(shifted)


def _scalar(log_size: int, opc: int, vector: int, t: Register, operand: Memory, context: Context) -> int:
    """LDR/STR of any size: unsigned offset, unscaled where that fits better, pre, post, register."""
    n = base_number(operand, context, 1)
    word = (log_size & 3) << 30 | 0x38000000 | vector << 26 | opc << 22 | n << 5 | t.number
    offset = operand.offset
    if isinstance(offset, Register):
        if operand.mode != "offset":
            raise AssemblyError("a register offset can't be written back", 1)
        m, option, shifted = register_offset_fields(operand, log_size, 1)
        return word | 1 << 21 | m << 16 | option << 13 | shifted << 12 | 2 << 10
    if isinstance(offset, Symbolic):
        context.relocate(memory_relocation(offset, log_size, False, 1), offset)
        return word | 1 << 24
    if operand.mode == "offset":
        if offset >= 0 and not offset & (1 << log_size) - 1 and offset >> log_size < 4096:
            return word | 1 << 24 | offset >> log_size << 10
        if not -256 <= offset < 256:
            raise AssemblyError(f"the offset {int(offset)} can't be encoded", 1)
        return word | (offset & 0x1FF) << 12
    if not -256 <= offset < 256:
        raise AssemblyError(f"the offset {int(offset)} is not in -256..255", 1)
    return word | (offset & 0x1FF) << 12 | (3 if operand.mode == "pre" else 1) << 10


_VECTOR_LOG = {"b": 0, "h": 1, "s": 2, "d": 3, "q": 4}


def _literal(opc: int, vector: int, t: Register, target: Operand, context: Context) -> int:
    word = opc << 30 | 0x18000000 | vector << 26 | t.number
    return word | pc_relative(target, "R_AARCH64_LD_PREL_LO19", 5, 19, 4, context, 1)


def pc_relative(
    target: Operand, relocation: str, low: int, width: int, scale: int, context: Context, index: int
) -> int:
    """The field of a PC-relative operand: `#offset` at once, a label or address as a relocation."""
    if isinstance(target, Symbolic):
        if target.modifier:
            raise AssemblyError(f"the modifier ':{target.modifier}:' doesn't go with this instruction", index)
        context.relocate(relocation, target)
        return 0
    if not isinstance(target, int):
        raise NotEncodable
    if type(target) is not int:
        context.relocate(relocation, Symbolic("", int(target)))
        return 0
    if target % scale or not -(1 << width - 1) <= target // scale < 1 << width - 1:
        raise AssemblyError(f"the offset {target} can't be encoded", index)
    return (target // scale & (1 << width) - 1) << low


def _make_load_store(is_load: bool) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2)
        t = register(operands, 0, "xwbhsdq")
        vector = t.kind not in "xw"
        target = operands[1]
        if not isinstance(target, Memory):
            if not is_load or isinstance(target, Register):
                raise NotEncodable
            if vector:
                if t.kind in "bh":
                    raise AssemblyError(f"'{t.name}' has no literal load", 0)
                return _literal(_VECTOR_LOG[t.kind] - 2, 1, t, target, context)
            return _literal(int(t.kind == "x"), 0, t, target, context)
        if vector:
            log_size = _VECTOR_LOG[t.kind]
            return _scalar(log_size, (2 if log_size == 4 else 0) | is_load, 1, t, target, context)
        return _scalar(3 if t.kind == "x" else 2, int(is_load), 0, t, target, context)

    return encode


def _make_narrow(log_size: int, is_load: bool) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2)
        t = register(operands, 0, "w")
        return _scalar(log_size, int(is_load), 0, t, memory(operands, 1), context)

    return encode


def _make_signed(log_size: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2)
        t = register(operands, 0, "x" if log_size == 2 else "xw")
        if log_size == 2 and not isinstance(operands[1], Memory):
            return _literal(2, 0, t, operands[1], context)
        return _scalar(log_size, 2 if t.kind == "x" else 3, 0, t, memory(operands, 1), context)

    return encode


def _make_unscaled(log_size: int | None, opc: int, form: int) -> Encoder:
    """LDUR…/STUR… (form 0) and LDTR…/STTR… (form 2); log_size None: from the register; opc 2: signed."""

    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2)
        t = register(operands, 0, "xwbhsdq" if log_size is None and form == 0 else "xw")
        operand = memory(operands, 1)
        n = base_number(operand, context, 1)
        if operand.mode != "offset" or not isinstance(operand.offset, int):
            raise AssemblyError("this instruction takes a constant offset without writeback", 1)
        if not -256 <= operand.offset < 256:
            raise AssemblyError(f"the offset {int(operand.offset)} is not in -256..255", 1)
        size, code, vector = log_size, opc, 0
        if size is None:
            if t.kind in "xw":
                size = 3 if t.kind == "x" else 2
            else:
                size, vector = _VECTOR_LOG[t.kind], 1
                code |= 2 if size == 4 else 0
        elif opc == 2:
            code = 2 if t.kind == "x" else 3
            if size == 2 and t.kind == "w":
                raise AssemblyError("this instruction loads an X register", 0)
        elif t.kind == "x":
            raise AssemblyError("this instruction takes a W register", 0)
        return (
            (size & 3) << 30 | 0x38000000 | vector << 26 | code << 22
            | (operand.offset & 0x1FF) << 12 | form << 10 | n << 5 | t.number
        )  # fmt: skip

    return encode


def _make_pair(is_load: bool, nontemporal: bool) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 3)
        t = register(operands, 0, "xwsdq")
        t2 = register(operands, 1, t.kind)
        opc, log_size, vector = {
            "w": (0, 2, 0),
            "x": (2, 3, 0),
            "s": (0, 2, 1),
            "d": (1, 3, 1),
            "q": (2, 4, 1),
        }[t.kind]
        return _pair_word(opc, log_size, vector, is_load, nontemporal, t, t2, memory(operands, 2), context)

    return encode


def _pair_word(
    opc: int, log_size: int, vector: int, is_load: bool, nontemporal: bool,
    t: Register, t2: Register, operand: Memory, context: Context,
) -> int:  # fmt: skip
    n = base_number(operand, context, 2)
    mode = 0 if nontemporal else {"post": 1, "offset": 2, "pre": 3}[operand.mode]
    offset = operand.offset
    if not isinstance(offset, int) or (nontemporal and operand.mode != "offset"):
        raise AssemblyError("a pair takes a constant offset", 2)
    scaled, rest = divmod(int(offset), 1 << log_size)
    if rest or not -64 <= scaled < 64:
        raise AssemblyError(f"the offset {int(offset)} can't be encoded in a pair", 2)
    return (
        opc << 30 | 0x28000000 | vector << 26 | mode << 23 | is_load << 22
        | (scaled & 0x7F) << 15 | t2.number << 10 | n << 5 | t.number
    )  # fmt: skip


def _ldpsw(operands: Sequence[Operand], context: Context) -> int:
    need(operands, 3)
    t, t2 = register(operands, 0, "x"), register(operands, 1, "x")
    return _pair_word(1, 2, 0, True, False, t, t2, memory(operands, 2), context)


def _make_ordered(log_size: int | None, word: int) -> Encoder:
    """One register and a bare base: LDAR, STLR, LDXR, LDAXR, LDAPR and narrow forms."""

    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2)
        t = register(operands, 0, "xw" if log_size is None else "w")
        n = _bare_base(operands, 1, context)
        size = (3 if t.kind == "x" else 2) if log_size is None else log_size
        return size << 30 | word | n << 5 | t.number

    return encode


def _bare_base(operands: Sequence[Operand], index: int, context: Context) -> int:
    operand = memory(operands, index)
    n = base_number(operand, context, index)
    if operand.mode != "offset" or operand.offset != 0:
        raise AssemblyError("this instruction takes no offset", index)
    return n


def _make_store_exclusive(log_size: int | None, word: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 3)
        s, t = register(operands, 0, "w"), register(operands, 1, "xw" if log_size is None else "w")
        n = _bare_base(operands, 2, context)
        size = (3 if t.kind == "x" else 2) if log_size is None else log_size
        return size << 30 | word | s.number << 16 | n << 5 | t.number

    return encode


def _make_atomic(log_size: int | None, word: int, store: bool = False) -> Encoder:
    """s, t, [base]: CAS, SWP, LD<op>; with `store` ST<op>, which has no t."""

    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2 if store else 3)
        s = register(operands, 0, "xw" if log_size is None else "w")
        t = 31 if store else register(operands, 1, s.kind).number
        n = _bare_base(operands, len(operands) - 1, context)
        size = (3 if s.kind == "x" else 2) if log_size is None else log_size
        return size << 30 | word | s.number << 16 | n << 5 | t

    return encode


def _register_scalars() -> None:
    ENCODERS["ldr"], ENCODERS["str"] = _make_load_store(True), _make_load_store(False)
    for log_size, suffix in enumerate("bh"):
        ENCODERS["ldr" + suffix] = _make_narrow(log_size, True)
        ENCODERS["str" + suffix] = _make_narrow(log_size, False)
    for log_size, suffix in enumerate(("b", "h", "w")):
        ENCODERS["ldrs" + suffix] = _make_signed(log_size)
    for letter, form in (("u", 0), ("t", 2)):
        ENCODERS[f"ld{letter}r"] = _make_unscaled(None, 1, form)
        ENCODERS[f"st{letter}r"] = _make_unscaled(None, 0, form)
        for log_size, suffix in enumerate("bh"):
            ENCODERS[f"ld{letter}r{suffix}"] = _make_unscaled(log_size, 1, form)
            ENCODERS[f"st{letter}r{suffix}"] = _make_unscaled(log_size, 0, form)
        for log_size, suffix in enumerate("bhw"):
            ENCODERS[f"ld{letter}rs{suffix}"] = _make_unscaled(log_size, 2, form)
    ENCODERS["ldp"], ENCODERS["stp"] = _make_pair(True, False), _make_pair(False, False)
    ENCODERS["ldnp"], ENCODERS["stnp"] = _make_pair(True, True), _make_pair(False, True)
    ENCODERS["ldpsw"] = _ldpsw


def _register_atomics() -> None:
    for suffix, log_size in (("", None), ("b", 0), ("h", 1)):
        for name, word in (
            ("ldxr", 0x085F7C00), ("ldaxr", 0x085FFC00), ("ldar", 0x08DFFC00), ("stlr", 0x089FFC00),
            ("ldlar", 0x08DF7C00), ("stllr", 0x089F7C00), ("ldapr", 0x38BFC000),
        ):  # fmt: skip
            ENCODERS[name + suffix] = _make_ordered(log_size, word)
        for name, word in (("stxr", 0x08007C00), ("stlxr", 0x0800FC00)):
            ENCODERS[name + suffix] = _make_store_exclusive(log_size, word)
        for order, acquire, release in (("", 0, 0), ("a", 1, 0), ("l", 0, 1), ("al", 1, 1)):
            ENCODERS[f"cas{order}{suffix}"] = _make_atomic(
                log_size, 0x08A07C00 | acquire << 22 | release << 15
            )
            bits = 0x38200000 | acquire << 23 | release << 22
            ENCODERS[f"swp{order}{suffix}"] = _make_atomic(log_size, bits | 0x8000)
            names = ("add", "clr", "eor", "set", "smax", "smin", "umax", "umin")
            for code, name in enumerate(names):
                ENCODERS[f"ld{name}{order}{suffix}"] = _make_atomic(log_size, bits | code << 12)
                if not acquire:
                    ENCODERS[f"st{name}{order}{suffix}"] = _make_atomic(log_size, bits | code << 12, True)


_register_scalars()
_register_atomics()
