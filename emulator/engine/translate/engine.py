"""The fast engine: the reference engine with translated code in place of its blocks.

Control (limits, events, interrupts, stops, exceptions) is inherited. What translated code doesn't do, a
single instruction of the reference engine does, on the same registers and memory.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from emulator.engine.context import Context
from emulator.engine.reference import ReferenceEngine
from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode, Exit, ExitKind
from emulator.engine.translate.contexts import family, is_translatable
from emulator.engine.translate.emit_jump import (
    PREDICTED_BRANCH,
    PREDICTED_META,
    PREDICTED_VALUE,
    PREDICTIONS,
    SENTRY,
    table_index,
)
from emulator.engine.translate.host import CODE_BYTES, CodeHost
from emulator.engine.translate.layout import (
    CODE,
    EVICTED,
    EXIT,
    FIRST_LANE,
    SPILL,
    SPILL_EVICTED,
    SPILL_LEFT,
    SPILL_META,
    SPILL_TAGS,
    SPILL_WINDOW,
    SWAP,
    TABLES,
    TARGET,
    UNUSABLE,
)
from emulator.engine.translate.translator import translate
from emulator.faults import MemoryAbort, PeFault
from emulator.memory.direct import DirectMemory
from emulator.state.pe import Pe
from emulator.state.registers import SP_SLOT
from morello_isa.capability import OTYPE_FIELD, Capability
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.engine.api import ExceptionHandler

_MOST_LEFT = 1 << 61
_LOAD_BIT = int(Perm.LOAD) << 46


class Translation:
    """A translated block. `starts` are the host addresses of its instructions' code, ascending."""

    __slots__ = ("count", "domain", "host", "pc", "starts", "swaps")

    def __init__(
        self, domain: Domain, pc: int, host: int, count: int, starts: list[int],
        swaps: dict[int, tuple[int, ...]],
    ) -> None:  # fmt: skip
        self.domain = domain
        self.pc = pc
        self.host = host
        self.count = count
        self.starts = starts
        self.swaps = swaps


class Domain:
    """The translations under one context in one code space; `anchor` is a PCC of that context, `window` where
    it may fetch."""

    __slots__ = ("anchor", "blocks", "context", "family", "space", "table", "window")

    def __init__(self, context: Context, space: int, anchor: Capability, window: tuple[int, int]) -> None:
        self.window = window
        self.space = space
        self.table = 0
        self.context = context
        self.anchor = anchor
        self.blocks: dict[int, Translation] = {}
        self.family = family(context, space)


class Counters:
    """What `--stats` tells about translation."""

    __slots__ = ("blocks", "entries", "faults", "flushes", "indirect", "links", "singles")

    def __init__(self) -> None:
        self.blocks = self.entries = self.faults = self.flushes = 0
        self.indirect = self.links = self.singles = 0


class FastEngine(ReferenceEngine):
    """See `emulator.engine.api.Engine`."""

    def __init__(self, pe: Pe, memory: DirectMemory, on_exception: ExceptionHandler) -> None:
        self._domains: dict[tuple[Context, int], Domain] = {}
        super().__init__(pe, memory, on_exception)
        self.space = memory
        self.counters = Counters()
        self._code: CodeHost | None = None
        self._free = 0
        self._exits: list[tuple[Translation, Exit] | None] = [None]
        self._order: list[int] = []
        self._translations: list[Translation] = []
        self._families: dict[tuple[object, ...], int] = {}
        self._revision = -1
        state = pe.file.whole
        self._q = state.cast("Q")
        self._tags = state[SPILL_TAGS : SPILL_TAGS + 32]
        self._drop = False

    # --- code that changes ---------------------------------------------------------------------------------

    def forget_code(self) -> None:
        """See `Engine.forget_code`. Translations are dropped before translated code runs again."""
        super().forget_code()
        self._drop = True

    def _flush(self) -> None:
        """Start over with an empty code cache."""
        self._drop = False
        self._domains.clear()
        self._exits = [None]
        self._order.clear()
        self._translations.clear()
        self.counters.flushes += 1
        if self._code is not None:
            self._code.forget_code()
            self._free = self._code.first_free
        self._families.clear()

    def _open(self) -> CodeHost:
        code = self._code = CodeHost(self.pe.file, self.space)
        self._free = code.first_free
        return code

    def _domain(self, context: Context, space: int) -> Domain:
        """The domain of the current context, which is made; its family gets a table."""
        domain = self._domains[context, space] = Domain(context, space, self.pe.pcc, self._window)
        code = self._code or self._open()
        table = self._families.get(domain.family)
        if table is None:
            if len(self._families) == TABLES:
                self._flush()
                self._domains[context, space] = domain
            table = self._families[domain.family] = len(self._families)
            code.clear_table(table)
        domain.table = table
        return domain

    # --- running -------------------------------------------------------------------------------------------

    def _run_blocks(self) -> None:
        pe = self.pe
        while True:
            translation = self._find()
            left = self._horizon - pe.instructions
            if translation is None or translation.count > left:
                self._one()
            else:
                self._enter(translation, min(left, _MOST_LEFT))
            if pe.attention or pe.instructions >= self._horizon:
                return

    def _find(self) -> Translation | None:
        """The translation at PC, made if need be; None where fetching faults."""
        if self.pe.context_stale:
            self._refresh()
        if self._drop:
            self._flush()
        context = self._context
        assert context is not None
        if not is_translatable(context):
            return None
        space = self.memory.code_spaces[self.pe.pc >> 63]
        domain = self._domains.get((context, space)) or self._domain(context, space)
        return domain.blocks.get(self.pe.pc) or self._translate(domain)

    def _translate(self, domain: Domain) -> Translation | None:
        pe, pc = self.pe, self.pe.pc
        try:
            self._check_fetch(pc)
            first = self.memory.fetch(pc)
        except (PeFault, MemoryAbort):
            return None
        code = self._code or self._open()
        made = translate(
            BlockCode(pe, self.memory, domain.context, pc, domain.window, domain.table),
            first,
            self.fetch_ahead,
        )
        size = 4 * (len(made.words) + 3 * len(made.exits))
        if self._free + size - CODE > CODE_BYTES or self._drop:
            self._flush()
            self._free, domain = code.first_free, self._domain(domain.context, domain.space)
            return self._translate(domain)
        host = self._free
        self._free = host + size + (-size % 16)
        starts = [host + 4 * at for at in made.starts]
        swaps = {host + 4 * at: named for at, named in made.swaps.items()}
        translation = Translation(domain, pc, host, made.done, starts, swaps)
        stub = host + 4 * len(made.words)
        words = made.words
        for at, exit_ in made.exits:
            site = host + 4 * at
            exit_.site = site
            exit_.predictions = tuple(host + 4 * p for p in exit_.predictions)
            aim = stub
            if exit_.kind is ExitKind.EDGE:
                known = translation if exit_.pc == pc else domain.blocks.get(exit_.pc)
                if known is not None:
                    aim = known.host
            word = a64.retarget(words[at], aim - site)
            if word is None:
                word = a64.retarget(words[at], stub - site)
                assert word is not None
            words[at] = word
            number = len(self._exits)
            self._exits.append((translation, exit_))
            words += [
                0xD2800000 | (number & 0xFFFF) << 5 | 16,
                0xF2A00000 | (number >> 16) << 5 | 16,
                a64.b(code.leave - (stub + 8)),
            ]
            stub += 12
        code.put(host, words)
        domain.blocks[pc] = translation
        self._order.append(host)
        self._translations.append(translation)
        self.counters.blocks += 1
        return translation

    # --- in and out of translated code ---------------------------------------------------------------------

    def _enter(self, translation: Translation, left: int) -> None:
        """Run translated code from there, at most `left` instructions; deal with the way it comes back."""
        code = self._code
        assert code is not None
        capabilities = translation.domain.context.cap_trap is None
        if self._revision != self.space.revision or code.capabilities != capabilities:
            self._revision = self.space.revision
            code.forget_pages()
        code.capabilities = capabilities
        self.counters.entries += 1
        self._spill(left)
        q = self._q
        q[TARGET >> 3] = translation.host
        where = code.run()
        if where is None:
            entry = self._exits[q[EXIT >> 3]]
            assert entry is not None
            left_translation, exit_ = entry
            self._reload(left_translation, left, exit_.done, exit_.pc)
            self._leave(left_translation, exit_)
        else:
            self._fault_at(where, left)

    def _fault_at(self, where: int, left: int) -> None:
        """An access was refused at a host address: the reference engine executes the instruction."""
        translation = self._translations[bisect_right(self._order, where) - 1]
        lent = translation.swaps.get(where)
        if lent is not None:
            q = self._q
            for n in lent:
                home, saved = SPILL + 16 * (n - FIRST_LANE) >> 3, SWAP + 16 * n >> 3
                q[home], q[home + 1] = q[saved], q[saved + 1]
        index = bisect_right(translation.starts, where) - 1
        self.counters.faults += 1
        self._reload(translation, left, index, translation.pc + 4 * index)
        self._one()

    def _leave(self, translation: Translation, exit_: Exit) -> None:
        kind = exit_.kind
        if kind is ExitKind.SINGLE:
            self.counters.singles += 1
            self._one()
        elif kind is ExitKind.EDGE:
            self._link(translation, exit_)
        elif kind is ExitKind.INDIRECT:
            self._indirect(translation, exit_)

    def _link(self, translation: Translation, exit_: Exit) -> None:
        """Let the branch go straight to its target from now on."""
        self.counters.links += 1
        target = self._find()
        code = self._code
        if target is None or code is None or not self._is_current(translation):
            return
        at = exit_.site - CODE >> 2
        word = a64.retarget(code.words[at], target.host - exit_.site)
        if word is not None:
            code.patch(exit_.site, [word])

    def _indirect(self, translation: Translation, exit_: Exit) -> None:
        """Execute the branch; enter where it went in the site's predictions and in the table."""
        self.counters.indirect += 1
        pe, n = self.pe, exit_.register
        value, capability = pe.x[n], pe.c[n]
        self._one()
        if self._stop is not None or pe.pc != value & ~1:
            return
        target = self._find()
        code, context = self._code, self._context
        assert context is not None
        if target is None or code is None or context.c64 != bool(value & 1) or not context.pcc_tag:
            return
        hi = context.pcc_hi
        if exit_.capability:
            if capability is None or not capability.tag or capability.hi & ~SENTRY != hi:
                return
        elif hi != translation.domain.context.pcc_hi:
            return
        if target.domain.family != translation.domain.family or not self._is_current(translation):
            return
        at = table_index(value)
        table = code.tables[target.domain.table]
        table[at], table[at + 1], table[at + 2] = value, hi, target.host
        self._predict(code, exit_, value, hi, target.host)

    def _is_current(self, translation: Translation) -> bool:
        """Its code has not been dropped meanwhile."""
        domain = translation.domain
        return self._domains.get((domain.context, domain.space)) is domain

    @staticmethod
    def _predict(code: CodeHost, exit_: Exit, value: int, hi: int, host: int) -> None:
        """Replace one of the site's predictions (each in turn; after many replacements the table does)."""
        if exit_.uses >= 4 * PREDICTIONS:
            return
        at = exit_.predictions[exit_.uses % PREDICTIONS]
        branch = at + 4 * PREDICTED_BRANCH
        word = a64.retarget(code.words[branch - CODE >> 2], host - branch)
        if word is None:
            return
        exit_.uses += 1
        words = list(code.words[at - CODE >> 2 : (branch - CODE >> 2) + 1])
        words[PREDICTED_VALUE : PREDICTED_VALUE + 4] = a64.mov_imm_full(words[0] & 31, value)
        words[PREDICTED_META : PREDICTED_META + 4] = a64.mov_imm_full(words[PREDICTED_META] & 31, hi)
        words[PREDICTED_BRANCH] = word
        code.patch(at, words)

    # --- registers in the state page -----------------------------------------------------------------------

    def _spill(self, left: int) -> None:
        """PE -> state page."""
        pe, q = self.pe, self._q
        c, x = pe.c, pe.x
        metas = [0] * 32
        tags = bytearray(32)
        for n in range(31):
            capability = c[n]
            if capability is not None:
                metas[n] = capability.hi
                tags[n] = capability.tag
        csp = pe.stack[pe.bank]
        metas[31] = csp.hi
        tags[31] = csp.tag
        at = SPILL_META >> 3
        for n in range(32):
            q[at + n] = metas[n]
        self._tags[:] = tags
        q[SPILL_LEFT >> 3] = left
        at = SPILL_EVICTED >> 3
        for i, n in enumerate(EVICTED):
            q[at + i] = x[n]
        q[SP_SLOT] = csp.value
        at = SPILL_WINDOW >> 3
        q[at], q[at + 1] = stack_window(csp)

    def _reload(self, translation: Translation, left: int, done: int, pc: int) -> None:
        """State page -> PE, `done` instructions of the translation having been executed."""
        pe, q = self.pe, self._q
        domain = translation.domain
        if domain.context is not self._context:
            self._switch(domain)
        pe.instructions += left - (q[SPILL_LEFT >> 3] + translation.count - done & a64.MASK64)
        pe.pc = pc
        c, x = pe.c, pe.x
        at = SPILL_EVICTED >> 3
        for i, n in enumerate(EVICTED):
            x[n] = q[at + i]
        metas = q[SPILL_META >> 3 : (SPILL_META >> 3) + 32].tolist()
        tags = self._tags.tobytes()
        for n in range(31):
            if metas[n] or tags[n]:
                old = c[n]
                if old is None or old.value != x[n] or old.hi != metas[n] or old.tag != tags[n]:
                    c[n] = Capability(bool(tags[n]), metas[n], x[n])
            else:
                c[n] = None
        bank = pe.bank
        csp, sp = pe.stack[bank], q[SP_SLOT]
        if csp.value != sp or csp.hi != metas[31] or csp.tag != tags[31]:
            pe.stack[bank] = Capability(bool(tags[31]), metas[31], sp)

    def _switch(self, domain: Domain) -> None:
        """Translated code went on under another PCC (or C64): so does the PE."""
        pe, context = self.pe, domain.context
        pe.pcc = domain.anchor
        pe.pstate.c64 = context.c64
        pe.context_stale = False
        self._enter_context(context, self._spaces)
        self._window = domain.window


def stack_window(csp: Capability) -> tuple[int, int]:
    """The window lanes of CSP: its bounds, if its capability is one that `decode_window` accepts."""
    bounds = csp.bounds
    if csp.hi & OTYPE_FIELD or not csp.hi & _LOAD_BIT or not bounds.valid:
        return UNUSABLE, UNUSABLE
    if bounds.window_low >= bounds.window_high or bounds.exponent >= 48 or bounds.limit >= 1 << 55:
        return UNUSABLE, UNUSABLE
    return bounds.base, bounds.limit
