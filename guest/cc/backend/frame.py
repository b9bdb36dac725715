"""Frame layout, prologue and epilogue.

From CSP upwards: outgoing arguments, frame record {c29, c30}, saved capabilities, saved vector
registers, spill slots and locals (small ones first); then the caller's incoming arguments. A leaf
function that needs none of these has no frame at all.
"""

from __future__ import annotations

from guest.cc.backend.immediates import is_add_immediate
from guest.cc.backend.mir import (
    FIRST_V,
    MI,
    REGISTER_NAMES,
    SCRATCH,
    FrameKind,
    FrameRef,
    MFunction,
    Templates,
)

RECORD = 32
PAIR_REACH = 1008  # LDP/STP of capabilities: imm7 * 16
DOUBLE_REACH = 504
ALLOCA_ALIGN = 16


class Frame:
    """Offsets of a laid-out frame."""

    def __init__(self, function: MFunction) -> None:
        self.function = function
        self.out_bytes = _round(function.out_bytes, 16)
        self.has_record = function.has_calls or function.needs_frame or function.has_alloca
        offset = self.out_bytes + (RECORD if self.has_record else 0)
        self.save_offset = offset
        self.saved_caps = [r for r in function.saved if r < FIRST_V]
        self.saved_vectors = [r for r in function.saved if r >= FIRST_V]
        offset += 16 * _round(len(self.saved_caps), 2)
        self.vector_offset = offset
        offset += _round(8 * len(self.saved_vectors), 16)
        self.offsets: dict[tuple[FrameKind, int], int] = {}
        objects = [(FrameKind.SPILL, n, s) for n, s in enumerate(function.spills)]
        objects += [(FrameKind.LOCAL, n, s) for n, s in enumerate(function.locals_)]
        objects.sort(key=lambda o: (o[2].size, o[0] is not FrameKind.SPILL, o[1]))
        for kind, index, info in objects:
            offset = _round(offset, max(1, min(info.align, 16)))
            self.offsets[kind, index] = offset
            offset += info.size
        self.size = _round(offset, 16)
        if self.size == 0 and self.has_record:
            self.size = RECORD

    def locate(self, ref: FrameRef) -> tuple[str, int]:
        """(base register, byte offset) of a frame operand."""
        if ref.kind is FrameKind.OUT:
            return "csp", ref.offset
        offset = self.size if ref.kind is FrameKind.IN else self.offsets[ref.kind, ref.index]
        offset += ref.offset
        if self.function.has_alloca:
            return "c29", offset - self.out_bytes
        return "csp", offset


def _round(value: int, step: int) -> int:
    return (value + step - 1) // step * step


def adjust(register: str, base: str, amount: int) -> list[str]:
    """Lines for register := base + amount, with C16 as scratch for large amounts."""
    name, size = ("add", amount) if amount >= 0 else ("sub", -amount)
    if size == 0:
        return [] if register == base else [f"mov {register}, {base}"]
    if is_add_immediate(size):
        return [f"{name} {register}, {base}, #{size}"]
    if size < 1 << 24:
        return [
            f"{name} {register}, {base}, #{size >> 12}, lsl #12",
            f"{name} {register}, {register}, #{size & 0xFFF}",
        ]
    amount &= (1 << 64) - 1
    lines = [f"movz x{SCRATCH}, #{amount & 0xFFFF}"]
    for shift in (16, 32, 48):
        chunk = (amount >> shift) & 0xFFFF
        if chunk:
            lines.append(f"movk x{SCRATCH}, #{chunk}, lsl #{shift}")
    return [*lines, f"add {register}, {base}, x{SCRATCH}, uxtx"]


_MARKERS = frozenset({"prologue", "epilogue"})


def lower_frame(function: MFunction, templates: Templates) -> Frame:
    """Resolve frame operands to text and expand the markers that `wrap.place_frame` left."""
    frame = Frame(function)
    for block in function.blocks:
        if not any(mi.t.has_frame or mi.t.mnemonic in _MARKERS for mi in block.code):
            continue
        out: list[MI] = []
        for mi in block.code:
            if mi.t.has_frame:
                out.extend(_resolve(mi, frame, templates))
            elif mi.t.mnemonic in _MARKERS:
                if frame.size:
                    lines = prologue(frame) if mi.t.mnemonic == "prologue" else epilogue(frame)
                    out.extend(_lines(templates, lines, mi))
            else:
                out.append(mi)
        block.code = out
    return frame


def _lines(templates: Templates, lines: list[str], like: MI | None) -> list[MI]:
    return [MI(templates["$#"], [line], like.loc if like else None) for line in lines]


def _pairs(frame: Frame, pair: str, single: str, record: bool) -> list[str]:
    """Saves or restores of the callee-saved registers, relative to CSP."""
    lines = []
    if record:
        lines.append(f"{pair} c29, c30, [csp, #{frame.out_bytes}]")
    names = REGISTER_NAMES["c"]
    offset = frame.save_offset
    caps = frame.saved_caps
    for n in range(0, len(caps) - 1, 2):
        lines.append(f"{pair} {names[caps[n]]}, {names[caps[n + 1]]}, [csp, #{offset}]")
        offset += 32
    if len(caps) % 2:
        lines.append(f"{single} {names[caps[-1]]}, [csp, #{offset}]")
    doubles = REGISTER_NAMES["d"]
    offset = frame.vector_offset
    vectors = frame.saved_vectors
    for n in range(0, len(vectors) - 1, 2):
        lines.append(f"{pair} {doubles[vectors[n]]}, {doubles[vectors[n + 1]]}, [csp, #{offset}]")
        offset += 16
    if len(vectors) % 2:
        lines.append(f"{single} {doubles[vectors[-1]]}, [csp, #{offset}]")
    return lines


def _pushes(frame: Frame) -> bool:
    """True if one pre-indexed STP can allocate the frame and save the record."""
    return frame.has_record and frame.out_bytes == 0 and frame.size <= PAIR_REACH


def _low(frame: Frame) -> bool:
    """True if all saves are within reach of CSP."""
    return frame.vector_offset + 8 * len(frame.saved_vectors) <= DOUBLE_REACH


def prologue(frame: Frame) -> list[str]:
    """Allocate the frame, save registers, set the frame pointer."""
    if _pushes(frame):
        lines = [f"stp c29, c30, [csp, #-{frame.size}]!", "mov c29, csp"]
        return lines + _pairs(frame, "stp", "str", record=False)
    if _low(frame):
        lines = adjust("csp", "csp", -frame.size) + _pairs(frame, "stp", "str", frame.has_record)
    else:
        # Saves are out of reach: allocate in two steps, with the saves at the bottom of the first.
        upper, lower = _split(frame)
        lines = adjust("csp", "csp", -upper)
        lines += _shifted(frame, "stp", "str")
        lines += adjust("csp", "csp", -lower)
    if frame.has_record:
        lines += adjust("c29", "csp", frame.out_bytes)
    return lines


def _split(frame: Frame) -> tuple[int, int]:
    """(bytes above the outgoing area, bytes of the outgoing area)."""
    return frame.size - frame.out_bytes, frame.out_bytes


def _shifted(frame: Frame, pair: str, single: str) -> list[str]:
    """The saves while the outgoing area is not allocated."""
    moved = Frame.__new__(Frame)
    moved.out_bytes = 0
    moved.save_offset = frame.save_offset - frame.out_bytes
    moved.vector_offset = frame.vector_offset - frame.out_bytes
    moved.saved_caps, moved.saved_vectors = frame.saved_caps, frame.saved_vectors
    return _pairs(moved, pair, single, frame.has_record)


def epilogue(frame: Frame) -> list[str]:
    """Restore registers and free the frame; C30 holds the return address again."""
    lines = adjust("csp", "c29", -frame.out_bytes) if frame.function.has_alloca else []
    if frame.function.has_alloca and not lines:
        lines = ["mov csp, c29"]
    if _pushes(frame):
        lines += _pairs(frame, "ldp", "ldr", record=False)
        return [*lines, f"ldp c29, c30, [csp], #{frame.size}"]
    if _low(frame):
        lines += _pairs(frame, "ldp", "ldr", frame.has_record)
        return lines + adjust("csp", "csp", frame.size)
    upper, lower = _split(frame)
    lines += adjust("csp", "csp", lower)
    lines += _shifted(frame, "ldp", "ldr")
    return lines + adjust("csp", "csp", upper)


def _resolve(mi: MI, frame: Frame, templates: Templates) -> list[MI]:
    """Replace the frame operand of `mi` by an address."""
    position = mi.t.views.index("m")
    ref = mi.ops[position]
    assert isinstance(ref, FrameRef)
    base, offset = frame.locate(ref)
    mnemonic = mi.t.mnemonic
    if mnemonic == "frameaddr":
        lines = adjust(REGISTER_NAMES["c"][mi.ops[0]], base, offset)  # type: ignore[index]
        rest = mi.t.source.split("\n\t")[1:]
        body = templates["~=$c" + "\n\t".join(rest)] if rest else None
        out = _lines(templates, lines, mi)
        if body is not None:
            out.append(MI(body, [mi.ops[0]], mi.loc))
        return out
    if mnemonic == "alloca":
        return _lines(templates, _alloca(mi, frame.out_bytes), mi)
    size = ref.size
    if offset % size == 0 and 0 <= offset < 4096 * size:
        text = f"[{base}, #{offset}]" if offset else f"[{base}]"
        return [_with_address(mi, position, text, templates)]
    if -256 <= offset < 256:
        return [_with_address(mi, position, f"[{base}, #{offset}]", templates, unscaled=True)]
    lines = adjust(f"c{SCRATCH}", base, offset)
    out = _lines(templates, lines, mi)
    out.append(_with_address(mi, position, f"[c{SCRATCH}]", templates))
    return out


def _with_address(mi: MI, position: int, text: str, templates: Templates, unscaled: bool = False) -> MI:
    source = mi.t.source.replace("$m", "$#")
    if unscaled:
        source = source.replace("ldr", "ldur", 1).replace("str", "stur", 1)
    mi.t = templates[source]
    mi.ops[position] = text
    return mi


def _alloca(mi: MI, out_bytes: int) -> list[str]:
    """Move CSP down by a representable, 16-aligned size and bound the new space to the object."""
    c, x = REGISTER_NAMES["c"], REGISTER_NAMES["x"]
    dst, size, address = mi.ops[0], mi.ops[1], mi.ops[2]
    assert isinstance(dst, int) and isinstance(size, int) and isinstance(address, int)
    t = x[address]
    lines = [
        f"add x16, {x[size]}, #15",
        "and x16, x16, #-16",
        "rrmask x17, x16",
        "rrlen x16, x16",
        f"gcvalue {t}, csp",
    ]
    lines += _offset_lines("add", t, out_bytes)
    lines += [
        f"sub {t}, {t}, x16",
        f"and {t}, {t}, x17",
        f"and {t}, {t}, #-16",
        f"scvalue {c[dst]}, csp, {t}",
        f"scbnds {c[dst]}, {c[dst]}, {x[size]}",
    ]
    lines += _offset_lines("sub", t, out_bytes)
    return [*lines, f"scvalue csp, csp, {t}"]


def _offset_lines(name: str, register: str, amount: int) -> list[str]:
    """Integer register += or -= amount, below 16 MiB."""
    lines = [f"{name} {register}, {register}, #{amount >> 12}, lsl #12"] if amount >> 12 else []
    return [*lines, f"{name} {register}, {register}, #{amount & 0xFFF}"] if amount & 0xFFF else lines
