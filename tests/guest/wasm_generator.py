"""Random WebAssembly programs: typed expressions and statements over locals, globals, memory, blocks and calls.

Programs end: loops count down a local that nothing else writes, and functions call only earlier ones. NaN bits, which
WebAssembly leaves open, cannot show: a float passes through `clean` before its bits are stored or returned.
"""

from __future__ import annotations

import random

TYPES = ("i32", "i64", "f32", "f64")
INTEGER_BINARY = "add sub mul and or xor shl shr_s shr_u rotl rotr".split()
DIVISION = "div_s div_u rem_s rem_u".split()
FLOAT_BINARY = "add sub mul div min max".split()
INTEGER_COMPARE = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split()
FLOAT_COMPARE = "eq ne lt gt le ge".split()
INTERESTING = [0, 1, 2, 3, 5, 8, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, -1, -2, -128, -32768,
               -32769, -(2**31)]  # fmt: skip


class Generator:
    """One module; `text()` after construction."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.functions: list[tuple[list[str], list[str]]] = []
        self.locals: list[str] = []
        self.frozen: set[int] = set()
        self.labels: list[list[str] | None] = []
        self.globals = ["i32", "i64", "f64", "f32"]
        self.bodies = [self.function() for _ in range(self.random.randint(2, 5))]

    def pick(self, options: list[str] | tuple[str, ...]) -> str:
        return self.random.choice(options)

    # ---- expressions ----

    def constant(self, kind: str) -> str:
        if kind[0] == "i":
            return f"({kind}.const {self.random.choice(INTERESTING)})"
        value = self.random.choice([0.0, -0.0, 1.0, -1.5, 3.25, 1e9, -7e18, 0.5, 65536.0])
        return f"({kind}.const {value})"

    def leaf(self, kind: str) -> str:
        choices = [self.constant(kind)]
        choices += [f"(local.get {i})" for i, t in enumerate(self.locals) if t == kind] * 2
        choices += [f"(global.get {i})" for i, t in enumerate(self.globals) if t == kind]
        return self.pick(choices)

    def expression(self, kind: str, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.12:
            return self.leaf(kind)
        options = [self.operation, self.operation, self.operation, self.load, self.select, self.tee, self.block_value,
                   self.if_value, self.call_value, self.convert]  # fmt: skip
        return self.random.choice(options)(kind, depth - 1)

    def operation(self, kind: str, depth: int) -> str:
        if kind[0] == "f":
            name = self.pick([*FLOAT_BINARY, "neg", "abs", "sqrt", "ceil", "floor", "trunc", "nearest"])
            a = self.expression(kind, depth)
            return (
                f"({kind}.{name} {a} {self.expression(kind, depth)})"
                if name in FLOAT_BINARY
                else f"({kind}.{name} {a})"
            )
        if kind == "i32" and self.random.random() < 0.3:
            return self.condition(depth)
        name = self.pick([*INTEGER_BINARY, *DIVISION, "clz", "ctz", "popcnt", "extend8_s", "extend16_s"])
        a = self.expression(kind, depth)
        if name in DIVISION:  # rarely by something that can be zero
            b = self.expression(kind, depth)
            return f"({kind}.{name} {a} {b if self.random.random() < 0.05 else f'({kind}.or {b} ({kind}.const 1))'})"
        if name in INTEGER_BINARY:
            return f"({kind}.{name} {a} {self.expression(kind, depth)})"
        return f"({kind}.{name} {a})"

    def condition(self, depth: int) -> str:
        kind = self.pick(TYPES)
        if kind[0] == "i" and self.random.random() < 0.25:
            return f"({kind}.eqz {self.expression(kind, depth)})"
        name = self.pick(FLOAT_COMPARE if kind[0] == "f" else INTEGER_COMPARE)
        test = f"({kind}.{name} {self.expression(kind, depth)} {self.expression(kind, depth)})"
        return f"(i32.eqz {test})" if self.random.random() < 0.2 else test

    def address(self, depth: int) -> str:
        """Mostly inside the one page; sometimes anything."""
        expression = self.expression("i32", depth)
        return expression if self.random.random() < 0.02 else f"(i32.and {expression} (i32.const 4095))"

    def memory_offset(self) -> str:
        return self.pick(
            [
                "",
                "",
                "offset=4 ",
                "offset=1000 ",
                "offset=65000 " if self.random.random() < 0.1 else "offset=7 ",
            ]
        )

    def load(self, kind: str, depth: int) -> str:
        if kind[0] == "f":
            bits = f"({'i32' if kind == 'f32' else 'i64'}.load {self.memory_offset()}{self.address(depth)})"
            return self.clean(kind, f"({kind}.reinterpret_i{kind[1:]} {bits})")
        widths = ["", "8_s", "8_u", "16_s", "16_u"] + (["32_s", "32_u"] if kind == "i64" else [])
        return f"({kind}.load{self.pick(widths)} {self.memory_offset()}{self.address(depth)})"

    def select(self, kind: str, depth: int) -> str:
        return (
            f"(select {self.expression(kind, depth)} {self.expression(kind, depth)} {self.condition(depth)})"
        )

    def writable(self, kind: str) -> list[int]:
        return [i for i, t in enumerate(self.locals) if t == kind and i not in self.frozen]

    def tee(self, kind: str, depth: int) -> str:
        targets = self.writable(kind)
        if not targets:
            return self.operation(kind, depth)
        return f"(local.tee {self.random.choice(targets)} {self.expression(kind, depth)})"

    def block_value(self, kind: str, depth: int) -> str:
        self.labels.append([kind])
        body = self.statements(depth) + " " + self.expression(kind, depth)
        if self.random.random() < 0.5:
            body += f" (br_if 0 {self.condition(depth)}) (drop) {self.expression(kind, depth)}"
        self.labels.pop()
        return f"(block (result {kind}) {body})"

    def if_value(self, kind: str, depth: int) -> str:
        test = self.condition(depth)
        self.labels.append([kind])
        arms = [self.statements(depth) + " " + self.expression(kind, depth) for _ in range(2)]
        self.labels.pop()
        return f"(if (result {kind}) {test} (then {arms[0]}) (else {arms[1]}))"

    def call_value(self, kind: str, depth: int) -> str:
        fitting = [i for i, (_, results) in enumerate(self.functions) if results == [kind]]
        if not fitting or depth < 1:
            return self.operation(kind, depth)
        index = self.random.choice(fitting)
        args = " ".join(self.expression(t, depth - 1) for t in self.functions[index][0])
        if self.random.random() < 0.3:
            return f"(call_indirect (type $t{index}) {args} (i32.const {index}))"
        return f"(call $f{index} {args})"

    def convert(self, kind: str, depth: int) -> str:
        other = self.pick([t for t in TYPES if t != kind])
        inner = self.expression(other, depth)
        sign = self.pick("su")
        if kind == "i32" and other == "i64":
            return f"(i32.wrap_i64 {inner})"
        if kind == "i64" and other == "i32":
            return f"(i64.extend_i32_{sign} {inner})"
        if kind[0] == "i":
            return f"({kind}.trunc_sat_{other}_{sign} {inner})"
        if other[0] == "i":
            return f"({kind}.convert_{other}_{sign} {inner})"
        return f"(f32.demote_f64 {inner})" if kind == "f32" else f"(f64.promote_f32 {inner})"

    def clean(self, kind: str, expression: str) -> str:
        """Zero instead of a NaN."""
        return f"(call $clean_{kind} {expression})" if kind[0] == "f" else expression

    # ---- statements ----

    def statements(self, depth: int) -> str:
        return " ".join(self.statement(depth) for _ in range(self.random.randint(0, 2)))

    def statement(self, depth: int) -> str:
        options = [self.set_local, self.set_local, self.set_local, self.set_global, self.store, self.store, self.if_statement,
                   self.loop, self.branch, self.branch_table, self.bulk]  # fmt: skip
        return self.random.choice(options)(max(depth - 1, 0))

    def set_local(self, depth: int) -> str:
        kind = self.pick(TYPES)
        targets = self.writable(kind)
        if not targets:
            return f"(drop {self.expression(kind, depth)})"
        return f"(local.set {self.random.choice(targets)} {self.expression(kind, depth)})"

    def set_global(self, depth: int) -> str:
        index = self.random.randrange(len(self.globals))
        kind = self.globals[index]
        return f"(global.set {index} {self.clean(kind, self.expression(kind, depth))})"

    def store(self, depth: int) -> str:
        kind = self.pick(TYPES)
        width = self.pick(["", "8", "16"] + (["32"] if kind == "i64" else [])) if kind[0] == "i" else ""
        value = self.clean(kind, self.expression(kind, depth))
        return f"({kind}.store{width} {self.memory_offset()}{self.address(depth)} {value})"

    def if_statement(self, depth: int) -> str:
        test = self.condition(depth)
        self.labels.append([])
        arms = [self.statement(depth), self.statements(depth)]
        self.labels.pop()
        return f"(if {test} (then {arms[0]})" + (f" (else {arms[1]}))" if self.random.random() < 0.5 else ")")

    def loop(self, depth: int) -> str:
        counter = len(self.locals)
        self.locals.append("i32")
        self.frozen.add(counter)
        self.labels += [[], None]  # nobody branches to the loop itself: it would not count
        body = f"{self.statement(depth)} {self.statements(depth)}"
        self.labels = self.labels[:-2]
        return (f"(local.set {counter} (i32.const {self.random.randint(1, 4)})) (block (loop {body} "
                f"(br_if 0 (local.tee {counter} (i32.sub (local.get {counter}) (i32.const 1))))))")  # fmt: skip

    def targets(self) -> list[tuple[int, list[str]]]:
        reversed_labels = enumerate(reversed(self.labels))
        return [(depth, label) for depth, label in reversed_labels if label is not None]

    def branch(self, depth: int) -> str:
        if self.random.random() < 0.15:
            test = self.condition(depth)
            self.labels.append([])  # the if
            target, values = self.random.choice(self.targets())
            operands = " ".join(self.expression(kind, depth) for kind in values)
            self.labels.pop()
            return f"(if {test} (then (br {target} {operands})))"
        target, values = self.random.choice(self.targets())
        operands = " ".join(self.expression(kind, depth) for kind in values)
        drops = "(drop) " * len(values)
        return f"(br_if {target} {operands} {self.condition(depth)}) {drops}"

    def branch_table(self, depth: int) -> str:
        test = self.condition(depth)
        self.labels.append([])  # the if
        target, values = self.random.choice(self.targets())
        same = [d for d, v in self.targets() if v == values]
        chosen = " ".join(str(self.random.choice(same)) for _ in range(self.random.randint(0, 4)))
        operands = " ".join(self.expression(kind, depth) for kind in values)
        index = self.expression("i32", depth)
        self.labels.pop()
        return f"(if {test} (then (br_table {chosen} {target} {operands} (i32.and {index} (i32.const 7)))))"

    def bulk(self, depth: int) -> str:
        count = f"(i32.and {self.expression('i32', depth)} (i32.const 63))"
        if self.random.random() < 0.5:
            return f"(memory.fill {self.address(depth)} {self.expression('i32', depth)} {count})"
        return f"(memory.copy {self.address(depth)} {self.address(depth)} {count})"

    # ---- functions and the module ----

    def function(self) -> str:
        index = len(self.functions)
        params = [self.pick(TYPES) for _ in range(self.random.randint(0, 4))]
        results = [self.pick(TYPES)] if self.random.random() < 0.8 else [self.pick(TYPES) for _ in range(2)]
        self.locals = params + [self.pick(TYPES) for _ in range(self.random.randint(1, 4))]
        declared = len(self.locals)
        self.frozen, self.labels = set(), [results]
        body = " ".join(self.statement(3) for _ in range(self.random.randint(1, 4)))
        values = " ".join(self.expression(kind, 3) for kind in results)
        names = " ".join(self.locals[len(params) : declared] + self.locals[declared:])
        self.functions.append((params, results))
        signature = f"(param {' '.join(params)}) (result {' '.join(results)})"
        return (f"(type $t{index} (func {signature}))\n"
                f"(func $f{index} (export \"f{index}\") {signature} (local {names}) {body} {values})")  # fmt: skip

    def text(self) -> str:
        cleaners = " ".join(f"(func $clean_{f} (param {f}) (result {f}) (select (local.get 0) ({f}.const 0) "
                            f"({f}.eq (local.get 0) (local.get 0))))" for f in ("f32", "f64"))  # fmt: skip
        entries = " ".join(f"$f{i}" for i in range(len(self.functions)))
        variables = " ".join(f"(global (mut {t}) ({t}.const 1))" for t in self.globals)
        functions = "\n".join(self.bodies)
        return f'(module (memory (export "memory") 1) {variables}\n(table funcref (elem {entries}))\n{functions}\n{cleaners})'
