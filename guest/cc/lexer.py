"""Preprocessed C text to tokens with their original file, line and column."""

from __future__ import annotations

import re

from guest.cc.errors import CompileError
from guest.cc.ir import SourceLoc

ID = "id"
NUMBER = "number"
CHAR = "character"
STRING = "string"
END = "end"  # after the last token
# Keywords and punctuators are their own kind.

_TOKEN = re.compile(
    r"""
      (?P<newline>\n)
    | (?P<space>[ \t\f\v\r]+)
    | (?P<id>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<number>\.?[0-9](?:[eEpP][+-]|[0-9A-Za-z_.])*)
    | (?P<string>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*")
    | (?P<character>[uUL]?'(?:[^'\\\n]|\\.)+')
    | (?P<directive>\#[^\n]*)
    | (?P<punct>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])
    """,
    re.VERBOSE,
)

# Spelling -> keyword kind; "" marks words without meaning here, dropped by the lexer.
KEYWORDS = {
    word: word
    for word in [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "_Alignas",
        "_Alignof",
        "_Atomic",
        "_Bool",
        "_Generic",
        "_Noreturn",
        "_Static_assert",
        "_Thread_local",
        "__attribute__",
        "__asm__",
        "__typeof__",
        "__intcap_t",
        "__uintcap_t",
        "__builtin_va_list",
        "__label__",
        "__func__",
        "__builtin_va_arg",
        "__builtin_offsetof",
        "__builtin_types_compatible_p",
        "__builtin_choose_expr",
        "__int128",
    ]
} | {
    "__inline": "inline",
    "__inline__": "inline",
    "__const": "const",
    "__const__": "const",
    "__volatile": "volatile",
    "__volatile__": "volatile",
    "__restrict": "restrict",
    "__restrict__": "restrict",
    "__signed": "signed",
    "__signed__": "signed",
    "__attribute": "__attribute__",
    "__asm": "__asm__",
    "asm": "__asm__",
    "typeof": "__typeof__",
    "__typeof": "__typeof__",
    "__alignof__": "_Alignof",
    "__alignof": "_Alignof",
    "__thread": "_Thread_local",
    "__intcap": "__intcap_t",
    "__FUNCTION__": "__func__",
    "__PRETTY_FUNCTION__": "__func__",
    "__extension__": "",
    "__capability": "",
}

# The parser compares these kinds by identity.
_LITERAL_KINDS = {NUMBER: NUMBER, CHAR: CHAR, STRING: STRING}

_LINE_MARKER = re.compile(r'#\s*(?:line\s+)?(\d+)(?:\s+"((?:[^"\\]|\\.)*)")?')


class Token:
    """`kind` is ID, NUMBER, CHAR, STRING, END, or the keyword/punctuator itself."""

    __slots__ = ("_loc", "column", "file", "kind", "line", "text")

    def __init__(self, kind: str, text: str, file: str, line: int, column: int) -> None:
        self.kind = kind
        self.text = text
        self.file = file
        self.line = line
        self.column = column
        self._loc: SourceLoc | None = None

    @property
    def loc(self) -> SourceLoc:
        if self._loc is None:
            self._loc = SourceLoc(self.file, self.line, self.column)
        return self._loc


def tokenize(text: str, name: str) -> list[Token]:
    """All tokens of `text` (an END token last); `#line` markers set file and line, pragmas are dropped."""
    tokens: list[Token] = []
    file, line, line_start = name, 1, 0
    position, end = 0, len(text)
    match = _TOKEN.match
    append = tokens.append
    keywords = KEYWORDS
    while position < end:
        m = match(text, position)
        if m is None:
            what = repr(text[position])
            raise CompileError(
                SourceLoc(file, line, position - line_start + 1), f"unexpected character {what}"
            )
        kind = m.lastgroup or ""
        start, position = position, m.end()
        if kind == "space":
            continue
        if kind == "newline":
            line += 1
            line_start = position
            continue
        spelling = m.group()
        if kind == "id":
            kind = keywords.get(spelling, ID)
            if not kind:
                continue
        elif kind == "punct":
            kind = spelling
        elif kind == "directive":
            marker = _LINE_MARKER.match(spelling)
            if marker:
                line = int(marker.group(1)) - 1
                file = marker.group(2) or file
            continue
        append(Token(_LITERAL_KINDS.get(kind, kind), spelling, file, line, start - line_start + 1))
    append(Token(END, "", file, line, 1))
    return tokens


_SIMPLE_ESCAPES = {
    "n": 10,
    "t": 9,
    "r": 13,
    "0": 0,
    "a": 7,
    "b": 8,
    "f": 12,
    "v": 11,
    "e": 27,
    "\\": 92,
    "'": 39,
    '"': 34,
    "?": 63,
}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]+|[0-7]{1,3}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)|[^\\]", re.DOTALL)


def unescape(body: str, loc: SourceLoc, wide: bool) -> list[int]:
    """Code units of a literal's body: bytes (UTF-8) or, when `wide`, code points."""
    units: list[int] = []
    for m in _ESCAPE.finditer(body):
        escape = m.group(1)
        if escape is None or (escape[0] in "uU" and len(escape) > 1):
            point = ord(m.group()) if escape is None else int(escape[1:], 16)
            units.extend([point] if wide else chr(point).encode("utf-8", "surrogatepass"))
        elif escape[0] == "x":
            units.append(int(escape[1:], 16))
        elif escape[0] in "01234567":
            units.append(int(escape, 8))
        elif escape in _SIMPLE_ESCAPES:
            units.append(_SIMPLE_ESCAPES[escape])
        else:
            raise CompileError(loc, f"unknown escape sequence '\\{escape}'")
    return units
