"""Sign and zero extensions done by the load itself: LDRSB, LDRSH, LDRSW and zero-extending loads."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend import irtools
from guest.cc.ir import Ty, UnOp, Width

# (width loaded, extension of the loaded value) -> width that extends while loading
FUSED = {
    (Width.U8, UnOp.SEXT8): Width.S8,
    (Width.S8, UnOp.SEXT8): Width.S8,
    (Width.U8, UnOp.ZEXT8): Width.U8,
    (Width.S8, UnOp.ZEXT8): Width.U8,
    (Width.U16, UnOp.SEXT16): Width.S16,
    (Width.S16, UnOp.SEXT16): Width.S16,
    (Width.U16, UnOp.ZEXT16): Width.U16,
    (Width.S16, UnOp.ZEXT16): Width.U16,
    (Width.W32, UnOp.SEXT32): Width.S32,
    (Width.W32, UnOp.ZEXT32): Width.W32,
    (Width.U8, UnOp.SEXT32): Width.U8,
    (Width.U16, UnOp.SEXT32): Width.U16,
    (Width.U8, UnOp.ZEXT32): Width.U8,
    (Width.U16, UnOp.ZEXT32): Width.U16,
    (Width.S8, UnOp.SEXT32): Width.S8,
    (Width.S16, UnOp.SEXT32): Width.S16,
}


def fuse_extensions(function: ir.Function) -> None:
    """Let a load whose only use is an extension in the same block deliver the extended value."""
    counts, definitions = irtools.occurrences(function)
    for block in function.blocks:
        loads: dict[ir.VReg, int] = {}
        touched: dict[ir.VReg, int] = {}
        dead: set[int] = set()
        for n, op in enumerate(block.ops):
            if isinstance(op, ir.Unary) and op.a in loads:
                at = loads[op.a]
                load = block.ops[at]
                assert isinstance(load, (ir.Load, ir.LocalLoad))
                fused = FUSED.get((load.width, op.op))
                unique = counts.get(op.a) == 1 and definitions.get(op.a) == 1
                if fused is not None and unique and touched.get(op.dst, -1) <= at:
                    load.width, load.dst = fused, op.dst
                    dead.add(id(op))
                    touched[op.dst] = n
                    if op.dst.ty is Ty.I32:
                        loads[op.dst] = at
                    continue
            for u in irtools.uses(op):
                touched[u] = n
            for d in irtools.defs(op):
                touched[d] = n
                loads.pop(d, None)
            if isinstance(op, (ir.Load, ir.LocalLoad)) and op.dst.ty is Ty.I32:
                loads[op.dst] = n
        if dead:
            block.ops = [op for op in block.ops if id(op) not in dead]
