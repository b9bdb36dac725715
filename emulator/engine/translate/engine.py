"""The fast engine: the reference engine with translated code in place of its blocks.

Control (limits, events, interrupts, stops, exceptions) is inherited. What translated code doesn't do, a
single instruction of the reference engine does, on the same registers and memory.
"""

from __future__ import annotations

from bisect import bisect_right
from time import perf_counter
from typing import TYPE_CHECKING

from emulator.engine.context import Context
from emulator.engine.reference import ReferenceEngine
from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.cache import TranslationCache, translation_key
from emulator.engine.translate.contexts import family_of, is_canonical, is_translatable, plain_permissions
from emulator.engine.translate.draft import Draft
from emulator.engine.translate.emit_jump import (
    PREDICTED_BRANCH,
    SENTRY,
    table_index,
)
from emulator.engine.translate.exits import Exit, ExitKind
from emulator.engine.translate.facts import Fact, Facts, covers
from emulator.engine.translate.host import CodeHost
from emulator.engine.translate.layout import (
    ASK_BAD,
    ASK_META,
    ASK_VALUE,
    BAD,
    CODE,
    EXIT,
    FIRST_LANE,
    LEFT_LANE,
    SPILL,
    SWAP,
    TABLES,
    TARGET,
)
from emulator.engine.translate.registers import StatePage
from emulator.engine.translate.stretch import COLD
from emulator.engine.translate.translator import is_leaf, translate
from emulator.engine.translate.versions import LONGEST_PATH, Domain, Translation
from emulator.faults import MemoryAbort, PeFault
from emulator.memory.direct import DirectMemory
from emulator.state.pe import Pe

if TYPE_CHECKING:
    from emulator.engine.api import ExceptionHandler

Family = tuple[object, ...]
Known = tuple[tuple[int, Fact], ...]
"""Facts as a key."""
_MOST_LEFT = 1 << 61
_STUB_WORDS = 3
_FAMILY_TABLES = 16
"""Tables that are not used for facts."""
_FAILURES = 2
"""An instruction whose quick form failed that often gets another form: its checks are its own only; then they
allow what is rare."""


class Counters:
    """What `--stats` tells about translation."""

    __slots__ = (
        "asks", "blocks", "cached", "entries", "faults", "flushes", "host_words", "indirect", "instructions",
        "links", "seconds", "singles",
    )  # fmt: skip

    def __init__(self) -> None:
        self.blocks = self.instructions = self.host_words = 0
        """Translated stretches, guest instructions in them, host words made of them."""
        self.cached = 0
        """Stretches of which the translation was on disk."""
        self.seconds = 0.0
        """Spent on that."""
        self.entries = self.singles = self.faults = self.indirect = 0
        """Ways into translated code; ways out: instructions that have no translation, refused accesses,
        branches to a register's value."""
        self.asks = self.links = self.flushes = 0
        """Questions without leaving, edges linked, starts from an empty cache."""


class _Ways:
    """See `emulator.engine.translate.block.Ways`."""

    def __init__(self, engine: FastEngine, domain: Domain) -> None:
        self._engine = engine
        self._domain = domain
        self._blocks = domain.blocks

    def is_translated(self, pc: int) -> bool:
        return pc in self._blocks

    def is_leaf(self, pc: int) -> bool:
        return is_leaf(pc, self._engine.fetch_ahead)

    def table(self, facts: Facts) -> tuple[int, Facts]:
        return self._engine.table_for(self._domain, facts)


class FastEngine(ReferenceEngine):
    """See `emulator.engine.api.Engine`."""

    _short = 40
    """So few instructions are left to the reference engine."""

    def __init__(self, pe: Pe, memory: DirectMemory, on_exception: ExceptionHandler) -> None:
        self._domains: dict[tuple[Context, int, bool, bool], Domain] = {}
        super().__init__(pe, memory, on_exception)
        self.space = memory
        self.counters = Counters()
        self.cache: TranslationCache | None = None
        """Where translations are kept beyond this run."""
        self._code: CodeHost | None = None
        self._exits: list[tuple[Translation, Exit] | None] = [None]
        self._order: list[int] = []
        self._translations: list[Translation] = []
        self._tables: dict[tuple[Family, Known], int] = {}
        self._free_tables = list(range(TABLES))
        self._by_meta: dict[tuple[object, ...], Domain] = {}
        self._failures: dict[int, int] = {}
        self._page = StatePage(pe)
        self._q = self._page.q
        self._drop = False

    # --- code that changes ---------------------------------------------------------------------------------

    def forget_code(self) -> None:
        """See `Engine.forget_code`. Translations are dropped before translated code runs again."""
        super().forget_code()
        self._drop = True

    def close(self) -> None:
        """See `Engine.close`."""
        super().close()
        code, self._code = self._code, None
        self._forget_translations()
        if code is not None:
            code.close()

    def _flush(self) -> None:
        """Start over with an empty code cache."""
        self._forget_translations()
        self.counters.flushes += 1
        if self._code is not None:
            self._code.forget_code()

    def _forget_translations(self) -> None:
        self._drop = False
        self._domains.clear()
        self._by_meta.clear()
        self._exits = [None]
        self._order.clear()
        self._translations.clear()
        self._tables.clear()
        self._free_tables = list(range(TABLES))

    def _open(self) -> CodeHost:
        code = self._code = CodeHost(self.pe.file, self.space, self._ask)
        return code

    def _is_plain(self, context: Context) -> bool:
        """Plain code: A64, no tags in memory, no capabilities in registers, DDC as good as none."""
        pe = self.pe
        return (
            not context.c64
            and not self.space.tagged
            and plain_permissions(context) != 0
            and pe.c.count(None) == 32
            and not pe.stack[pe.bank].hi
        )

    def table_for(self, domain: Domain, facts: Facts) -> tuple[int, Facts]:
        """See `Ways.table`."""
        key = domain.family, tuple(sorted(facts.items()))
        table = self._tables.get(key)
        if table is not None:
            return table, facts
        if len(self._free_tables) <= _FAMILY_TABLES:
            return self._poorer_table(domain, facts)
        return self._new_table(key), facts

    def _new_table(self, key: tuple[Family, Known]) -> int:
        table = self._tables[key] = self._free_tables.pop()
        (self._code or self._open()).clear_table(table)
        return table

    def _poorer_table(self, domain: Domain, facts: Facts) -> tuple[int, Facts]:
        """The table for the most of the facts that there is."""
        best, most = domain.frame.table, Facts()
        for (family, known), table in self._tables.items():
            if family == domain.family:
                fewer = dict(known)
                if len(fewer) > len(most) and covers(facts, fewer):
                    best, most = table, fewer
        return best, most

    def _domain(self, exact: bool) -> Domain:
        """The domain of the current context, made if need be; its family has a table."""
        context = self._context
        assert context is not None
        plain = self._is_plain(context)
        # Translated code stores tags without asking.
        self.space.tagged = self.space.tagged or not plain
        space = self.space.code_spaces[self.pe.pc >> 63]
        domain = self._domains.get((context, space, plain, exact))
        if domain is not None:
            domain.last_use = self.counters.entries
            return domain
        family = family_of(context, space, plain, exact)
        table = self._tables.get((family, ()))
        if table is None:
            if not self._free_tables:
                self._forget_oldest_family()
            table = self._new_table((family, ()))
        domain = Domain(context, space, plain, exact, self.pe.pcc, self._window, table)
        self._domains[domain.key] = domain
        self._by_meta[family, context.pcc_hi, context.c64] = domain
        return domain

    def _forget_oldest_family(self) -> None:
        """Forget the code of the family that hasn't run for longest, and free its tables."""
        last_use = {family: 0 for family, _ in self._tables}
        for domain in self._domains.values():
            last_use[domain.family] = max(last_use[domain.family], domain.last_use)
        oldest = min(last_use, key=last_use.__getitem__)
        for key in [key for key in self._tables if key[0] == oldest]:
            self._free_tables.append(self._tables.pop(key))
        self._domains = {key: d for key, d in self._domains.items() if d.family != oldest}
        self._by_meta = {key: d for key, d in self._by_meta.items() if d.family != oldest}

    # --- running -------------------------------------------------------------------------------------------

    def _run_blocks(self) -> None:
        pe = self.pe
        stuck = False  # the next stretch is longer than what is left
        while True:
            left = self._horizon - pe.instructions
            exact = left <= LONGEST_PATH
            translation = None if left <= self._short or stuck else self._find(exact)
            if translation is not None:
                free = left if exact else min(left, _MOST_LEFT) - LONGEST_PATH
                stuck = not self._enter(translation, free) and exact
            elif left <= LONGEST_PATH:
                super()._run_blocks()
            else:
                self._one()
            if pe.attention or pe.instructions >= self._horizon:
                return

    def _find(self, exact: bool) -> Translation | None:
        """The translation at PC, made if need be; None where fetching faults."""
        if self.pe.context_stale:
            self._refresh()
        if self._drop:
            self._flush()
        assert self._context is not None
        if not is_translatable(self._context):
            return None
        domain = self._domain(exact)
        anywhere = Exit(ExitKind.EDGE, self.pe.pc, 0)
        return domain.find(anywhere) or self._translate(domain, domain.new_version(anywhere))

    def _translate(self, domain: Domain, empty: Translation, near: Exit | None = None) -> Translation | None:
        """Fill in a translation, for the way on from `near`. None where fetching faults, or when the cache
        has to be emptied first."""
        started = perf_counter()
        pc = empty.pc
        try:
            self._check_fetch(pc)
            first = self.memory.fetch(pc)
        except (PeFault, MemoryAbort):
            return None
        draft = self._known_or_made(domain, empty, first)
        if not self._place(draft, empty, near):
            self._drop = True
            return None
        counters = self.counters
        counters.blocks += 1
        counters.instructions += len(draft.starts)
        counters.host_words += len(draft.words) + len(draft.cold)
        counters.seconds += perf_counter() - started
        return empty

    def _known_or_made(self, domain: Domain, empty: Translation, first: int) -> Draft:
        """The translation from the cache; or translate, and keep the result there."""
        cache = self.cache
        if cache is None:
            return translate(self._block(domain, empty), first, self.fetch_ahead)
        key = translation_key(
            domain.digest, empty.pc, empty.facts, empty.tested, empty.path, len(domain.changed_forms)
        )
        draft = cache.get(key)
        if draft is not None and self._still_holds(draft, domain, first):
            self.counters.cached += 1
            return draft
        draft = translate(self._block(domain, empty), first, self.fetch_ahead)
        cache.put(key, draft)
        return draft

    def _block(self, domain: Domain, empty: Translation) -> BlockCode:
        """The empty block of a translation; `ObservedEngine` has its own."""
        return BlockCode(
            self.pe,
            self.memory,
            domain.frame,
            _Ways(self, domain),
            empty.pc,
            empty.facts,
            empty.tested,
            empty.path,
        )

    def _still_holds(self, draft: Draft, domain: Domain, first: int) -> bool:
        """A translation from the cache is of these instructions and of tables that are there."""
        if draft.guest[0] != first:
            return False
        fetch = self.fetch_ahead
        for (_, pc, _), word in zip(draft.starts, draft.guest, strict=True):
            if fetch(pc) != word:
                return False
        for _, exit_ in draft.exits:
            if exit_.kind is ExitKind.INDIRECT and self.table_for(domain, exit_.facts) != (
                exit_.table,
                exit_.facts,
            ):
                return False
        return True

    def _place(self, draft: Draft, made: Translation, near: Exit | None) -> bool:
        """Write the code of a stretch down, its exits linked or with stubs. False if there is no room."""
        code = self._code or self._open()
        words, cold, domain = draft.words, draft.cold, made.domain
        exact = domain.frame.exact
        test_at = len(cold)
        if exact or not made.tested:
            cold.append(a64.get_d(BAD, *LEFT_LANE))
            if exact:
                cold.append(a64.add_imm(BAD, BAD, -len(draft.starts)))
            draft.exits.append((COLD + len(cold), Exit(ExitKind.BUDGET, made.pc, 0)))
            cold += a64.tbnz63(BAD, 0), 0
        cold_bytes = 4 * (len(cold) + _STUB_WORDS * len(draft.exits))
        neighbour = domain.neighbour(made.pc)
        follows = neighbour is not None or (near is not None and near.kind is ExitKind.EDGE and not near.call)
        if neighbour is None and near is not None:
            neighbour = near.site
        places = code.places.allocate(4 * len(words), cold_bytes, neighbour, follows)
        if places is None or self._drop:
            return False
        hot_at, cold_at = places
        made.host = made.checked = hot_at
        if len(cold) > test_at:
            made.checked = cold_at + 4 * test_at
            cold[-1] = a64.b(hot_at - (cold_at + 4 * len(cold) - 4))
        made.starts = [hot_at + 4 * at for at, _, _ in draft.starts]
        made.places = [(pc, ahead) for _, pc, ahead in draft.starts]
        made.swaps = {hot_at + 4 * at: named for at, named in draft.swaps.items()}
        domain.add(made)
        for at, to in draft.to_cold:
            word = a64.retarget(words[at], cold_at + 4 * to - (hot_at + 4 * at))
            assert word is not None
            words[at] = word

        def address(at: int) -> int:
            return hot_at + 4 * at if at < COLD else cold_at + 4 * (at - COLD)

        for at, exit_ in draft.exits:
            site = exit_.site = address(at)
            exit_.predictions = tuple(address(p) for p in exit_.predictions)
            exit_.gate, exit_.hi_at = address(exit_.gate), address(exit_.hi_at)
            part, index = (words, at) if at < COLD else (cold, at - COLD)
            known = domain.find(exit_) if exit_.kind is ExitKind.EDGE else None
            word = a64.retarget(part[index], known.entry(exit_) - site) if known is not None else None
            if word is None:
                exit_.stub = cold_at + 4 * len(cold)
                cold += self._stub(code, made, exit_)
                word = a64.retarget(part[index], exit_.stub - site)
                assert word is not None
            part[index] = word
        code.put(hot_at, words)
        code.put(cold_at, cold)
        index = bisect_right(self._order, hot_at)
        self._order.insert(index, hot_at)
        self._translations.insert(index, made)
        return True

    def _stub(self, code: CodeHost, made: Translation, exit_: Exit) -> list[int]:
        """The words of an exit's stub."""
        number = len(self._exits)
        self._exits.append((made, exit_))
        asks = exit_.kind is ExitKind.EDGE or exit_.kind is ExitKind.INDIRECT
        aim = code.ask if asks else code.leave[made.domain.plain]
        return [
            0xD2800000 | (number & 0xFFFF) << 5 | 16,
            0xF2A00000 | (number >> 16) << 5 | 16,
            a64.b(aim - (exit_.stub + 8)),
        ]

    # --- without leaving translated code -------------------------------------------------------------------

    def _ask(self, number: int) -> int:
        """Where translated code goes on after an exit that asks."""
        code, entry = self._code, self._exits[number]
        assert code is not None and entry is not None
        self.counters.asks += 1
        translation, exit_ = entry
        host = None
        if not self._drop:
            if exit_.kind is ExitKind.EDGE:
                host = self._edge(code, translation.domain, exit_)
            elif not self._q[ASK_BAD >> 3]:
                host = self._jump(code, translation.domain, exit_)
            code.renew_view(self.space.revision)
        return code.leave_asked[translation.domain.plain] if host is None else host

    def _edge(self, code: CodeHost, domain: Domain, exit_: Exit) -> int | None:
        """Translate the target of a direct branch and let the branch go there from now on."""
        self._adopt(domain)
        target = domain.find(exit_) or self._translate(domain, domain.new_version(exit_), exit_)
        if target is None:
            return None
        self.counters.links += 1
        entry = target.entry(exit_)
        word = a64.retarget(code.words[exit_.site - CODE >> 2], entry - exit_.site)
        if word is not None:
            code.patch(exit_.site, [word])
        else:
            code.patch(exit_.stub, [a64.b(entry - exit_.stub)])
        return entry

    def _jump(self, code: CodeHost, domain: Domain, exit_: Exit) -> int | None:
        """The target of a branch to a register's value, if it is code of the same family."""
        value, hi = self._q[ASK_VALUE >> 3], self._q[ASK_META >> 3]
        c64 = bool(value & 1)
        aim: Domain | None = domain
        if hi != domain.context.pcc_hi or c64 != domain.context.c64:
            aim = self._by_meta.get((domain.family, hi, c64))
        pc = value & ~1
        if aim is None or not aim.window[0] <= pc < aim.window[1] or not is_canonical(pc):
            return None
        if self.space.code_spaces[pc >> 63] != aim.space:
            return None
        self._adopt(aim)
        wanted = Exit(ExitKind.INDIRECT, pc, 0, facts=exit_.facts)
        target = aim.find(wanted) or self._translate(aim, aim.new_version(wanted), exit_)
        if target is None:
            return None
        self._remember(code, exit_, value, hi, target)
        return target.entry(wanted)

    def _remember(self, code: CodeHost, exit_: Exit, value: int, hi: int, target: Translation) -> None:
        """Enter a branch target in the table and in the site's predictions."""
        if exit_.facts_only and hi != exit_.hi:
            return
        at = table_index(value)
        table = code.tables[exit_.table]
        host = target.checked if target.domain.frame.exact else target.host
        table[at], table[at + 1], table[at + 2] = value, hi, host
        self._predict(code, exit_, value, hi, host)

    def _adopt(self, domain: Domain) -> None:
        """Translated code is running under that domain's context: so does the PE."""
        if domain.context is self._context:
            return
        pe, context = self.pe, domain.context
        pe.pcc = domain.anchor
        pe.pstate.c64 = context.c64
        pe.context_stale = False
        self._enter_context(context, self._spaces)
        self._window = domain.window

    # --- in and out of translated code ---------------------------------------------------------------------

    def _enter(self, translation: Translation, left: int) -> bool:
        """Run translated code from there, about `left` instructions; deal with the way it comes back.

        False if it came back because there are not enough instructions left.
        """
        code, page = self._code, self._page
        assert code is not None
        plain = translation.domain.plain
        capabilities = not plain and translation.domain.context.cap_trap is None
        code.use_view((self.space.revision, capabilities), int(translation.domain.context.el == 0))
        self.counters.entries += 1
        page.spill(left, plain, translation.domain.context.restricted)
        self._q[TARGET >> 3] = translation.checked
        where = code.run(plain)
        if where is not None:
            self._refused(where, left)
            return True
        entry = self._exits[self._q[EXIT >> 3]]
        assert entry is not None
        left_translation, exit_ = entry
        self._come_back(left_translation.domain, left, exit_.pc, exit_.ahead)
        if exit_.kind is ExitKind.SINGLE:
            self.counters.singles += 1
            self._one()
        elif exit_.kind is ExitKind.INDIRECT:
            self._indirect(left_translation, exit_)
        return exit_.kind is not ExitKind.BUDGET

    def _come_back(self, domain: Domain, left: int, pc: int, ahead: int) -> None:
        """The PE's registers from the state page; `ahead` as in `Exit`."""
        self._adopt(domain)
        pe = self.pe
        pe.instructions += left - self._page.left + ahead
        pe.pc = pc
        self._page.reload(domain.plain)

    def _refused(self, where: int, left: int) -> None:
        """An access was refused at a host address: the reference engine executes the instruction."""
        translation = self._translations[bisect_right(self._order, where) - 1]
        lent = translation.swaps.get(where)
        if lent is not None:
            q = self._q
            for n in lent:
                home, saved = SPILL + 16 * (n - FIRST_LANE) >> 3, SWAP + 16 * n >> 3
                q[home], q[home + 1] = q[saved], q[saved + 1]
        pc, ahead = translation.places[bisect_right(translation.starts, where) - 1]
        out_of_budget = self._page.left < 0
        self._come_back(translation.domain, left, pc, ahead)
        if out_of_budget:
            return
        self.counters.faults += 1
        self._one()
        if self.pe.pc == pc + 4:
            self._quick_form_failed(translation, pc)

    def _quick_form_failed(self, translation: Translation, pc: int) -> None:
        """The reference engine found nothing wrong: after a while use another form."""
        domain = translation.domain
        if self._drop or not self._is_current(domain):
            return
        if pc not in domain.changed_forms[translation.forms :]:
            failures = self._failures[pc] = self._failures.get(pc, 0) + 1
            if failures % _FAILURES or not domain.other_form(pc):
                return
        code = self._code
        versions = domain.blocks[translation.pc]
        assert code is not None
        if translation not in versions:
            return
        versions.remove(translation)
        again = Translation(domain, translation.pc, translation.facts, translation.tested, translation.path)
        again.improved = translation.improved
        self._adopt(domain)
        if self._translate(domain, again) is None:
            return
        code.patch(translation.host, [a64.b(again.host - translation.host)])
        if translation.checked != translation.host:
            code.patch(translation.checked, [a64.b(again.checked - translation.checked)])

    def _indirect(self, translation: Translation, exit_: Exit) -> None:
        """Execute the branch; if it went to code of the same family, remember that."""
        self.counters.indirect += 1
        pe, n = self.pe, exit_.register
        value, capability = pe.x[n], pe.c[n]
        self._one()
        if self._stop is not None or pe.pc != value & ~1:
            return
        target = self._find(translation.domain.frame.exact)
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
        if target.domain.family == translation.domain.family and self._is_current(translation.domain):
            self._remember(code, exit_, value, hi, target)

    def _is_current(self, domain: Domain) -> bool:
        """Its code has not been dropped meanwhile."""
        return self._domains.get(domain.key) is domain

    @staticmethod
    def _predict(code: CodeHost, exit_: Exit, value: int, hi: int, host: int) -> None:
        """Use one of the site's predictions for a target; what they can't hold is the table's."""
        used = len(exit_.targets)
        if not exit_.predictions and code.words[exit_.gate - CODE >> 2] != a64.NOP:
            code.patch(exit_.gate, [a64.NOP])
        if value in exit_.targets or used == len(exit_.predictions):
            return
        if not used and exit_.capability:
            exit_.hi = hi
            code.patch(exit_.hi_at, a64.mov_imm_full(code.words[exit_.hi_at - CODE >> 2] & 31, hi))
        at = exit_.predictions[used]
        branch = at + 4 * PREDICTED_BRANCH
        word = a64.retarget(code.words[branch - CODE >> 2], host - branch)
        if hi != exit_.hi or word is None or used + 1 == len(exit_.predictions):
            code.patch(exit_.gate, [a64.NOP])
        if hi != exit_.hi or word is None:
            return
        exit_.targets = (*exit_.targets, value)
        words = list(code.words[at - CODE >> 2 : (branch - CODE >> 2) + 1])
        words[:4] = a64.mov_imm_full(words[0] & 31, value)
        words[PREDICTED_BRANCH] = word
        code.patch(at, words)
