"""The reference engine: executes bound instructions, block by block, one after the other.

A block is a straight run of code within one page. Its instructions were bound under one context (see
`emulator.engine.context`), so running it is calling closures in order. Consecutive words of pure arithmetic
become one call of the arithmetic host. Blocks are forgotten when code or its translation changes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from operator import length_hint

from emulator.engine.api import ExceptionHandler
from emulator.engine.bind import bind
from emulator.engine.context import Context, current_context, fetch_window
from emulator.engine.host import ArithmeticHost
from emulator.engine.operands import Operands, arithmetic_operands
from emulator.exceptions import pending_interrupt
from emulator.faults import FaultKind, MemoryAbort, PeFault, StopKind, StopReason, fault_of_abort
from emulator.memory.interface import PAGE_MASK, DeviceAccess, Memory
from emulator.semantics.access import authorise
from emulator.semantics.site import Action, Site
from emulator.state.pe import WAITING, Pe
from emulator.state.registers import SP_SLOT
from morello_isa.capability import MASK64, Capability
from morello_isa.permissions import Perm

_MAX_BLOCK = 64
_MAX_BATCH = 16
# Beyond these the caches start over: memory stays bounded whatever the guest does.
_MAX_BLOCKS = 20_000
_MAX_CONTEXTS = 64
_NEVER = 1 << 62
_EXECUTE = int(Perm.EXECUTE)


class Block:
    """`ops[i]` executes the instructions from number `starts[i]` on; `end` is the address after the last."""

    __slots__ = ("count", "end", "ops", "starts", "words")

    def __init__(self, ops: list[Action], starts: list[int], words: list[int], end: int) -> None:
        self.ops = ops
        self.starts = starts
        self.words = words
        self.count = len(words)
        self.end = end


class ReferenceEngine:
    """See `emulator.engine.api.Engine`."""

    def __init__(self, pe: Pe, memory: Memory, on_exception: ExceptionHandler) -> None:
        self.pe = pe
        self.memory = memory
        self.on_exception = on_exception
        self.before_instruction: Callable[[int, int], None] | None = None
        """Called with (pc, word) before each instruction while set; the engine then runs one at a time."""
        self.crossings = 0
        self.on_crossing: Callable[[int, int], None] | None = None
        """See `Engine.on_crossing`; branches are remembered only while it is set."""
        self._branch = (0, 0)
        self._host = ArithmeticHost(pe.file, self.forget_code)
        self._caches: dict[tuple[Context, tuple[int, int]], tuple[dict[int, Block], dict[int, Block]]] = {}
        self._blocks: dict[int, Block] = {}
        self._singles: dict[int, Block] = {}
        self._context: Context | None = None
        self._spaces = (0, 0)
        self._window = (0, 0)
        self._stop: StopReason | None = None
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._event_number = 0
        self._next_event = _NEVER
        # `_run_blocks` returns when that many instructions were executed: a limit, an event, a stop (0).
        self._horizon = 0
        memory.on_code_change = self.forget_code

    # --- control -----------------------------------------------------------------------------------

    def request_stop(self, detail: object) -> None:
        """See `Engine.request_stop`."""
        self._stop = StopReason(StopKind.REQUESTED, detail)
        self._horizon = 0

    def close(self) -> None:
        """See `Engine.close`. Whoever takes exceptions may hold this engine: let go of it."""
        self.on_exception = _closed
        self._caches.clear()
        self._blocks.clear()
        self._singles.clear()
        self._host.close()

    def forget_code(self) -> None:
        """See `Engine.forget_code`."""
        self._blocks.clear()
        self._singles.clear()
        current = (self._blocks, self._singles)
        self._caches.clear()
        if self._context is not None:
            self._caches[self._context, self._spaces] = current

    def schedule(self, instruction_count: int, action: Callable[[], None]) -> None:
        """See `Engine.schedule`."""
        self._event_number += 1
        heapq.heappush(self._events, (instruction_count, self._event_number, action))
        self._next_event = self._events[0][0]
        self._horizon = min(self._horizon, self._next_event)

    def _run_events(self) -> None:
        while self._events and self._events[0][0] <= self.pe.instructions:
            action = heapq.heappop(self._events)[2]
            action()
        self._next_event = self._events[0][0] if self._events else _NEVER

    # --- running -----------------------------------------------------------------------------------

    def step(self) -> StopReason:
        """Execute one instruction, or take one exception."""
        return self.run(1)

    def run(self, max_instructions: int | None = None) -> StopReason:
        """See `Engine.run`."""
        pe = self.pe
        limit = _NEVER if max_instructions is None else pe.instructions + max_instructions
        while True:
            if self._stop is not None:
                reason, self._stop = self._stop, None
                return reason
            if pe.instructions >= self._next_event:
                self._run_events()
                continue
            if pe.attention & ~WAITING:
                interrupt = pending_interrupt(pe)
                pe.waiting = False
                if interrupt is not None:
                    self.on_exception(pe, interrupt)
                    continue
            if pe.waiting:
                pe.waiting = False
                return StopReason(StopKind.IDLE)
            if pe.instructions >= limit:
                return StopReason(StopKind.LIMIT)
            if self.before_instruction is not None:
                self._one_observed()
            else:
                self._horizon = min(limit, self._next_event)
                self._run_blocks()

    def _run_blocks(self) -> None:
        """Run until something outside needs attention or the horizon (an instruction count) is reached."""
        pe = self.pe
        while True:
            if pe.context_stale:
                self._refresh()
            block = self._blocks.get(pe.pc)
            if block is None:
                made = self._make(self._blocks, _MAX_BLOCK)
                if made is None:
                    return
                block = made
            count = block.count
            if pe.instructions + count > self._horizon:
                self._one()
            else:
                pe.pc = block.end
                ops = iter(block.ops)
                pe.in_block = True
                try:
                    for op in ops:
                        op()
                    pe.in_block = False
                    pe.instructions += count
                except (PeFault, MemoryAbort) as error:
                    pe.in_block = False
                    self._fault(block, len(block.ops) - 1 - length_hint(ops), error)
                except DeviceAccess:
                    pe.in_block = False
                    self._reach_device(block, len(block.ops) - 1 - length_hint(ops))
            if pe.attention or pe.instructions >= self._horizon:
                return

    def _reach_device(self, block: Block, op: int) -> None:
        """An instruction of the block wants a device: execute it on its own."""
        pe = self.pe
        done = block.starts[op]
        pe.pc = block.end - 4 * (block.count - done) & MASK64
        pe.instructions += done
        self._one()

    def _one(self) -> None:
        """Execute a single instruction (unless its fetch faults, which is one exception taken)."""
        pe = self.pe
        if pe.context_stale:
            self._refresh()
        block = self._singles.get(pe.pc) or self._make(self._singles, 1)
        if block is None:
            return
        pe.pc = block.end
        try:
            block.ops[0]()
            pe.instructions += 1
        except (PeFault, MemoryAbort) as error:
            self._fault(block, 0, error)

    def _one_observed(self) -> None:
        pe = self.pe
        if pe.context_stale:
            self._refresh()
        block = self._singles.get(pe.pc) or self._make(self._singles, 1)
        if block is not None:
            if self.before_instruction is not None:
                self.before_instruction(pe.pc, block.words[0])
            self._one()

    def _fault(self, block: Block, op: int, error: PeFault | MemoryAbort) -> None:
        """An instruction of the block didn't complete: complete the fault and hand it over."""
        pe = self.pe
        first = block.end - 4 * block.count & MASK64
        pc = first + 4 * block.starts[op]
        if isinstance(error, MemoryAbort):
            fault = fault_of_abort(error, pc, block.words[block.starts[op]])
        else:
            fault = error
            pc = fault.pc
        pe.instructions += (pc - first) // 4 + 1
        self._raise(fault, pc)

    def _raise(self, fault: PeFault, pc: int) -> None:
        pe = self.pe
        pe.pc = fault.pc = pc
        fault.pcc = pe.pcc
        fault.c64, fault.el = pe.pstate.c64, pe.pstate.el
        self.on_exception(pe, fault)

    # --- binding -----------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Evaluate the context anew and switch to its blocks."""
        pe = self.pe
        if pe.translation_stale:
            pe.translation_stale = False
            self.memory.context_changed()
        pe.context_stale = False
        context, spaces = current_context(pe), self.memory.code_spaces
        if context == self._context and spaces == self._spaces:
            return
        if self._context is not None and context.restricted != self._context.restricted:
            self.crossings += 1
            if self.on_crossing is not None:
                self.on_crossing(*self._branch)
        self._enter_context(context, spaces)
        self._window = fetch_window(pe.pcc, not (context.tbi0 or context.tbi1))

    def _enter_context(self, context: Context, spaces: tuple[int, int]) -> None:
        """Switch to the blocks of a context."""
        self._context, self._spaces = context, spaces
        caches = self._caches.get((context, spaces))
        if caches is None:
            if len(self._caches) >= _MAX_CONTEXTS:
                self._caches.clear()
            caches = self._caches[context, spaces] = ({}, {})
        self._blocks, self._singles = caches

    def _make(self, cache: dict[int, Block], maximum: int) -> Block | None:
        """Bind the block at PC; None when its first fetch faulted and the exception was taken."""
        pe, pc = self.pe, self.pe.pc
        try:
            self._check_fetch(pc)
            first_word = self.memory.fetch(pc)
        except PeFault as fault:
            pe.instructions += 1
            self._raise(fault, pc)
            return None
        except MemoryAbort as abort:
            pe.instructions += 1
            fetch_fault = fault_of_abort(abort, pc, None)
            fetch_fault.is_fetch = True
            self._raise(fetch_fault, pc)
            return None
        if len(cache) >= _MAX_BLOCKS:
            cache.clear()
        block = cache[pc] = _Builder(self, pc, maximum).build(first_word)
        return block

    def _check_fetch(self, pc: int) -> None:
        """PC alignment, illegal state, PCC: tag, seal, Execute, bounds (__FetchNextInstr)."""
        if pc & 3:
            raise PeFault(FaultKind.PC_ALIGNMENT, address=pc, pc=pc)
        if self.pe.pstate.il:
            raise PeFault(FaultKind.ILLEGAL_STATE, pc=pc)
        low, high = self._window
        if low <= pc < high:
            return
        try:
            authorise(self.site(pc, 0), self.pe.pcc_at(pc), "pcc", pc, 4, _EXECUTE)
        except PeFault as fault:
            fault.is_fetch, fault.word = True, None
            raise

    def site(self, pc: int, word: int) -> Site:
        """A site under the current context."""
        if self._context is None:
            self._refresh()
        assert self._context is not None
        return Site(self.pe, self.memory, self._context, pc, word)

    def fetch_ahead(self, pc: int) -> int | None:
        """The word at `pc` if it can be fetched without any fault or other effect."""
        try:
            self._check_fetch(pc)
        except PeFault:
            return None
        return self.memory.fetch_ahead(pc)

    def arithmetic(self, words: tuple[int, ...], operands: Operands, pc: int) -> Action | None:
        """An action that executes the words on the host; None when it can't take so many registers."""
        stub = self._host.compile(words, operands)
        if stub is None:
            return None
        run = stub
        c = self.pe.c
        writes = tuple(sorted(operands.x_writes))

        def refused() -> None:
            """The host doesn't know a word: execute those before it, then raise for it."""
            if len(words) == 1:
                raise PeFault(FaultKind.UNDEFINED, pc=pc, word=words[0])
            self.execute_singly(words, pc)

        if operands.sp_read or operands.sp_write:
            return self._with_sp(run, refused, writes, operands.sp_write)
        if len(writes) == 1:
            d = writes[0]

            def one_result() -> None:
                if run():
                    refused()
                else:
                    c[d] = None

            return one_result

        def results() -> None:
            if run():
                refused()
            else:
                for n in writes:
                    c[n] = None

        return results

    def _with_sp(
        self, run: Callable[[], int], refused: Action, writes: tuple[int, ...], writes_sp: bool
    ) -> Action:
        pe = self.pe
        assert self._context is not None
        x, c, stack, bank = pe.x, pe.c, pe.stack, self._context.bank

        def action() -> None:
            before = stack[bank].value
            x[SP_SLOT] = before
            if run():
                refused()
                return
            for n in writes:
                c[n] = None
            if writes_sp:
                stack[bank] = Capability.from_int(x[SP_SLOT])

        return action

    def remembering(self, action: Action, pc: int, word: int) -> Action:
        """The action of a branch, which also notes where it was."""
        branch = (pc, word)

        def noted() -> None:
            self._branch = branch
            action()

        return noted

    def execute_singly(self, words: tuple[int, ...], pc: int) -> None:
        """Execute words of arithmetic one after the other."""
        for i, word in enumerate(words):
            operands = arithmetic_operands(word)
            assert operands is not None
            action = self.arithmetic((word,), operands, pc + 4 * i)
            assert action is not None
            action()


def _uses_time(word: int) -> bool:
    """MRS or MSR of a counter or timer (CRn is 14): time is the exact count, so it starts a block."""
    return word & 0xFFD0F000 == 0xD510E000


def _closed(_pe: Pe, _fault: PeFault) -> None:
    """No exceptions any more."""


class _Builder:
    """Puts a block together."""

    def __init__(self, engine: ReferenceEngine, pc: int, maximum: int) -> None:
        self._engine = engine
        self._pc = pc
        self._maximum = maximum
        self._ops: list[Action] = []
        self._starts: list[int] = []
        self._words: list[int] = []
        self._batch: list[int] = []
        self._operands: Operands | None = None

    def build(self, first_word: int) -> Block:
        engine, start = self._engine, self._pc
        word: int | None = first_word
        pc = start
        while word is not None:
            if self._words and _uses_time(word):
                break
            bound = bind(engine.site(pc, word))
            if bound.operands is not None:
                self._add_arithmetic(word, bound.operands)
            else:
                self._flush()
                assert bound.action is not None
                action = bound.action
                if bound.ends_block and engine.on_crossing is not None:
                    action = engine.remembering(action, pc, word)
                self._append(action, len(self._words))
            self._words.append(word)
            pc += 4
            if bound.ends_block or len(self._words) >= self._maximum or not pc & PAGE_MASK:
                break
            word = engine.fetch_ahead(pc)
        self._flush()
        return Block(self._ops, self._starts, self._words, start + 4 * len(self._words) & MASK64)

    def _append(self, action: Action, start: int) -> None:
        self._ops.append(action)
        self._starts.append(start)

    def _add_arithmetic(self, word: int, operands: Operands) -> None:
        merged = operands if self._operands is None else self._operands | operands
        named = len(merged.x_reads | merged.x_writes)
        if self._batch and (len(self._batch) >= _MAX_BATCH or named > 26):
            self._flush()
            merged = operands
        self._batch.append(word)
        self._operands = merged

    def _flush(self) -> None:
        if not self._batch:
            return
        start = len(self._words) - len(self._batch)
        pc = self._pc + 4 * start
        assert self._operands is not None
        action = self._engine.arithmetic(tuple(self._batch), self._operands, pc)
        assert action is not None
        self._append(action, start)
        self._batch = []
        self._operands = None
