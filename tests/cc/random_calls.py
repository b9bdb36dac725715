"""Random calls: structs of every shape, scalars and anonymous arguments, by name and through pointers.

Every function returns a checksum of all it got or a struct made from it, so that a misplaced byte shows.
The program is two texts that share the declarations, to be compiled together or separately.
"""

from __future__ import annotations

import random

SCALARS = [
    "signed char",
    "unsigned char",
    "short",
    "int",
    "unsigned",
    "long",
    "float",
    "double",
    "int *",
    "_Bool",
]


class Calls:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.structs = {}
        self.declarations = [
            "int printf(const char *, ...);",
            "extern int cells[16];",
            "typedef unsigned long ul;",
            "ul mix(ul h, ul v);",
        ]
        self.definitions = []
        self.calls = []

    def fields(self, depth):
        out = []
        for i in range(self.r.choice([1, 1, 2, 2, 3, 4, 6])):
            kind = self.r.random()
            if kind < 0.15 and depth < 2 and self.structs:
                out.append((f"f{i}", "struct " + self.r.choice(list(self.structs)), 0))
            elif kind < 0.3:
                out.append((f"f{i}", self.r.choice(SCALARS), self.r.randint(1, 5)))
            else:
                out.append((f"f{i}", self.r.choice(SCALARS), 0))
        return out

    def struct(self):
        name = f"S{len(self.structs)}"
        if self.r.random() < 0.3:
            ty = self.r.choice(["float", "double", "int *", "char"])
            fields = [(f"f{i}", ty, 0) for i in range(self.r.randint(1, 5))]
        else:
            fields = self.fields(0)
        body = " ".join(f"{t} {f}{f'[{n}]' if n else ''};" for f, t, n in fields)
        self.declarations.append(f"struct {name} {{ {body} }};")
        self.structs[name] = fields

    def checksum(self, e, ty):
        """Statements that mix the value `e` into h."""
        if ty.startswith("struct"):
            out = []
            for f, t, n in self.structs[ty[7:]]:
                out += (
                    [self.checksum(f"{e}.{f}[{i}]", t) for i in range(n)]
                    if n
                    else [self.checksum(f"{e}.{f}", t)]
                )
            return " ".join(out)
        if ty == "int *":
            return f"h = mix(h, *{e});"
        if ty in ("float", "double"):
            return f"h = mix(h, (ul)(long)({e} * 16));"
        return f"h = mix(h, (ul){e});"

    def value(self, ty):
        if ty.startswith("struct"):
            parts = []
            for _, t, n in self.structs[ty[7:]]:
                parts.append("{ " + ", ".join(self.value(t) for _ in range(n)) + " }" if n else self.value(t))
            return f"(struct {ty[7:]}){{ {', '.join(parts)} }}"
        if ty == "int *":
            return f"&cells[{self.r.randrange(16)}]"
        if ty in ("float", "double"):
            return str(self.r.randint(-99, 99) / 4)
        return str({"_Bool": self.r.randint(0, 1)}.get(ty, self.r.randint(-120, 120)))

    def function(self, n):
        types = ["struct " + s for s in self.structs] + SCALARS
        params = [self.r.choice(types) for _ in range(self.r.randint(1, 11))]
        extra = [
            self.r.choice([t for t in types if t not in ("float", "_Bool")])
            for _ in range(self.r.randint(0, 4))
        ]
        variadic = self.r.random() < 0.3
        result = self.r.choice(["ul", "ul", "struct " + self.r.choice(list(self.structs))])
        head = ", ".join(f"{t} p{i}" for i, t in enumerate(params)) + (", ..." if variadic else "")
        self.declarations.append(f"{result} fn{n}({head});")
        body = "ul h = 5; " + " ".join(self.checksum(f"p{i}", t) for i, t in enumerate(params))
        if variadic:
            body += f" __builtin_va_list ap; __builtin_va_start(ap, p{len(params) - 1});"
            for i, t in enumerate(extra):
                promoted = "int" if t in ("signed char", "unsigned char", "short") else t
                body += f" {promoted} e{i} = __builtin_va_arg(ap, {promoted}); " + self.checksum(
                    f"e{i}", promoted
                )
            body += " __builtin_va_end(ap);"
        if result == "ul":
            body += " return h;"
        else:
            body += f" seen = mix(seen, h); struct {result[7:]} r = {self.value(result)}; return r;"
        self.definitions.append(f"{result} fn{n}({head}) {{ {body} }}")
        given = [self.value(t) for t in params]
        if variadic:
            given += [
                v if t.startswith("struct") else f"({t}){v}" for t, v in ((t, self.value(t)) for t in extra)
            ]
        args = ", ".join(given)
        call = f"fn{n}({args})"
        if self.r.random() < 0.3:
            types_only = ", ".join(params) + (", ..." if variadic else "")
            self.calls.append(f"{{ {result} (*volatile via)({types_only}) = fn{n}; call = 0; ")
            call = f"via({args})"
        else:
            self.calls.append("{ call = 0; ")
        if result == "ul":
            self.calls[-1] += f"h = mix(h, {call}); }}"
        else:
            self.calls[-1] += f"{result} got = {call}; " + self.checksum("got", result) + " }"

    def texts(self):
        for _ in range(self.r.randint(3, 6)):
            self.struct()
        for n in range(8):
            self.function(n)
        self.declarations.append("extern ul seen;")
        shared = "\n".join(self.declarations) + "\n"
        first = shared + "\n".join(self.definitions) + "\n"
        second = shared + "int cells[16] = { 3, -1, 4, 1, -5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3 };\nul seen;\n"
        second += "ul mix(ul h, ul v) { h ^= v + 0x9e3779b97f4a7c15UL; h *= 0xbf58476d1ce4e5b9UL; return h ^ h >> 29; }\n"
        second += "int main(void) { ul h = 1; int call; " + "\n  ".join(self.calls)
        second += '\n  printf("%lx %lx\\n", h, seen); return call; }\n'
        return first, second


def texts(seed):
    return Calls(seed).texts()


def program(seed):
    """Both parts as one text, their shared declarations once."""
    first, second = texts(seed)
    common = next(i for i in range(len(first)) if first[i] != second[i])
    return first + second[second.rindex("\n", 0, common) + 1 :]
