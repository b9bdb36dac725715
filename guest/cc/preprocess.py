"""Preprocessing with pcpp: predefined macros of Morello purecap, include paths, dependencies.

`preprocess(text, path, options)` returns preprocessed text with `#line` markers and the files it read.
"""

from __future__ import annotations

import io
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pcpp

from guest.cc.errors import CompileError, Diagnostics
from guest.cc.ir import SourceLoc

COMPILER_INCLUDE = Path(__file__).parent / "include"

_PERMISSIONS = {
    "__CHERI_CAP_PERMISSION_GLOBAL__": 0,
    "__CHERI_CAP_PERMISSION_PERMIT_EXECUTE__": 15,
    "__CHERI_CAP_PERMISSION_PERMIT_LOAD__": 17,
    "__CHERI_CAP_PERMISSION_PERMIT_STORE__": 16,
    "__CHERI_CAP_PERMISSION_PERMIT_LOAD_CAPABILITY__": 14,
    "__CHERI_CAP_PERMISSION_PERMIT_STORE_CAPABILITY__": 13,
    "__CHERI_CAP_PERMISSION_PERMIT_STORE_LOCAL__": 12,
    "__CHERI_CAP_PERMISSION_PERMIT_SEAL__": 11,
    "__CHERI_CAP_PERMISSION_PERMIT_UNSEAL__": 10,
    "__CHERI_CAP_PERMISSION_ACCESS_SYSTEM_REGISTERS__": 9,
    "__ARM_CAP_PERMISSION_EXECUTIVE__": 1,
    "__ARM_CAP_PERMISSION_MUTABLE_LOAD__": 6,
    "__ARM_CAP_PERMISSION_COMPARTMENT_ID__": 7,
    "__ARM_CAP_PERMISSION_BRANCH_SEALED_PAIR__": 8,
}
_INTEGER_LIMITS = {
    "SCHAR": 0x7F,
    "SHRT": 0x7FFF,
    "INT": 0x7FFFFFFF,
    "LONG": (1 << 63) - 1,
    "LONG_LONG": (1 << 63) - 1,
}
_TYPES = {
    "SIZE": "unsigned long",
    "PTRDIFF": "long",
    "INTPTR": "__intcap_t",
    "UINTPTR": "__uintcap_t",
    "PTRADDR": "unsigned long",
    "WCHAR": "unsigned int",
    "WINT": "unsigned int",
    "INTMAX": "long",
    "UINTMAX": "unsigned long",
}
_SIZES = {
    "SHORT": 2,
    "INT": 4,
    "LONG": 8,
    "LONG_LONG": 8,
    "POINTER": 16,
    "SIZE_T": 8,
    "PTRDIFF_T": 8,
    "FLOAT": 4,
    "DOUBLE": 8,
    "LONG_DOUBLE": 8,
    "WCHAR_T": 4,
}
_PLAIN = {
    "__STDC__": "1",
    "__STDC_HOSTED__": "1",
    "__STDC_VERSION__": "201112L",
    "__STDC_NO_COMPLEX__": "1",
    "__STDC_NO_THREADS__": "1",
    "__GNUC__": "4",
    "__GNUC_MINOR__": "2",
    "__GNUC_PATCHLEVEL__": "1",
    "__VERSION__": '"morello cc"',
    "__morello_cc__": "1",
    "__aarch64__": "1",
    "__AARCH64EL__": "1",
    "__ARM_ARCH": "8",
    "__ARM_64BIT_STATE": "1",
    "__ARM_FEATURE_C64": "1",
    "__CHERI__": "1",
    "__CHERI_CAPABILITY_WIDTH__": "128",
    "__CHERI_PURE_CAPABILITY__": "2",
    "__LP64__": "1",
    "_LP64": "1",
    "__ELF__": "1",
    "__linux__": "1",
    "__linux": "1",
    "__unix__": "1",
    "__CHAR_BIT__": "8",
    "__CHAR_UNSIGNED__": "1",
    "__BIGGEST_ALIGNMENT__": "16",
    "__ORDER_LITTLE_ENDIAN__": "1234",
    "__ORDER_BIG_ENDIAN__": "4321",
    "__BYTE_ORDER__": "1234",
    "__FLT_EVAL_METHOD__": "0",
    "__USER_LABEL_PREFIX__": "",
    "_Pragma(x)": "",
    "__ATOMIC_RELAXED": "0",
    "__ATOMIC_CONSUME": "1",
    "__ATOMIC_ACQUIRE": "2",
    "__ATOMIC_RELEASE": "3",
    "__ATOMIC_ACQ_REL": "4",
    "__ATOMIC_SEQ_CST": "5",
}


def predefined_macros(optimize: int) -> list[str]:
    """`NAME value` lines of what the compiler defines."""
    lines = [f"{name} {value}" for name, value in _PLAIN.items()]
    lines += [f"{name} {1 << bit}" for name, bit in _PERMISSIONS.items()]
    lines += [f"__{name}_MAX__ {value}{'L' * (value >> 31 > 0)}" for name, value in _INTEGER_LIMITS.items()]
    lines += [f"__{name}_TYPE__ {value}" for name, value in _TYPES.items()]
    lines += [f"__SIZEOF_{name}__ {value}" for name, value in _SIZES.items()]
    if optimize:
        lines.append("__OPTIMIZE__ 1")
    return lines


@dataclass(slots=True)
class PreprocessOptions:
    """What the command line says; directories in search order, quoted includes look beside the file first."""

    include_dirs: list[str] = field(default_factory=list)
    system_dirs: list[str] = field(default_factory=list)
    defines: list[str] = field(default_factory=list)  # NAME or NAME=value
    undefines: list[str] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)  # -include FILE
    optimize: int = 1
    assembly: bool = False
    timestamp: int = 0  # seconds since the epoch for __DATE__ and __TIME__
    prefix_map: list[tuple[str, str]] = field(default_factory=list)  # -ffile-prefix-map=OLD=NEW


class _Preprocessor(pcpp.Preprocessor):  # type: ignore[misc]
    """pcpp with this compiler's diagnostics, and without its chatter."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__()
        self.diagnostics = diagnostics
        self.files: list[str] = []
        self.opened: dict[str, str] = {}
        self.lastdirective: Any = None

    def on_error(self, file: str, line: int, msg: str) -> None:
        self.diagnostics.error(SourceLoc(file or "<command line>", line, 1), _sentence(msg))
        self.return_code += 1

    def on_file_open(self, _is_system_include: bool, includepath: str) -> io.StringIO:
        text = self.opened.get(includepath)
        if text is None:
            text = Path(includepath).read_text(encoding="utf-8", errors="replace")
            self.opened[includepath] = text
        if includepath not in self.files:
            self.files.append(includepath)
        return io.StringIO(text)

    def on_include_not_found(
        self, _is_malformed: bool, _is_system_include: bool, _curdir: str, includepath: str
    ) -> None:
        raise CompileError(_place(self.lastdirective), f"the file '{includepath}' was not found")

    def on_directive_unknown(
        self, directive: Any, toks: list[Any], _ifpassthru: bool, _precedingtoks: list[Any]
    ) -> bool | None:
        text = "".join(t.value for t in toks).strip()
        if directive.value == "error":
            raise CompileError(_place(directive), f"#error {text}")
        if directive.value == "warning":
            self.diagnostics.warning(_place(directive), f"#warning {text}")
            return True
        if directive.value in ("pragma", "line", "ident"):
            return None
        raise CompileError(_place(directive), f"there is no directive '#{directive.value}'")


def _place(token: Any) -> SourceLoc:
    return SourceLoc(token.source, token.lineno, 1)


def _sentence(message: str) -> str:
    line = " ".join(message.split())
    return line[:1].lower() + line[1:].rstrip(".")


def preprocess(
    text: str, path: str, options: PreprocessOptions, diagnostics: Diagnostics
) -> tuple[str, list[str]]:
    """Preprocessed text of one source file, and the files it included."""
    p = _Preprocessor(diagnostics)
    for old, new in options.prefix_map:
        p.rewrite_paths.insert(0, (re.escape(str(Path(old).absolute())) + "(.*)", new + r"\1"))
    for directory in [*options.include_dirs, *options.system_dirs, str(COMPILER_INCLUDE)]:
        p.add_path(directory)
    for line in predefined_macros(options.optimize):
        p.define(line)
    if options.assembly:
        p.define("__ASSEMBLER__ 1")
    moment = time.gmtime(options.timestamp)
    p.define(f'__DATE__ "{time.strftime("%b %e %Y", moment)}"')
    p.define(f'__TIME__ "{time.strftime("%H:%M:%S", moment)}"')
    for define in options.defines:
        name, _, value = define.partition("=")
        p.define(f"{name} {value if '=' in define else '1'}")
    for name in options.undefines:
        p.undef(name)
    prefix = "".join(f'#include "{Path(name).absolute()}"\n' for name in options.includes)
    if prefix:
        text = f'{prefix}#line 1 "{path}"\n{text}'
    out = io.StringIO()
    try:
        p.parse(text, path)
        p.write(out)
    except (IndexError, AttributeError, AssertionError, ValueError) as error:
        where = getattr(p, "lastdirective", None)
        raise CompileError(
            _place(where) if where is not None else SourceLoc(path, 1, 1),
            "this preprocessing directive is malformed",
        ) from error
    return out.getvalue(), p.files
