"""`__builtin_…`, `__sync_…` and `__atomic_…`: names, argument rules and result types.

A fixed-signature builtin is one row of `_FIXED`; a type-generic one is one function registered under
its name. `lower_builtins` has the code for each `tree.Builtin` name. `LIBRARY` names plain calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from guest.cc import syntax as s
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.constants import fold, round_to
from guest.cc.errors import CompileError

if TYPE_CHECKING:
    from guest.cc.check_expressions import ExpressionChecker

Rule = Callable[["ExpressionChecker", str, s.Call], t.Expr]

_CONST_VOID_PTR = ct.PointerType(ct.qualified(ct.VOID, ct.CONST))
_CONST_CHAR_PTR = ct.PointerType(ct.qualified(ct.CHAR, ct.CONST))
_P, _CP, _S, _CS, _N, _I = ct.VOID_PTR, _CONST_VOID_PTR, ct.CHAR_PTR, _CONST_CHAR_PTR, ct.SIZE, ct.INT

_LIBRARY_SIGNATURES: dict[str, tuple[ct.CType, list[ct.CType], bool]] = {
    "memcpy": (_P, [_P, _CP, _N], False),
    "memmove": (_P, [_P, _CP, _N], False),
    "memset": (_P, [_P, _I, _N], False),
    "memcmp": (_I, [_CP, _CP, _N], False),
    "memchr": (_P, [_CP, _I, _N], False),
    "strlen": (_N, [_CS], False),
    "strcmp": (_I, [_CS, _CS], False),
    "strncmp": (_I, [_CS, _CS, _N], False),
    "strcpy": (_S, [_S, _CS], False),
    "strncpy": (_S, [_S, _CS, _N], False),
    "strcat": (_S, [_S, _CS], False),
    "strchr": (_S, [_CS, _I], False),
    "strrchr": (_S, [_CS, _I], False),
    "malloc": (_P, [_N], False),
    "calloc": (_P, [_N, _N], False),
    "realloc": (_P, [_P, _N], False),
    "free": (ct.VOID, [_P], False),
    "abort": (ct.VOID, [], False),
    "exit": (ct.VOID, [_I], False),
    "puts": (_I, [_CS], False),
    "putchar": (_I, [_I], False),
    "printf": (_I, [_CS], True),
    "sprintf": (_I, [_S, _CS], True),
    "snprintf": (_I, [_S, _N, _CS], True),
    "pow": (ct.DOUBLE, [ct.DOUBLE, ct.DOUBLE], False),
    "fmod": (ct.DOUBLE, [ct.DOUBLE, ct.DOUBLE], False),
}
LIBRARY = {f"__builtin_{name}": name for name in _LIBRARY_SIGNATURES}


def library_type(name: str) -> ct.FunctionType:
    result, params, variadic = _LIBRARY_SIGNATURES[name]
    return ct.FunctionType(result, list(params), variadic)


_D, _F, _L, _U, _UL = ct.DOUBLE, ct.FLOAT, ct.LONG, ct.UINT, ct.ULONG

# name -> (builtin of the typed tree, result type, parameter types)
_FIXED: dict[str, tuple[str, ct.CType, list[ct.CType]]] = {
    "__builtin_unreachable": ("unreachable", ct.VOID, []),
    "__builtin_trap": ("trap", ct.VOID, []),
    "__builtin_debugtrap": ("trap", ct.VOID, []),
    "__builtin_alloca": ("alloca", _P, [_N]),
    "__builtin_clz": ("clz", _I, [_U]),
    "__builtin_clzl": ("clz", _I, [_UL]),
    "__builtin_clzll": ("clz", _I, [_UL]),
    "__builtin_ctz": ("ctz", _I, [_U]),
    "__builtin_ctzl": ("ctz", _I, [_UL]),
    "__builtin_ctzll": ("ctz", _I, [_UL]),
    "__builtin_ffs": ("ffs", _I, [_U]),
    "__builtin_ffsl": ("ffs", _I, [_UL]),
    "__builtin_ffsll": ("ffs", _I, [_UL]),
    "__builtin_popcount": ("popcount", _I, [_U]),
    "__builtin_popcountl": ("popcount", _I, [_UL]),
    "__builtin_popcountll": ("popcount", _I, [_UL]),
    "__builtin_parity": ("parity", _I, [_U]),
    "__builtin_parityl": ("parity", _I, [_UL]),
    "__builtin_parityll": ("parity", _I, [_UL]),
    "__builtin_bswap16": ("bswap16", ct.USHORT, [ct.USHORT]),
    "__builtin_bswap32": ("bswap", _U, [_U]),
    "__builtin_bswap64": ("bswap", _UL, [_UL]),
    "__builtin_abs": ("abs", _I, [_I]),
    "__builtin_labs": ("abs", _L, [_L]),
    "__builtin_llabs": ("abs", ct.LLONG, [ct.LLONG]),
    "__builtin_fma": ("fma", _D, [_D, _D, _D]),
    "__builtin_fmaf": ("fma", _F, [_F, _F, _F]),
    "__builtin_copysign": ("fcopysign", _D, [_D, _D]),
    "__builtin_copysignf": ("fcopysign", _F, [_F, _F]),
    "__builtin_thread_pointer": ("thread_pointer", _P, []),
    "__sync_synchronize": ("fence", ct.VOID, []),
    "__builtin_cheri_global_data_get": ("ddc", _P, []),
    "__builtin_cheri_program_counter_get": ("pcc", _P, []),
    "__builtin_cheri_stack_get": ("csp", _P, []),
    "__builtin_cheri_round_representable_length": ("cap_rrlen", _N, [_N]),
    "__builtin_cheri_representable_alignment_mask": ("cap_rrmask", _N, [_N]),
    **{
        f"__builtin_{c_name}{suffix}": (op, ty, [ty])
        for c_name, op in (
            ("fabs", "fabs"),
            ("sqrt", "fsqrt"),
            ("floor", "ffloor"),
            ("ceil", "fceil"),
            ("trunc", "ftrunc"),
            ("rint", "fnearest"),
            ("nearbyint", "fnearest"),
        )
        for suffix, ty in (("", _D), ("f", _F), ("l", ct.LDOUBLE))
    },
}

_CAP_RESULT_SIZE: dict[str, tuple[str, ct.CType]] = {  # capability -> integer
    "address_get": ("cap_address", ct.SIZE),
    "base_get": ("cap_base", ct.SIZE),
    "length_get": ("cap_length", ct.SIZE),
    "offset_get": ("cap_offset", ct.SIZE),
    "perms_get": ("cap_perms", ct.SIZE),
    "type_get": ("cap_type", ct.LONG),
    "flags_get": ("cap_flags", ct.SIZE),
    "tag_get": ("cap_tag", ct.BOOL),
    "sealed_get": ("cap_sealed", ct.BOOL),
    "copy_from_high": ("cap_high", ct.SIZE),
}
_CAP_TO_CAP = {  # capability -> capability of the same C type
    "tag_clear": "cap_clear_tag",
    "seal_entry": "cap_seal_entry",
}
_CAP_WITH_INTEGER = {  # capability, integer -> capability
    "address_set": "set_address",
    "offset_set": "set_offset",
    "offset_increment": "add",
    "bounds_set": "set_bounds",
    "bounds_set_exact": "set_bounds_exact",
    "perms_and": "and_perms",
    "flags_set": "set_flags",
}
_CAP_WITH_CAP = {  # capability, capability -> capability
    "seal": "seal",
    "unseal": "unseal",
    "cap_build": "build",
    "cap_type_copy": "copy_type",
    "conditional_seal": "cond_seal",
}


def find(name: str) -> Rule | None:
    """The checking rule of a builtin; None when there is no such builtin."""
    rule = _GENERIC.get(name)
    if rule is not None:
        return rule
    if name in _FIXED:
        return _fixed
    if name.startswith("__builtin_cheri_"):
        return _cheri if _cheri_kind(name) else None
    for prefix, prefix_rule in (("__sync_", _sync), ("__atomic_", _atomic)):
        if name.startswith(prefix):
            return prefix_rule
    return None


def _args(checker: ExpressionChecker, name: str, node: s.Call, count: int) -> list[t.Expr]:
    if len(node.args) != count:
        plural = "" if count == 1 else "s"
        raise CompileError(node.at.loc, f"'{name}' takes {count} argument{plural}, not {len(node.args)}")
    return [checker.value(a) for a in node.args]


def _fixed(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    builtin, result, params = _FIXED[name]
    args = _args(checker, name, node, len(params))
    converted = [
        checker.assigned(a, p, f"argument {i + 1} of '{name}'", node.args[i].at.loc)
        for i, (a, p) in enumerate(zip(args, params, strict=True))
    ]
    e = t.Builtin(result, node.at.loc, builtin, converted)
    return _fold_bits(e)


def _fold_bits(e: t.Builtin) -> t.Expr:
    if len(e.args) == 1 and isinstance(e.args[0], t.IntConst):
        bits = e.args[0].type.size * 8
        value = e.args[0].value & ((1 << bits) - 1)
        match e.name:
            case "clz" if value:
                return t.IntConst(e.type, e.loc, bits - value.bit_length())
            case "ctz" if value:
                return t.IntConst(e.type, e.loc, (value & -value).bit_length() - 1)
            case "popcount":
                return t.IntConst(e.type, e.loc, value.bit_count())
            case "bswap" | "bswap16":
                swapped = int.from_bytes(value.to_bytes(bits // 8, "little"), "big")
                return t.IntConst(e.type, e.loc, swapped)
    return e


# ---------------------------------------------------------------- compile-time builtins


def _expect(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    value = _args(checker, name, node, 3 if "probability" in name else 2)[0]
    return checker.convert(value, ct.LONG)


def _constant_p(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    (value,) = _args(checker, name, node, 1)
    known = isinstance(value, (t.IntConst, t.FloatConst))
    return t.IntConst(ct.INT, node.at.loc, int(known))


def _object_size(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    kind = _args(checker, name, node, 2)[1]
    unknown_minimum = isinstance(kind, t.IntConst) and kind.value >= 2
    return t.IntConst(ct.SIZE, node.at.loc, 0 if unknown_minimum else (1 << 64) - 1)


def _float_constant(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    stem = name.removeprefix("__builtin_")
    if stem.startswith("nan"):
        _args(checker, name, node, 1)
        value = math.nan
    else:
        _args(checker, name, node, 0)
        value = math.inf
    ty = ct.FLOAT if stem.endswith("f") and stem != "inf" else ct.DOUBLE
    return t.FloatConst(ty, node.at.loc, round_to(value, ty))


def _assume(checker: ExpressionChecker, _name: str, node: s.Call) -> t.Expr:
    """Hints without code: the arguments are checked, not evaluated."""
    for arg in node.args:
        checker.value(arg)
    return t.Convert(ct.VOID, node.at.loc, t.IntConst(ct.INT, node.at.loc, 0))


def _assume_aligned(checker: ExpressionChecker, _name: str, node: s.Call) -> t.Expr:
    return checker.value(node.args[0])


def _frame_address(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    (level,) = _args(checker, name, node, 1)
    if not isinstance(level, t.IntConst) or level.value != 0:
        raise CompileError(node.at.loc, f"'{name}' works for level 0 only")
    kind = "return_address" if "return" in name else "frame_address"
    return t.Builtin(ct.VOID_PTR, node.at.loc, kind, [])


def _extract_return(checker: ExpressionChecker, _name: str, node: s.Call) -> t.Expr:
    return checker.value(node.args[0])


# ---------------------------------------------------------------- varargs


def _va_list(checker: ExpressionChecker, node: s.Node) -> t.Expr:
    from guest.cc.check_values import is_lvalue

    ap = checker.expression(node)
    if not is_lvalue(ap) or not ap.type.is_pointer:
        raise CompileError(node.at.loc, "this must be a va_list variable")
    return ap


def _va_start(checker: ExpressionChecker, _name: str, node: s.Call) -> t.Expr:
    loc = node.at.loc
    if checker.function is None or not isinstance(checker.function.type, ct.FunctionType):
        raise CompileError(loc, "va_start needs a function around it")
    if not checker.function.type.variadic:
        raise CompileError(loc, f"'{checker.function.name}' takes no variable arguments")
    if not 1 <= len(node.args) <= 2:
        raise CompileError(loc, "va_start takes a va_list and the last named parameter")
    ap = _va_list(checker, node.args[0])
    return t.Assign(ct.VOID, loc, ap, t.Builtin(ct.VOID_PTR, loc, "varargs", []))


def _va_end(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    _args(checker, name, node, 1)
    return t.Convert(ct.VOID, node.at.loc, t.IntConst(ct.INT, node.at.loc, 0))


def _va_copy(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    source = _args(checker, name, node, 2)[1]
    return t.Assign(ct.VOID, node.at.loc, _va_list(checker, node.args[0]), source)


# ---------------------------------------------------------------- arithmetic with overflow


def _overflow(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    a, b, out = _args(checker, name, node, 3)
    target = out.type.target if isinstance(out.type, ct.PointerType) else None
    if not (isinstance(target, ct.IntType) and a.type.is_integer and b.type.is_integer):
        raise CompileError(node.at.loc, f"'{name}' takes two integers and a pointer to an integer")
    op = {"add": "+", "sub": "-", "mul": "*"}[name.removeprefix("__builtin_")[:3]]
    return t.Builtin(ct.BOOL, node.at.loc, f"overflow{op}", [checker.promote(a), checker.promote(b), out])


def _typed_overflow(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    """`__builtin_sadd_overflow` and its like: operands converted to the named type first."""
    stem = name.removeprefix("__builtin_").removesuffix("_overflow")
    signed, rest = stem[0] == "s", stem[1:]
    op = rest[:3]
    longs = rest[3:]
    ty = (ct.LONG if signed else ct.ULONG) if longs else (ct.INT if signed else ct.UINT)
    a, b, out = _args(checker, name, node, 3)
    return t.Builtin(
        ct.BOOL,
        node.at.loc,
        "overflow" + {"add": "+", "sub": "-", "mul": "*"}[op],
        [checker.convert(a, ty), checker.convert(b, ty), out],
    )


# ---------------------------------------------------------------- floating-point classification


def _float_unary(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    (value,) = _args(checker, name, node, 1)
    if not value.type.is_float:
        raise CompileError(node.at.loc, f"'{name}' takes a floating-point number")
    kind = name.removeprefix("__builtin_")
    kind = kind.removesuffix("f").removesuffix("l") if kind.startswith("signbit") else kind
    return t.Builtin(ct.INT, node.at.loc, kind, [value])


def _float_compare(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    a, b = _args(checker, name, node, 2)
    common = ct.usual_arithmetic(a.type, b.type)
    x, y = checker.convert(a, common), checker.convert(b, common)
    loc = node.at.loc
    kind = name.removeprefix("__builtin_is")
    if kind == "unordered":
        return t.Builtin(ct.INT, loc, "isunordered", [x, y])
    if kind == "lessgreater":
        return t.Builtin(ct.INT, loc, "islessgreater", [x, y])
    op = {"greater": ">", "greaterequal": ">=", "less": "<", "lessequal": "<="}[kind]
    return fold(t.Compare(ct.INT, loc, op, x, y))


# ---------------------------------------------------------------- capabilities


def _cheri_kind(name: str) -> str | None:
    stem = name.removeprefix("__builtin_cheri_")
    tables = (_CAP_RESULT_SIZE, _CAP_TO_CAP, _CAP_WITH_INTEGER, _CAP_WITH_CAP)
    if any(stem in table for table in tables) or stem in ("equal_exact", "subset_test"):
        return stem
    return None


def _capability(e: t.Expr, name: str) -> t.Expr:
    if not e.type.in_capability:
        raise CompileError(e.loc, f"'{name}' takes a capability, not '{ct.describe(e.type)}'")
    return e


def _cheri(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    stem = name.removeprefix("__builtin_cheri_")
    loc = node.at.loc
    if stem in _CAP_RESULT_SIZE:
        op, ty = _CAP_RESULT_SIZE[stem]
        return t.Builtin(ty, loc, op, [_capability(_args(checker, name, node, 1)[0], name)])
    if stem in _CAP_TO_CAP:
        cap = _capability(_args(checker, name, node, 1)[0], name)
        return t.Builtin(ct.unqualified(cap.type), loc, _CAP_TO_CAP[stem], [cap])
    first, second = _args(checker, name, node, 2)
    _capability(first, name)
    ty = ct.unqualified(first.type)
    if stem in _CAP_WITH_INTEGER:
        integer = checker.assigned(second, ct.SIZE, f"argument 2 of '{name}'", loc)
        return t.Builtin(ty, loc, _CAP_WITH_INTEGER[stem], [first, integer])
    _capability(second, name)
    if stem in _CAP_WITH_CAP:
        if stem == "cap_build":  # (authority, bits) in C; (bits, authority) in the tree
            return t.Builtin(ct.unqualified(second.type), loc, "build", [second, first])
        return t.Builtin(ty, loc, _CAP_WITH_CAP[stem], [first, second])
    return t.Builtin(ct.BOOL, loc, "cap_" + stem, [first, second])


# ---------------------------------------------------------------- atomics


def _pointed(checker: ExpressionChecker, node: s.Node, name: str) -> tuple[t.Expr, ct.CType]:
    """The address argument of an atomic builtin and the scalar type it points to."""
    pointer = checker.value(node)
    target = pointer.type.target if isinstance(pointer.type, ct.PointerType) else None
    if target is None or not (target.is_integer or target.is_pointer):
        raise CompileError(node.at.loc, f"'{name}' takes a pointer to an integer or pointer")
    return pointer, ct.unqualified(target)


_FETCH_OPERATIONS = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^", "nand": "n"}


def _operand(checker: ExpressionChecker, node: s.Node, ty: ct.CType, name: str) -> t.Expr:
    e = checker.value(node)
    if ty.is_pointer and e.type.is_integer:
        return checker.convert(e, ct.LONG)
    if ty.is_integer and e.type.is_pointer:
        raise CompileError(node.at.loc, f"'{name}' would store a pointer in an integer")
    return checker.convert(e, ty)


def _sync(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    stem = name.removeprefix("__sync_")
    if not node.args:
        raise CompileError(node.at.loc, f"'{name}' takes an address")
    pointer, ty = _pointed(checker, node.args[0], name)
    operands = [_operand(checker, a, ty, name) for a in node.args[1:]]
    loc = node.at.loc
    if stem == "lock_test_and_set":
        return t.Builtin(ty, loc, "atomic_exchange", [pointer, *operands[:1]])
    if stem == "lock_release":
        return t.Builtin(
            ct.VOID, loc, "atomic_store", [pointer, checker.convert(t.IntConst(ct.INT, loc, 0), ty)]
        )
    if stem in ("val_compare_and_swap", "bool_compare_and_swap"):
        kind = "atomic_cas_" + stem.split("_", 1)[0]
        return t.Builtin(ct.BOOL if kind.endswith("bool") else ty, loc, kind, [pointer, *operands[:2]])
    return _fetch(stem, ty, [pointer, *operands[:1]], name, node)


def _fetch(stem: str, ty: ct.CType, args: list[t.Expr], name: str, node: s.Call) -> t.Expr:
    """fetch_and_OP / OP_and_fetch / fetch_OP / OP_fetch."""
    words = stem.removesuffix("_n").replace("_and_fetch", "_fetch").replace("fetch_and_", "fetch_").split("_")
    if len(words) != 2 or "fetch" not in words or len(args) != 2:
        raise CompileError(node.at.loc, f"there is no builtin '{name}'")
    new_value = words[1] == "fetch"
    op = _FETCH_OPERATIONS.get(words[0] if new_value else words[1])
    if op is None:
        raise CompileError(node.at.loc, f"there is no builtin '{name}'")
    return t.Builtin(ty, node.at.loc, f"atomic_fetch{op}", args, int(new_value))


def _atomic(checker: ExpressionChecker, name: str, node: s.Call) -> t.Expr:
    stem = name.removeprefix("__atomic_").removesuffix("_n")
    loc = node.at.loc
    if stem in ("thread_fence", "signal_fence"):
        return t.Builtin(ct.VOID, loc, "fence", [])
    if stem in ("is_lock_free", "always_lock_free"):
        return t.IntConst(ct.BOOL, loc, 1)
    if not node.args:
        raise CompileError(loc, f"'{name}' takes an address")
    if stem in ("test_and_set", "clear"):
        pointer = checker.convert(checker.value(node.args[0]), ct.PointerType(ct.UCHAR))
        flag = t.IntConst(ct.UCHAR, loc, int(stem == "test_and_set"))
        if stem == "clear":
            return t.Builtin(ct.VOID, loc, "atomic_store", [pointer, flag])
        return checker.convert(t.Builtin(ct.UCHAR, loc, "atomic_exchange", [pointer, flag]), ct.BOOL)
    pointer, ty = _pointed(checker, node.args[0], name)
    by_value = name.endswith("_n")
    if stem == "load" and by_value:
        return t.Builtin(ty, loc, "atomic_load", [pointer])
    if stem == "load":
        result = checker.dereferenced(checker.value(node.args[1]), loc)
        return t.Assign(ct.VOID, loc, result, t.Builtin(ty, loc, "atomic_load", [pointer]))
    if stem == "compare_exchange":
        expected = checker.value(node.args[1])
        desired = _by_value(checker, node.args[2], ty, name, by_value)
        return t.Builtin(ct.BOOL, loc, "atomic_compare_exchange", [pointer, expected, desired])
    operand = _by_value(checker, node.args[1], ty, name, by_value or stem not in ("store", "exchange"))
    if stem == "store":
        return t.Builtin(ct.VOID, loc, "atomic_store", [pointer, operand])
    if stem == "exchange":
        exchanged = t.Builtin(ty, loc, "atomic_exchange", [pointer, operand])
        if by_value:
            return exchanged
        return t.Assign(ct.VOID, loc, checker.dereferenced(checker.value(node.args[2]), loc), exchanged)
    return _fetch(stem, ty, [pointer, operand], name, node)


def _by_value(checker: ExpressionChecker, node: s.Node, ty: ct.CType, name: str, by_value: bool) -> t.Expr:
    if by_value:
        return _operand(checker, node, ty, name)
    return checker.dereferenced(checker.value(node), node.at.loc)


_FLOAT_UNARY = ("isnan", "isinf", "isinf_sign", "isfinite", "isnormal", "signbit", "signbitf", "signbitl")
_FLOAT_COMPARE = ("greater", "greaterequal", "less", "lessequal", "unordered", "lessgreater")

_GENERIC: dict[str, Rule] = {
    "__builtin_expect": _expect,
    "__builtin_expect_with_probability": _expect,
    "__builtin_constant_p": _constant_p,
    "__builtin_object_size": _object_size,
    "__builtin_prefetch": _assume,
    "__builtin_assume": _assume,
    "__builtin___clear_cache": _assume,
    "__builtin_assume_aligned": _assume_aligned,
    "__builtin_return_address": _frame_address,
    "__builtin_frame_address": _frame_address,
    "__builtin_extract_return_addr": _extract_return,
    "__builtin_va_start": _va_start,
    "__builtin_va_end": _va_end,
    "__builtin_va_copy": _va_copy,
    **{
        f"__builtin_{kind}{suffix}": _float_constant
        for kind in ("huge_val", "inf", "nan")
        for suffix in ("", "f", "l")
    },
    **{f"__builtin_{kind}": _float_unary for kind in _FLOAT_UNARY},
    **{f"__builtin_is{kind}": _float_compare for kind in _FLOAT_COMPARE},
    **{f"__builtin_{op}_overflow": _overflow for op in ("add", "sub", "mul")},
    **{
        f"__builtin_{sign}{op}{longs}_overflow": _typed_overflow
        for sign in "su"
        for op in ("add", "sub", "mul")
        for longs in ("", "l", "ll")
    },
}
