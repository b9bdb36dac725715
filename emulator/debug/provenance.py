"""Where capabilities came from: recorded while a run is repeated, one node per capability that was made.

Each register and each granule of memory knows the node of the capability in it; a node knows the
instruction that made it and the node it was made from. What nothing refers to any more is forgotten by
itself; chains and the table of granules have limits, and a chain that was cut says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from emulator.debug import target
from emulator.debug.registers import SYSTEM_CAPABILITIES
from emulator.debug.stops import Stop
from emulator.debug.text import size
from emulator.linux.syscalls import TABLE
from emulator.state.pe import RESTRICTED_BANK, Pe
from emulator.state.sysregs import CAPABILITY_REGISTERS
from morello_isa.capability import MASK64, Capability
from morello_isa.disassemble import disassemble
from morello_isa.permissions import permission_names

MAX_DEPTH = 2000
MAX_GRANULES = 500_000
MAX_SHOWN = 40
SVC = 0xD4000001
STACK, DATA, SYSTEM, PCC = 32, 37, 42, 64
"""Keys: 0..30 are C0..C30; plus the bank, the stack pointers and DDCs; plus the index in
`CAPABILITY_REGISTERS`, the other capability registers of the system."""
OWN_STACK, OWN_DATA = -1, -2
"""CSP and DDC of the bank that is selected."""
_NAMED = {
    "csp": OWN_STACK,
    "DDC": OWN_DATA,
    **{f"CSP_EL{el}": STACK + el for el in range(4)},
    **{f"DDC_EL{el}": DATA + el for el in range(4)},
    "RCSP_EL0": STACK + RESTRICTED_BANK,
    "RDDC_EL0": DATA + RESTRICTED_BANK,
    **{name: SYSTEM + index for index, name in enumerate(CAPABILITY_REGISTERS)},
}
_KEYS = {
    **{f"{letter}{n}": n for letter in "cx" for n in range(31)},
    **{"csp": OWN_STACK, "sp": OWN_STACK, "ecsp": STACK, "rcsp": STACK + RESTRICTED_BANK},
    **{"ddc": OWN_DATA, "rddc": DATA + RESTRICTED_BANK, "pcc": PCC, "pc": PCC},
    **{"clr": 30, "lr": 30, "cfp": 29, "fp": 29},
    **{name: _NAMED[register] for name, register in SYSTEM_CAPABILITIES.items()},
}
"""By the names of the prompt."""
_RETURNS = tuple(SYSTEM + CAPABILITY_REGISTERS.index(f"CELR_EL{el}") for el in (1, 2, 3))
_VECTORS = tuple(SYSTEM + CAPABILITY_REGISTERS.index(f"CVBAR_EL{el}") for el in (1, 2, 3))
_THREAD_POINTERS = tuple(SYSTEM + CAPABILITY_REGISTERS.index(f"CTPIDR_EL{el}") for el in range(4))
_RESTRICTED_THREAD_POINTER = SYSTEM + CAPABILITY_REGISTERS.index("RCTPIDR_EL0")

_MEMORY = re.compile(r"\[([cx]\d+|c?sp)(?:, (#-?\w+|[xw](?:\d+|zr)(?:, \w+(?: #\d+)?)?))?\](!)?(?:, (.+))?$")
_INDEX = re.compile(r"([xw])(\d+|zr)(?:, (lsl|sxtw|uxtw|sxtx)(?: #(\d+))?)?$")
_CAPABILITY = re.compile(r"c(\d+)$")
_LOAD_AND_STORE = ("swp", "cas")
_LEAVING = frozenset(("svc", "hvc", "smc", "brk", "hlt", "udf", "eret", "mrs", "msr"))
"""Mnemonics after which registers may hold anything."""


@dataclass(slots=True)
class Node:
    """A capability when it was made. `count` instructions in a row at `pc` made it (a pointer in a loop)."""

    capability: Capability
    text: str
    pc: int
    position: int
    parent: Node | None = None
    note: str = ""
    count: int = 1
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What an instruction's text says about capabilities, with the keys of its registers."""

    text: str
    data: tuple[int | None, ...]
    sources: tuple[int, ...]
    is_load: bool
    is_store: bool
    memory: tuple[str, str, bool, str] | None
    literal: int | None
    is_branch: bool
    is_move_to_system: bool
    is_plain: bool
    """Makes no capability and moves none; at most it turns some into numbers."""


@lru_cache(maxsize=65536)
def shape_of(word: int, pc: int, c64: bool) -> Shape:
    """The shape of an instruction; PC matters only for PC-relative ones."""
    text = disassemble(word, pc, c64)
    mnemonic, _, rest = text.partition(" ")
    found = _MEMORY.search(rest)
    before = rest[: found.start()] if found else rest
    operands = [part.strip() for part in before.split(",") if part.strip()]
    keys = [_key(operand) for operand in operands]
    both = mnemonic.startswith(_LOAD_AND_STORE)
    literal = None
    if mnemonic == "ldr" and found is None and operands and operands[-1].startswith("0x"):
        literal = int(operands[-1], 16)
    is_branch = mnemonic in ("br", "blr", "ret", "brr", "blrr", "retr", "brs", "blrs", "rets")
    sources = keys if is_branch else keys[1:]
    if mnemonic in ("adr", "adrp", "bl"):
        sources = [PCC]
    base = _key(found[1]) if found else None
    if base is not None and not mnemonic.startswith(("ld", "st")):
        sources = [*sources, base]
    return Shape(
        text,
        tuple(keys),
        tuple(key for key in sources if key is not None),
        (mnemonic.startswith("ld") and (found is not None or literal is not None)) or both,
        (mnemonic.startswith("st") and found is not None) or both,
        (found[1], found[2] or "", bool(found[3]), found[4] or "") if found else None,
        literal,
        is_branch,
        mnemonic == "msr",
        not any(key is not None for key in (*keys, *sources))
        and not (found is not None and (found[3] or found[4]))
        and mnemonic not in _LEAVING,
    )


def _key(operand: str) -> int | None:
    named = _NAMED.get(operand)
    if named is not None:
        return named
    match = _CAPABILITY.match(operand)
    return int(match[1]) if match else None


class Thread(Protocol):
    """What runs instructions: a `Task`, or the core of a board."""

    @property
    def tid(self) -> int:
        """Its number."""

    @property
    def pe(self) -> Pe:
        """Its registers."""

    @property
    def kernel(self) -> target.Counter:
        """Its position is the count of that."""


class Recorder:
    """An observer (see `Guest`) that builds the nodes. Call `finish` when the run has stopped."""

    def __init__(self, system_calls: bool = True) -> None:
        """`system_calls`: SVC is answered by Linux, not by an exception handler of the guest."""
        self._system_calls = system_calls
        self.memory: dict[int, Node] = {}
        self.forgot = False
        self._registers: dict[int, dict[int, Node | None]] = {}
        self._last: dict[int, list[Capability | None]] = {}
        self._pending: tuple[Thread, int, Shape, int, int, int, str] | None = None

    def __call__(self, task: Thread, pc: int, word: int) -> Stop | None:
        """Before an instruction: account for the last one, look at the operands of this one."""
        self.finish()
        pe = task.pe
        if task.tid not in self._last:
            self._start(task)
        shape = shape_of(word, pc, pe.pstate.c64)
        if shape.is_plain and self._system_calls:
            # Numbers that replaced capabilities are seen with the next instruction that isn't plain.
            return None
        address = effective_address(pe, shape) if shape.is_load or shape.is_store else 0
        call = ""
        if word == SVC and self._system_calls:
            row = TABLE.get(pe.read_x(8) & 0xFFFF_FFFF)
            call = row.name if row is not None else "an unknown system call"
        self._pending = (task, pc, shape, address, task.kernel.instructions, pe.bank, call)
        return None

    def register(self, task: Thread, key: int) -> Node | None:
        """The node of a register by its key."""
        return self._registers.get(task.tid, {}).get(_place(key, task.pe.bank))

    # -- recording -------------------------------------------------------------------------------------

    def _start(self, task: Thread) -> None:
        pe = task.pe
        position = task.kernel.instructions
        now = _snapshot(pe)
        nodes: dict[int, Node | None] = {}
        for key, value in enumerate(now):
            if value is not None and value.tag:
                nodes[key] = Node(value, "given to the thread at its start", pe.pc, position)
        nodes[PCC] = Node(pe.pcc, "PCC of the thread at its start", pe.pc, position)
        self._registers[task.tid], self._last[task.tid] = nodes, now

    def finish(self) -> None:
        """Account for the instruction that was last announced."""
        if self._pending is None:
            return
        task, pc, shape, address, position, bank, call = self._pending
        self._pending = None
        nodes = self._registers[task.tid]
        before, now = self._last[task.tid], _snapshot(task.pe)
        made: list[tuple[int, Node | None]] = []
        changed = () if now == before else zip(range(len(now)), now, before, strict=True)
        for key, value, old in changed:
            if value is old:
                continue
            if value is None or not (value.tag or value.hi):
                made.append((key, None))
            else:
                made.append((key, self._made(nodes, key, value, pc, shape, address, position, bank, call)))
        if shape.is_store:
            self._store(nodes, shape, address, pc, position, bank)
        if shape.is_branch and shape.sources:
            nodes[PCC] = nodes.get(_place(shape.sources[0], bank)) or nodes.get(PCC)
        taken = next((el for el, key in enumerate(_RETURNS) if now[key] is not before[key]), None)
        nodes.update(made)
        if taken is not None and not shape.is_move_to_system:
            nodes[PCC] = nodes.get(_VECTORS[taken]) or nodes.get(PCC)
        elif shape.text == "eret" and task.pe.pc != pc:
            nodes[PCC] = self._returned(nodes, task.pe.pcc) or nodes.get(PCC)
        self._last[task.tid] = now

    @staticmethod
    def _returned(nodes: dict[int, Node | None], pcc: Capability) -> Node | None:
        """Where PCC comes from after ERET: the link register that has its bounds."""
        links = (nodes.get(key) for key in _RETURNS)
        return next((node for node in links if node is not None and node.capability.hi == pcc.hi), None)

    def _made(
        self,
        nodes: dict[int, Node | None],
        key: int,
        value: Capability,
        pc: int,
        shape: Shape,
        address: int,
        position: int,
        bank: int,
        call: str,
    ) -> Node | None:
        """The node of a new value. One without tag has a node if it comes from a capability that had one."""
        if call:
            return Node(value, f"returned by the system call {call}", pc, position)
        if key in _RETURNS and not shape.is_move_to_system:
            link = nodes.get(PCC)
            text = "PCC when an exception was taken"
            return (
                self._child(link, value, text, pc, position, "") if link else Node(value, text, pc, position)
            )
        base = _key(shape.memory[0]) if shape.memory is not None else None
        updated = nodes.get(key) if base is not None and _place(base, bank) == key else None
        if updated is not None and key not in shape.data:
            return self._child(updated, value, shape.text, pc, position, "")
        if shape.is_load and key in shape.data:
            place = address + 16 * shape.data.index(key)
            parent = self.memory.get(place)
            if parent is None or parent.capability != value:
                if not value.tag:
                    return None
                text = "in memory since the system or the loader put it there"
                parent = Node(value, text, 0, position, note=f"at {place:#x}")
            return self._child(parent, value, shape.text, pc, position, f"from {place:#x}")
        for source in shape.sources:
            parent = nodes.get(_place(source, bank))
            if parent is not None:
                return self._child(parent, value, shape.text, pc, position, "")
        parent = nodes.get(key)
        if parent is not None and (key >= STACK or key in shape.data):
            return self._child(parent, value, shape.text, pc, position, "")
        if not value.tag:
            return None
        text = "set by the system (a signal, or a register that it keeps)"
        return Node(value, shape.text if shape.text.startswith("mrs ") else text, pc, position)

    def _child(self, parent: Node, value: Capability, text: str, pc: int, position: int, note: str) -> Node:
        if parent.pc == pc and parent.parent is not None and not note:
            return Node(value, text, pc, position, parent.parent, note, parent.count + 1, parent.depth)
        if parent.depth >= MAX_DEPTH:
            self.forgot = True
            parent = Node(parent.capability, "forgotten: the chain is longer than is kept", 0, position)
        return Node(value, text, pc, position, parent, note, 1, parent.depth + 1)

    def _store(
        self, nodes: dict[int, Node | None], shape: Shape, address: int, pc: int, position: int, bank: int
    ) -> None:
        for index, key in enumerate(shape.data):
            if key is None:
                continue
            node = nodes.get(_place(key, bank))
            place = address + 16 * index
            if node is None:
                self.memory.pop(place, None)
                continue
            if len(self.memory) >= MAX_GRANULES:
                self.forgot = True
                self.memory.pop(next(iter(self.memory)))
            self.memory[place] = self._child(
                node, node.capability, shape.text, pc, position, f"to {place:#x}"
            )


def _snapshot(pe: Pe) -> list[Capability | None]:
    return [*pe.c[:31], None, *pe.stack, *pe.data, *pe.sysregs.capabilities.values()]


def _place(key: int, bank: int) -> int:
    if key == OWN_STACK:
        return STACK + bank
    if key == OWN_DATA:
        return DATA + bank
    if bank == RESTRICTED_BANK and key in _THREAD_POINTERS:
        return _RESTRICTED_THREAD_POINTER
    return key


def effective_address(pe: Pe, shape: Shape) -> int:
    """Effective address, from the operands as they are before the instruction."""
    if shape.literal is not None:
        return shape.literal
    if shape.memory is None:
        return 0
    base, offset, _, post = shape.memory
    value = pe.read_csp().value if base in ("csp", "sp") else pe.read_x(int(base[1:]))
    if post or not offset:
        return value
    if offset.startswith("#"):
        return value + int(offset[1:], 0) & MASK64
    match = _INDEX.match(offset)
    if match is None:
        return value
    index = 0 if match[2] == "zr" else pe.read_x(int(match[2]))
    if match[3] in ("sxtw", "uxtw"):
        index &= 0xFFFF_FFFF
        if match[3] == "sxtw" and index >> 31:
            index -= 1 << 32
    return value + (index << int(match[4] or 0)) & MASK64


class TagLosses:
    """An observer of one granule: who cleared its tag last."""

    def __init__(self, address: int) -> None:
        self.address = address & -16
        self.lost: tuple[int, int, int, Capability] | None = None
        """(PC, word, position, the capability that was there)."""
        self.was_tagged = False
        self._before: Capability | None = None
        self._last: tuple[int, int] | None = None

    def __call__(self, task: target.Thread, pc: int, word: int) -> Stop | None:
        """Before each instruction; see `Guest`."""
        self.look(task)
        self._last = (pc, word)
        return None

    def look(self, task: target.Thread) -> None:
        """Compare with what was there before the last instruction."""
        space = task.process.space
        now = None
        if space.is_mapped(self.address, self.address + 16):
            hi, lo, tag = space.peek_cap(self.address)
            now = Capability(tag, hi, lo) if tag else None
        if now is not None:
            self.was_tagged = True
        elif self._before is not None and self._last is not None:
            self.lost = (*self._last, task.kernel.instructions - 1, self._before)
        self._before = now


def difference(node: Node) -> str:
    """How a node's capability differs from the one that it was made from: bounds, permissions, seal."""
    if node.parent is None:
        return ""
    old, new = node.parent.capability, node.capability
    parts = []
    if old.bounds != new.bounds:
        parts.append(f"{size(old.length)} → {size(new.length)}")
    removed = permission_names(old.permissions & ~new.permissions)
    added = permission_names(new.permissions & ~old.permissions)
    parts += [f"−{name}" for name in removed] + [f"+{name}" for name in added]
    if old.tag and not new.tag:
        parts.append("tag cleared")
    if old.is_sealed != new.is_sealed:
        parts.append("sealed" if new.is_sealed else "unsealed")
    if parts or old.value == new.value:
        return " ".join(parts)
    delta = new.value - old.value
    return f"{'+' if delta > 0 else '-'}{abs(delta):#x}"


def chain(node: Node) -> list[Node]:
    """From the newest to the root."""
    nodes = []
    current: Node | None = node
    while current is not None:
        nodes.append(current)
        current = current.parent
    return nodes


def register_key(name: str) -> int | None:
    """The key under which a register is recorded; None for those that aren't (flags, vectors, numbers)."""
    return _KEYS.get(name)


def describe_chain(node: Node, where: Callable[[int], str]) -> Iterator[str]:
    """Lines for people, newest first; `where` names the place of an address."""
    nodes = chain(node)
    for item in nodes[:MAX_SHOWN]:
        place = where(item.pc) if item.pc else ""
        parts = [f"  ← {item.text:<28}", f"{place:<34}", item.note, difference(item)]
        if item.count > 1:
            parts.append(f"({item.count} times)")
        if item.parent is None:
            parts.append(item.capability.describe())
        yield " ".join(part for part in parts if part.strip()).rstrip()
    if len(nodes) > MAX_SHOWN:
        yield f"  … and {len(nodes) - MAX_SHOWN} before them; the root: {nodes[-1].text}"
