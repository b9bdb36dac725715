"""Random C programs without undefined behaviour (given -fwrapv), the same for a seed.

Every program computes on globals, locals, arrays, structs and pointers and prints a running checksum.
Side effects stand alone in statements, so that C's unspecified evaluation order never matters.
"""

from __future__ import annotations

import random

INTS = {
    "signed char": (8, True), "unsigned char": (8, False), "short": (16, True), "unsigned short": (16, False),
    "int": (32, True), "unsigned": (32, False), "long": (64, True), "unsigned long": (64, False),
    "_Bool": (1, False),
}  # fmt: skip
FLOATS = ("float", "double")


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.lines = []
        self.structs = []  # (name, [(field, type, bits or None)])
        self.globals = []  # (name, type)
        self.arrays = []  # (name, element type, length power of two)
        self.functions = []  # (name, result type, [param types])
        self.depth = 0
        self.names = 0

    def name(self, stem):
        self.names += 1
        return f"{stem}{self.names}"

    def pick(self, items):
        return self.r.choice(items)

    def int_type(self):
        return self.pick(list(INTS))

    def scalar_type(self):
        return self.pick(FLOATS) if self.r.random() < 0.12 else self.int_type()

    # ------------------------------------------------ program

    def program(self):
        self.emit("int printf(const char *, ...);")
        self.emit("static unsigned long sum = 0xcbf29ce484222325UL;")
        self.emit("static void mix(unsigned long v) { sum ^= v; sum *= 0x100000001b3UL; sum ^= sum >> 29; }")
        self.emit(
            "static void mixd(double d) { union { double d; unsigned long u; } x; x.d = d; "
            "mix(d != d ? 7 : x.u); }"
        )
        for _ in range(self.r.randint(1, 3)):
            self.struct()
        for _ in range(self.r.randint(2, 5)):
            self.global_()
        for _ in range(self.r.randint(1, 3)):
            self.array()
        for _ in range(self.r.randint(2, 4)):
            self.function()
        self.main()
        return "\n".join(self.lines) + "\n"

    def emit(self, text):
        self.lines.append("  " * self.depth + text)

    def struct(self):
        name = self.name("S")
        fields = []
        for _ in range(self.r.randint(1, 6)):
            ty = self.scalar_type()
            bits = None
            if ty in INTS and self.r.random() < 0.25:
                bits = self.r.randint(1, INTS[ty][0])
            fields.append((self.name("f"), ty, bits))
        if self.structs and self.r.random() < 0.3:
            fields.append((self.name("f"), "struct " + self.pick(self.structs)[0], None))
        body = " ".join(f"{t} {f}{f' : {b}' if b else ''};" for f, t, b in fields)
        self.emit(f"struct {name} {{ {body} }};")
        self.structs.append((name, fields))

    def global_(self):
        name, ty = self.name("g"), self.scalar_type()
        self.emit(f"static {ty} {name} = {self.constant(ty)};")
        self.globals.append((name, ty))

    def array(self):
        name, ty, n = self.name("a"), self.scalar_type(), 1 << self.r.randint(1, 4)
        values = ", ".join(self.constant(ty) for _ in range(self.r.randint(1, n)))
        self.emit(f"static {ty} {name}[{n}] = {{ {values} }};")
        self.arrays.append((name, ty, n))

    def constant(self, ty):
        if ty in FLOATS:
            # no 0.0: gcc 12 makes 0.0 - (float)integer into a negation, wrong for 0
            return self.pick(["0.25", "1.5", "-2.25", "1e3", "0.1f", "-7.0", "3"])
        bits, signed = INTS[ty]
        v = self.pick(
            [0, 1, -1, 2, 3, 7, 10, 100, 255, self.r.getrandbits(bits), 1 << (bits - 1), (1 << bits) - 1]
        )
        v &= (1 << bits) - 1
        if signed and v >> (bits - 1):
            v -= 1 << bits
        if v == -(1 << 63):
            return "(-9223372036854775807L - 1)"
        suffix = ("" if signed else "u") + ("L" if bits == 64 else "")
        if v == -(1 << 31):
            return "(-2147483647 - 1)"
        return f"{v}{suffix}" if v >= 0 else f"({v}{suffix})"

    # ------------------------------------------------ functions

    def function(self):
        name = self.name("fn")
        result = self.scalar_type()
        params = []
        for _ in range(self.r.randint(0, 9)):
            if self.r.random() < 0.2:
                params.append("struct " + self.pick(self.structs)[0])
            else:
                params.append(self.scalar_type())
        names = [self.name("p") for _ in params]
        head = ", ".join(f"{t} {n}" for t, n in zip(params, names, strict=True)) or "void"
        qualifier = self.pick(["static ", "static inline ", "", "static __attribute__((noinline)) "])
        if qualifier == "":
            self.emit(f"{result} {name}({head});")
        self.emit(f"{qualifier}{result} {name}({head}) {{")
        self.depth += 1
        scope = Scope(self, list(zip(names, params, strict=True)), pure=True)
        self.block(scope, self.r.randint(2, 6), in_function=True)
        self.emit(f"return {self.expr(scope, result, 3)};")
        self.depth -= 1
        self.emit("}")
        self.functions.append((name, result, params))

    def main(self):
        self.emit("int main(void) {")
        self.depth += 1
        scope = Scope(self, [])
        self.block(scope, self.r.randint(6, 12))
        for name, ty in self.globals:
            self.report(name, ty)
        for name, ty, n in self.arrays:
            self.emit(f"for (int i = 0; i < {n}; i++) {{")
            self.report(f"{name}[i]", ty)
            self.emit("}")
        self.emit('printf("%lx\\n", sum);')
        self.emit("return (int)(sum & 127);")
        self.depth -= 1
        self.emit("}")

    def report(self, e, ty):
        if ty.startswith("struct"):
            for f, t, _ in {s[0]: s[1] for s in self.structs}[ty[7:]]:
                self.report(f"{e}.{f}", t)
        elif ty in FLOATS:
            self.emit(f"mixd({e});")
        else:
            self.emit(f"mix((unsigned long){e});")

    # ------------------------------------------------ statements

    def block(self, scope, count, in_function=False):
        for _ in range(self.r.randint(1, 3)):
            self.local(scope)
        for _ in range(count):
            self.statement(scope, in_function)

    def local(self, scope):
        kind = self.r.random()
        if kind < 0.25 and self.structs:
            name, fields = self.pick(self.structs)
            v = self.name("s")
            values = ", ".join(
                f".{f} = {self.expr(scope, t, 1)}" for f, t, _ in fields if not t.startswith("struct")
            )
            self.emit(f"struct {name} {v} = {{ {values or 0} }};")
            scope.vars.append((v, f"struct {name}"))
        elif kind < 0.4:
            v, ty, n = self.name("l"), self.scalar_type(), 1 << self.r.randint(1, 3)
            self.emit(f"{ty} {v}[{n}] = {{ {self.expr(scope, ty, 1)} }};")
            scope.arrays.append((v, ty, n))
        elif kind < 0.5 and scope.lvalues(pointers=False):
            places = scope.lvalues(pointers=False, bits=False)
            if places:
                target, ty = self.pick(places)
                v = self.name("q")
                self.emit(f"{ty} *{v} = &{target};")
                scope.pointers.append((v, ty))
        else:
            v, ty = self.name("v"), self.scalar_type()
            volatile = "volatile " if self.r.random() < 0.08 else ""
            self.emit(f"{volatile}{ty} {v} = {self.expr(scope, ty, 2)};")
            scope.vars.append((v, ty))

    def statement(self, scope, in_function):
        if self.depth > 4:
            self.assignment(scope)
            return
        kind = self.r.random()
        if kind < 0.45:
            self.assignment(scope)
        elif kind < 0.6:
            self.emit(f"if ({self.condition(scope)}) {{")
            self.nested(scope, in_function)
            if self.r.random() < 0.5:
                self.emit("} else {")
                self.nested(scope, in_function)
            self.emit("}")
        elif kind < 0.72:
            i = self.name("i")
            self.emit(f"for (int {i} = 0; {i} < {self.r.randint(1, 9)}; {i}++) {{")
            inner = scope.child()
            inner.readonly.append((i, "int"))
            self.depth += 1
            if self.r.random() < 0.3:
                self.emit(f"if ({self.condition(inner)}) {self.pick(['break', 'continue'])};")
            self.depth -= 1
            self.nested(inner, in_function)
            self.emit("}")
        elif kind < 0.8:
            self.switch(scope, in_function)
        elif kind < 0.87:
            n = self.name("w")
            self.emit(f"unsigned {n} = {self.r.randint(1, 6)};")
            loop = self.pick(["while", "do"])
            self.emit(f"while ({n}--) {{" if loop == "while" else "do {")
            self.nested(scope, in_function)
            self.emit("}" if loop == "while" else f"}} while (--{n});")
        elif kind < 0.94:
            if not scope.pure:
                self.report(*self.pick(scope.values()))
        else:
            self.local(scope)

    def nested(self, scope, in_function):
        self.depth += 1
        self.block(scope.child(), self.r.randint(1, 3), in_function)
        self.depth -= 1

    def switch(self, scope, in_function):
        ty = self.int_type()
        self.emit(f"switch ({self.expr(scope, ty, 2)} & {self.pick([3, 7, 15, 255])}) {{")
        dense = self.r.random() < 0.6
        for v in sorted(self.r.sample(range(16 if dense else 256), self.r.randint(1, 7))):
            if self.r.random() < 0.15:
                self.emit(f"case {v * 1000 + 300} ... {v * 1000 + 900}:")
            self.emit(f"case {v}:")
            self.nested_case(scope, in_function)
        if self.r.random() < 0.7:
            self.emit("default:")
            self.nested_case(scope, in_function)
        self.emit("}")

    def nested_case(self, scope, in_function):
        self.emit("{")
        self.nested(scope, in_function)
        self.emit("}")
        if self.r.random() < 0.75:
            self.emit("break;")

    def assignment(self, scope):
        structs = [v for v in scope.vars if v[1].startswith("struct")]
        if len(structs) > 1 and self.r.random() < 0.12:
            a = self.pick(structs)
            same = [v for v in structs if v[1] == a[1]]
            self.emit(f"{a[0]} = {self.pick(same)[0]};")
            return
        places = scope.lvalues()
        if not places:
            return
        target, ty = self.pick(places)
        kind = self.r.random()
        if kind < 0.12:
            self.emit(f"{target}{self.pick(['++', '--'])};")
        elif kind < 0.45 and ty in INTS:
            op = self.pick(["+", "-", "*", "&", "|", "^"])
            self.emit(f"{target} {op}= {self.expr(scope, self.int_type(), 3)};")
        elif kind < 0.52 and ty in INTS:
            bits = max(32, INTS[ty][0])
            self.emit(
                f"{target} {self.pick(['<<', '>>'])}= {self.expr(scope, 'int', 1)} & {min(bits, 32) - 1};"
            )
        else:
            self.emit(f"{target} = {self.expr(scope, ty, 4)};")

    # ------------------------------------------------ expressions

    def condition(self, scope, depth=2):
        kind = self.r.random()
        if kind < 0.5 or depth <= 0:
            a, b = self.scalar_type(), self.scalar_type()
            op = self.pick(["<", "<=", ">", ">=", "==", "!="])
            return f"{self.expr(scope, a, depth - 1)} {op} {self.expr(scope, b, depth - 1)}"
        if kind < 0.75:
            op = self.pick(["&&", "||"])
            return f"({self.condition(scope, depth - 1)}) {op} ({self.condition(scope, depth - 1)})"
        if kind < 0.85:
            return f"!({self.condition(scope, depth - 1)})"
        return self.expr(scope, self.scalar_type(), depth - 1)

    def expr(self, scope, ty, depth):
        """An expression that may be assigned to `ty` (its own type may be another)."""
        if ty.startswith("struct"):
            candidates = [v for v, t in scope.vars if t == ty]
            return self.pick(candidates) if candidates else f"(struct {ty[7:]}){{ 0 }}"
        if ty in FLOATS:
            return self.float_expr(scope, depth)
        return self.int_expr(scope, depth)

    def leaf(self, scope, wanted):
        values = [e for e, t in scope.values() if (t in FLOATS) == (wanted in FLOATS)]
        if values and self.r.random() < 0.75:
            return self.pick(values)
        return self.constant(wanted)

    def float_expr(self, scope, depth):
        if depth <= 0 or self.r.random() < 0.3:
            return self.leaf(scope, self.pick(FLOATS))
        kind = self.r.random()
        a = self.float_expr(scope, depth - 1)
        if kind < 0.6:
            return f"({a} {self.pick('+-*')} {self.float_expr(scope, depth - 1)})"
        if kind < 0.7:
            return f"(- {a})"
        if kind < 0.85:
            return f"({self.pick(FLOATS)}){self.int_expr(scope, depth - 1)}"
        return f"({self.condition(scope, depth - 1)} ? {a} : {self.float_expr(scope, depth - 1)})"

    def int_expr(self, scope, depth):
        if depth <= 0 or self.r.random() < 0.15:
            return self.leaf(scope, self.int_type())
        kind = self.r.random()
        a = self.int_expr(scope, depth - 1)
        if kind < 0.4:
            return f"({a} {self.pick('+-*&|^')} {self.int_expr(scope, depth - 1)})"
        if kind < 0.48:
            return f"({a} {self.pick(['<<', '>>'])} ({self.int_expr(scope, depth - 1)} & 7))"
        if kind < 0.56:
            divisor = f"(({self.int_expr(scope, depth - 1)} & 15) + {self.r.randint(1, 9)})"
            return f"({a} {self.pick('/%')} {divisor})"
        if kind < 0.66:
            return f"({self.int_type()})({a})"
        if kind < 0.73:
            return f"({self.pick('~-')} ({a}))"
        if kind < 0.8:
            return f"(!!({self.condition(scope, depth - 1)}))"
        if kind < 0.87:
            return f"({self.condition(scope, depth - 1)} ? {a} : {self.int_expr(scope, depth - 1)})"
        calls = [f for f in self.functions if f[1] in INTS]
        if calls and depth > 2:
            name, _, params = self.pick(calls)
            args = ", ".join(self.expr(scope, t, 1) for t in params)
            return f"{name}({args})"
        if self.arrays:
            name, ty, n = self.pick(self.arrays)
            if ty in INTS:
                return f"{name}[{a} & {n - 1}]"
        return a


class Scope:
    """What names an expression or statement may use at a point."""

    def __init__(self, generator, params, pure=False):
        self.g = generator
        self.pure = pure  # in a function that expressions call: no effects outside of it
        self.vars = list(params)
        self.arrays, self.pointers, self.readonly = [], [], []

    def child(self):
        c = Scope(self.g, self.vars, self.pure)
        c.arrays, c.pointers, c.readonly = list(self.arrays), list(self.pointers), list(self.readonly)
        return c

    def lvalues(self, pointers=True, bits=True):
        out = [] if self.pure else list(self.g.globals)
        for v, t in self.vars:
            out += self.fields(v, t, bits) if t.startswith("struct") else [(v, t)]
        for v, t, n in self.arrays + ([] if self.pure else self.g.arrays):
            out.append((f"{v}[{self.g.r.randrange(n)}]", t))
        if pointers:
            out += [(f"(*{p})", t) for p, t in self.pointers]
        if not bits:  # candidates for &: no volatile objects, no _Bool surprises
            out = [(e, t) for e, t in out if not e.startswith("v")]
        return out

    def fields(self, v, t, bits):
        out = []
        for f, ft, width in {s[0]: s[1] for s in self.g.structs}[t[7:]]:
            if ft.startswith("struct"):
                out += self.fields(f"{v}.{f}", ft, bits)
            elif bits or width is None:
                out.append((f"{v}.{f}", ft))
        return out

    def values(self):
        out = self.lvalues() + self.readonly
        if self.pure:
            out += self.g.globals + [(f"{v}[{self.g.r.randrange(n)}]", t) for v, t, n in self.g.arrays]
        return out


def program(seed):
    return Generator(seed).program()
