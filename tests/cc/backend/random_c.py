"""Random C programs without undefined behaviour, for differential tests of the compiler."""

from __future__ import annotations

import random

TYPES = [
    "int",
    "unsigned",
    "long",
    "unsigned long",
    "short",
    "unsigned short",
    "signed char",
    "unsigned char",
]
UNSIGNED = {"unsigned", "unsigned long", "unsigned short", "unsigned char"}
BINARY = ["+", "-", "*", "&", "|", "^"]
COMPARE = ["<", "<=", ">", ">=", "==", "!="]


class Program:
    """Text of one program; the same seed gives the same text."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.depth = 0
        self.counter = 0
        self.pure = False

    def pick(self, *choices):
        return self.r.choice(choices)

    def constant(self):
        r = self.r
        value = r.choice(
            [0, 1, 2, 3, 7, 8, 10, 16, 31, 100, 127, 128, 255, 256, 1000, 4095, 4096, 65535, 65536]
        )
        value = r.choice([value, value, r.getrandbits(r.randrange(1, 32)), r.getrandbits(62)])
        suffix = "" if value < 1 << 31 else "L"
        text = f"{value}{suffix}" if r.random() < 0.8 else f"(-{value}{suffix})"
        return text

    def leaf(self, scope):
        r = self.r
        kind = r.random()
        if kind < 0.55 and scope:
            return r.choice(scope)[0]
        if kind < 0.62:
            return f"ga[{self.index(scope)}]"
        if kind < 0.68:
            return f"gs.{self.pick('a', 'b', 'c', 'd')}"
        if kind < 0.74:
            return f"p->{self.pick('a', 'b', 'c', 'd')}"
        if kind < 0.78:
            return f"gc[{self.index(scope)}]"
        return self.constant()

    def index(self, scope):
        if scope and self.r.random() < 0.7:
            return f"(({self.r.choice(scope)[0]}) & 7)"
        return str(self.r.randrange(8))

    def expression(self, scope, depth=3):
        """An expression; signed overflow is avoided by computing in unsigned long."""
        r = self.r
        if depth == 0 or r.random() < 0.15:
            return self.leaf(scope)
        kind = r.random()
        a = self.expression(scope, depth - 1)
        if kind < 0.1:
            return f"({self.pick(*TYPES)})({a})"
        if kind < 0.17:
            return f"{self.pick('-', '~', '!')}({self.cast(a)})"
        b = self.expression(scope, depth - 1)
        cast = self.cast
        if kind < 0.5:
            return f"({cast(a)} {self.pick(*BINARY)} {cast(b)})"
        if kind < 0.6:
            if r.random() < 0.5:
                return f"({cast(a)} {self.pick('<<', '>>')} ({b} & 31))"
            return f"({cast(a)} {self.pick('<<', '>>')} {r.randrange(32)})"
        if kind < 0.68:
            divisor = r.choice([3, 5, 7, 10, 16, 100, 1000, 12345, 65536, 2, 6, 641])
            kind_text = self.pick("int", "unsigned", "long", "unsigned long")
            return f"(({kind_text})({a}) {self.pick('/', '%')} {divisor})"
        if kind < 0.72:
            return f"(({self.pick('unsigned', 'unsigned long')})({a}) {self.pick('/', '%')} (({b}) | 1u))"
        if kind < 0.84:
            signed = self.pick("int", "unsigned", "long")
            return f"(({signed})({a}) {self.pick(*COMPARE)} ({signed})({b}))"
        if kind < 0.9:
            return f"(({a}) {self.pick('&&', '||')} ({b}))"
        if kind < 0.96:
            return f"(({a}) ? {cast(b)} : {cast(self.expression(scope, depth - 1))})"
        return f"f{r.randrange(self.functions)}({cast(a)}, {cast(b)})" if self.functions else a

    def cast(self, text):
        return f"(({self.pick('unsigned', 'unsigned', 'unsigned long')})({text}))"

    def target(self, scope):
        r = self.r
        names = [s for s in scope if not s[1]]
        kind = r.random()
        if names and (kind < 0.6 or self.pure):
            return r.choice(names)[0]
        if kind < 0.75:
            return f"ga[{self.index(scope)}]"
        if kind < 0.85:
            return f"p->{self.pick('a', 'b', 'c', 'd')}"
        if kind < 0.93:
            return f"gs.{self.pick('a', 'b', 'c', 'd')}"
        return f"gc[{self.index(scope)}]"

    def name(self):
        self.counter += 1
        return f"v{self.counter}"

    def block(self, scope, depth, count):
        scope = list(scope)
        out = []
        for _ in range(count):
            out += self.statement(scope, depth)
        return ["  " + line for line in out]

    def statement(self, scope, depth):
        r = self.r
        kind = r.random()
        if kind < 0.25:
            name = self.name()
            line = f"{self.pick(*TYPES)} {name} = {self.expression(scope)};"
            scope.append((name, False))
            return [line]
        if kind < 0.6 or depth == 0:
            operator = self.pick("=", "=", "+=", "^=", "-=", "|=") if r.random() < 0.8 else "="
            if operator in ("+=", "-="):
                t = self.target(scope)
                return [f"{t} = (unsigned long){t} {operator[0]} {self.cast(self.expression(scope))};"]
            return [f"{self.target(scope)} {operator} {self.expression(scope)};"]
        if kind < 0.72:
            out = [f"if ({self.expression(scope)}) {{", *self.block(scope, depth - 1, r.randrange(1, 4))]
            if r.random() < 0.5:
                out += ["} else {", *self.block(scope, depth - 1, r.randrange(1, 4))]
            return [*out, "}"]
        if kind < 0.84:
            name = self.name()
            limit = r.randrange(1, 7)
            body = self.block([*scope, (name, True)], depth - 1, r.randrange(1, 4))
            if r.random() < 0.2:
                body.append(f"  if ({self.expression(scope, 2)}) {self.pick('break', 'continue')};")
            return [f"for (int {name} = 0; {name} < {limit}; {name}++) {{", *body, "}"]
        if kind < 0.9:
            name = self.name()
            body = self.block([*scope, (name, True)], depth - 1, r.randrange(1, 3))
            return [f"{{ int {name} = {r.randrange(1, 6)}; do {{", *body, f"}} while (--{name} > 0); }}"]
        if kind < 0.96:
            out = [f"switch (({self.expression(scope)}) & 15) {{"]
            for value in sorted(r.sample(range(16), r.randrange(2, 12))):
                out += [f"case {value}:", *self.block(scope, depth - 1, 1)]
                if r.random() < 0.7:
                    out.append("  break;")
            if r.random() < 0.6:
                out += ["default:", *self.block(scope, depth - 1, 1)]
            return [*out, "}"]
        return [f"p = &ss[{self.index(scope)}];"]

    def text(self):
        r = self.r
        out = [
            "int printf(const char *, ...);",
            "struct S { int a; unsigned char b; long c; short d; };",
            "struct S gs = { 1, 2, 3, 4 }, ss[8];",
            "unsigned ga[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };",
            "signed char gc[8];",
            'static void show(const char *n, unsigned long v) { printf("%s %lx\\n", n, v); }',
        ]
        self.functions = 0
        self.pure = True  # operands may be evaluated in any order: functions change no globals
        for n in range(r.randrange(1, 4)):
            static = self.pick("static ", "", "static inline ")
            types = [self.pick(*TYPES) for _ in range(3)]
            out.append(f"{static}{types[0]} f{n}({types[1]} x, {types[2]} y) {{ struct S *p = &ss[{n}];")
            out += self.block([("x", False), ("y", False)], 1, r.randrange(1, 5))
            out += [f"  return {self.expression([('x', False), ('y', False)])};", "}"]
            self.functions = n + 1
        self.pure = False
        out.append("int main(void) { struct S *p = &ss[3]; unsigned long sum = 0;")
        scope = []
        for _ in range(r.randrange(5, 14)):
            out += ["  " + line for line in self.statement(scope, 3)]
        out += [f'  show("{name}", {name});' for name, _ in scope]
        out.append(
            "  for (int i = 0; i < 8; i++) sum = sum * 31 + ga[i] + gc[i] + ss[i].a + ss[i].b + ss[i].c + ss[i].d;"
        )
        out += [
            '  show("sum", sum); show("gs", gs.a + gs.b + gs.c + gs.d);',
            "  return (int)(sum & 127);",
            "}",
        ]
        return "\n".join(out) + "\n"
