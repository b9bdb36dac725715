"""The host-side dynamic linker and relocation patching, on images made by our own linker."""

from __future__ import annotations

import re
import struct

import pytest

from loader import elf_constants as ec
from loader import relocations as rel
from loader.capabilities import format_capability
from loader.compartment import (
    EXEMPT,
    NO_CAPABILITY,
    Patcher,
    PatchTarget,
    dump_program_headers,
    dump_relocations,
)
from loader.dl_service import RTLD_GLOBAL, DlError, DlService
from loader.dynamic import DynamicLinker
from loader.elf import ElfImage
from loader.elf_constants import SHT
from loader.library_path import LibraryPath, host_files
from loader.link.linker import link
from loader.link.options import LinkInput, LinkOptions
from loader.loaded import LoadedObject
from loader.runtime_code import SERVICE_NUMBERS
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.errors import UserError
from morello_isa.permissions import ObjectType, Perm
from tests.loader.builder import RO, RW, TLS, ObjectBuilder
from tests.loader.fake_memory import ROOTS, FakeCalls, FakeMemory, user_root

R = rel.NUMBER_OF
BL, RET = 0x94000000, 0xC2C253C0


def shared(builder: ObjectBuilder, soname: str, *needs: tuple[str, bytes], **options: object) -> bytes:
    inputs = [LinkInput(soname + ".o", builder.build()), *(LinkInput(n, d) for n, d in needs)]
    return link(LinkOptions(shared=True, soname=soname, **options), inputs)  # type: ignore[arg-type]


def leaf_library() -> bytes:
    builder = ObjectBuilder().text(RET, RET, RET).function("leaf", size=4)
    builder.function("leaf_init", value=4, size=4).function("leaf_fini", value=8, size=4)
    builder.section(".data", b"D" * 32, RW, 16).symbol("leaf_data", ".data", 0, 24)
    builder.section(".rodata", b"constant", RO, 8).symbol("leaf_const", ".rodata", 0, 8)
    builder.section(".init_array", bytes(16), RW, 16, SHT.INIT_ARRAY)
    builder.reloc(".init_array", 0, R["R_MORELLO_CAPINIT"], "leaf_init")
    builder.section(".fini_array", bytes(16), RW, 16, SHT.FINI_ARRAY)
    builder.reloc(".fini_array", 0, R["R_MORELLO_CAPINIT"], "leaf_fini")
    builder.section(".tdata", b"tls!" * 4, TLS, 8).symbol("leaf_tls", ".tdata", 8, 8, ec.STT_TLS)
    return shared(builder, "libleaf.so")


def middle_library(leaf: bytes) -> bytes:
    builder = (
        ObjectBuilder().text(BL, RET, RET).function("middle", size=8).function("middle_init", value=8, size=4)
    )
    builder.reloc(".text", 0, R["R_MORELLO_CALL26"], "leaf")
    builder.section(".data", bytes(112), RW, 16).symbol("table", ".data", 0, 112)
    for i, (name, addend) in enumerate(
        [("leaf_data", 4), ("leaf_const", 0), ("leaf", 0), ("middle", 0), ("table", 16), ("absent", 0)]
    ):
        builder.reloc(".data", 16 * i, R["R_MORELLO_CAPINIT"], name, addend)
    builder.reloc(".data", 96, R["R_AARCH64_ABS64"], "table", 8)
    builder.undefined("absent", weak=True)
    builder.section(".init_array", bytes(16), RW, 16, SHT.INIT_ARRAY)
    builder.reloc(".init_array", 0, R["R_MORELLO_CAPINIT"], "middle_init")
    builder.bss(".tbss", 64, 32, TLS).symbol("middle_tls", ".tbss", 16, 12, ec.STT_TLS)
    words = (0x90800000, 0xC2400001, 0x02000000, 0x90800000, 0x02000000)
    builder.text(*words, name=".text.tls")
    for offset, kind, name in (
        (0, "R_MORELLO_TLSDESC_ADR_PAGE20", "leaf_tls"),
        (4, "R_MORELLO_TLSDESC_LD128_LO12", "leaf_tls"),
        (8, "R_AARCH64_TLSDESC_ADD_LO12", "leaf_tls"),
        (12, "R_MORELLO_TLSIE_ADR_GOTTPREL_PAGE20", "middle_tls"),
        (16, "R_MORELLO_TLSIE_ADD_LO12", "middle_tls"),
    ):
        builder.reloc(".text.tls", offset, R[kind], name)
    return shared(builder, "libmiddle.so", ("libleaf.so", leaf))


LEAF = leaf_library()
MIDDLE = middle_library(LEAF)
FILES = {"/purecap-lib/libleaf.so": LEAF, "/purecap-lib/libmiddle.so": MIDDLE}


def program(**options: object) -> ElfImage:
    builder = ObjectBuilder().text(BL, RET).function("_start", size=8)
    builder.reloc(".text", 0, R["R_MORELLO_CALL26"], "middle").section(".data", bytes(16), RW, 16)
    settings = {"static": False, "pie": True, **options}
    inputs = [LinkInput("main.o", builder.build()), LinkInput("libmiddle.so", MIDDLE)]
    return ElfImage.from_bytes(link(LinkOptions(**settings), inputs), "app")  # type: ignore[arg-type]


class World:
    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.memory = FakeMemory()
        self.calls = FakeCalls()
        found = FILES if files is None else files
        self.linker = DynamicLinker(self.memory, ROOTS, LibraryPath(found.get), self.calls)

    def start(self, image: ElfImage | None = None) -> LoadedObject:
        return self.linker.load_program(image or program(), "/bin/app")

    def slot(self, item: LoadedObject, section: str, offset: int = 0) -> Capability:
        found = item.image.section(section)
        assert found is not None
        return self.memory.read_capability(found.addr + offset + item.bias)

    def object(self, name: str) -> LoadedObject:
        item = self.linker.base.find(name)
        assert item is not None
        return item


def address(item: LoadedObject, name: str) -> int:
    symbol = item.image.find_symbol(name)
    assert symbol is not None
    return symbol.value + item.bias


def test_dependencies_are_loaded_once_and_breadth_first() -> None:
    world = World()
    world.start()
    assert [o.name for o in world.linker.base.objects] == ["app", "libmiddle.so", "libleaf.so"]
    bases = [o.bias for o in world.linker.base.objects]
    assert len(set(bases)) == 3 and all(b % 0x10000 == 0 for b in bases)


def test_capabilities_have_the_symbols_bounds_and_rights() -> None:
    world = World()
    world.start()
    middle, leaf = world.object("libmiddle.so"), world.object("libleaf.so")
    data, const, function, own, table, absent = (world.slot(middle, ".data", 16 * i) for i in range(6))
    assert (data.base, data.length, data.value) == (
        address(leaf, "leaf_data"),
        24,
        address(leaf, "leaf_data") + 4,
    )
    assert data.has(Perm.STORE | Perm.LOAD) and not data.has(Perm.EXECUTIVE)
    assert (const.length, const.has(Perm.STORE), const.has(Perm.LOAD)) == (8, False, True)
    assert function.value == address(leaf, "leaf") and function.value & 1
    assert function.otype == ObjectType.RB and not function.has(Perm.STORE)
    assert leaf.code_bounds == (function.base, function.length)
    assert own.value == address(middle, "middle") and own.otype == ObjectType.RB
    assert (table.base, table.length, table.offset) == (address(middle, "table"), 112, 16)
    assert absent == CAP_NULL
    number = struct.unpack("<Q", world.memory.read(address(middle, "table") + 96, 8))[0]
    assert number == address(middle, "table") + 8
    assert all(c.tag for c in (data, const, function, own, table))


def test_plt_slots_are_bound_eagerly() -> None:
    world = World()
    app = world.start()
    slot = world.slot(app, ".got.plt", 48)
    assert slot.value == address(world.object("libmiddle.so"), "middle") and slot.otype == ObjectType.RB


def test_tls_blocks_and_descriptors() -> None:
    world = World()
    world.start()
    middle, leaf = world.object("libmiddle.so"), world.object("libleaf.so")
    assert middle.tls is not None and leaf.tls is not None
    assert middle.tls.offset == 32 and middle.tls.offset % 32 == 0
    assert leaf.tls.offset == 32 + 64
    got = middle.image.section(".got")
    assert got is not None
    kinds = {r.name: r.offset + middle.bias for r in middle.image.dynamic_relocations}
    descriptor = kinds["R_MORELLO_TLSDESC"]
    resolver = world.memory.read_capability(descriptor)
    assert resolver.tag and resolver.otype == ObjectType.RB
    assert world.memory.read(resolver.value & ~1, 4) == struct.pack("<I", 0xA9410400)
    assert struct.unpack("<QQ", world.memory.read(descriptor + 16, 16)) == (leaf.tls.offset + 8, 8)
    pair = struct.unpack("<QQ", world.memory.read(kinds["R_MORELLO_TPREL128"], 16))
    assert pair == (middle.tls.offset + 16, 12)


def test_threads_get_templates_also_of_late_libraries() -> None:
    world = World()
    world.linker.library_path = LibraryPath(FILES.get)
    world.linker.load_program(ElfImage.from_bytes(LEAF, "leaf"), "/x/libleaf.so")
    size = world.linker.tls.block_size()
    block = world.memory.reserve(0x10000, 0x1000, None)
    world.memory.map(block, 0x10000, 6)
    world.linker.tls.start_thread(block, world.memory)
    assert world.memory.read(block + 32, 16) == b"tls!" * 4
    world.memory.write(block + 32 + 16, b"x" * 256)
    world.linker.open("libmiddle.so", world.linker.base, None, False)
    late = world.object("libmiddle.so").tls
    assert late is not None and late.offset + late.size <= size
    assert world.memory.read(block + late.offset, 64) == bytes(64)


def test_constructors_run_dependencies_first_and_once() -> None:
    world = World()
    app = world.start()
    leaf, middle = world.object("libleaf.so"), world.object("libmiddle.so")
    order = [c.value for c in world.linker.constructors(app)]
    assert order == [address(leaf, "leaf_init"), address(middle, "middle_init")]
    assert world.linker.constructors(app) == []
    assert [c.value for c in world.linker.destructors()] == [address(leaf, "leaf_fini")]


def test_relro_becomes_read_only() -> None:
    world = World()
    world.start()
    middle = world.object("libmiddle.so")
    for name, writable in ((".got", False), (".data", True)):
        section = middle.image.section(name)
        assert section is not None
        page = (section.addr + middle.bias) & -0x1000
        assert bool(world.memory.flags[page] & ec.PF_W) is (writable or (section.addr & 0xFFF) == 0)


def test_missing_library_is_named_with_its_user() -> None:
    with pytest.raises(UserError) as info:
        World({"/purecap-lib/libmiddle.so": MIDDLE}).start()
    places = "/purecap-lib, --library-path or the program's RPATH"
    expected = f"/purecap-lib/libmiddle.so needs libleaf.so, not found in {places}"
    assert (info.value.message, info.value.status) == (expected, 127)


def test_undefined_symbol_is_named() -> None:
    other = shared(ObjectBuilder().text(RET).function("something_else"), "libleaf.so")
    with pytest.raises(UserError) as info:
        World({**FILES, "/purecap-lib/libleaf.so": other}).start()
    assert info.value.status == 127
    assert "/purecap-lib/libmiddle.so needs symbol 'leaf" in info.value.message


def test_search_order_and_origin() -> None:
    files = {"/opt/app/lib/libleaf.so": LEAF, "/purecap-lib/libleaf.so": b"", "/env/libleaf.so": LEAF}
    path = LibraryPath(files.get, environment=["/env"])
    assert path.find("libleaf.so", None, None, "/") == ("/env/libleaf.so", LEAF)
    found = LibraryPath(files.get).find("libleaf.so", None, "$ORIGIN/../lib", "/opt/app/bin")
    assert found == ("/opt/app/lib/libleaf.so", LEAF)
    assert path.find("libleaf.so", "/opt/app/lib", None, "/") == ("/opt/app/lib/libleaf.so", LEAF)
    assert path.find("./libnone.so", None, None, "/") is None


def test_host_files_stay_below_the_root(tmp_path) -> None:
    root = tmp_path / "root"
    (root / "lib").mkdir(parents=True)
    (root / "lib" / "a.so").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (root / "lib" / "link.so").symlink_to(tmp_path / "secret")
    read = host_files(root)
    assert read("/lib/a.so") == b"inside"
    assert read("/lib/../../secret") is None and read("/lib/link.so") is None and read("/lib") is None


def test_namespaces_are_separate() -> None:
    world = World()
    world.start()
    namespace = world.linker.new_namespace()
    copy = world.linker.open("libleaf.so", namespace, None, True)
    assert copy is not world.object("libleaf.so")
    assert copy.bias != world.object("libleaf.so").bias


def test_ifunc_resolvers_are_called() -> None:
    builder = ObjectBuilder().text(RET, RET).symbol("pick", ".text", 1, 4, ec.STT_GNU_IFUNC)
    builder.section(".data", bytes(16), RW, 16).symbol("use", ".data", 0, 16).reloc(
        ".data", 0, R["R_MORELLO_CAPINIT"], "pick"
    )
    world = World(
        {"/purecap-lib/libi.so": shared(builder, "libi.so", version_script="{global: use; local: *;};")}
    )
    chosen = user_root().set_value(0x1234)
    text = ElfImage.from_bytes(world.linker.library_path.read("/purecap-lib/libi.so") or b"", "i").section(
        ".text"
    )
    assert text is not None
    world.calls.results[0x4000_0000 + text.addr + 1] = chosen
    item = world.linker.open("libi.so", world.linker.base, None, True)
    assert world.calls.called == [address(item, "pick")]
    assert world.slot(item, ".data") == chosen


def test_local_libraries_see_what_they_were_loaded_with_and_nothing_else() -> None:
    """`back` needs a symbol of `front`, which pulled it in; a stranger does not see either."""
    call = (
        ObjectBuilder()
        .text(BL, RET)
        .function("back", size=8)
        .reloc(".text", 0, R["R_MORELLO_CALL26"], "front_fn")
    )
    back = shared(call, "libback.so")
    front = (
        ObjectBuilder()
        .text(BL, RET)
        .function("front_fn", size=8)
        .reloc(".text", 0, R["R_MORELLO_CALL26"], "back")
    )
    stranger = (
        ObjectBuilder().text(BL, RET).function("s", size=8).reloc(".text", 0, R["R_MORELLO_CALL26"], "back")
    )
    files = {
        "/purecap-lib/libback.so": back,
        "/purecap-lib/libfront.so": shared(front, "libfront.so", ("libback.so", back)),
        "/purecap-lib/libstranger.so": shared(stranger, "libstranger.so"),
    }
    world = World(files)
    base = world.linker.base
    world.linker.open("libfront.so", base, None, False)
    slot = world.slot(world.object("libback.so"), ".got.plt", 48)
    assert slot.value == address(world.object("libfront.so"), "front_fn")
    with pytest.raises(UserError, match="needs symbol 'back'"):
        world.linker.open("libstranger.so", base, None, False)
    world.linker.open("libfront.so", base, None, True)
    world.linker.open("libstranger.so", base, None, False)


def test_failed_dlopen_leaves_nothing_behind() -> None:
    world = World({"/purecap-lib/libmiddle.so": MIDDLE})
    with pytest.raises(UserError):
        world.linker.open("libmiddle.so", world.linker.base, None, True)
    assert world.linker.base.objects == [] and world.linker.base.global_scope == []
    assert world.memory.released


# --- dl services --------------------------------------------------------------------------------------


def test_dlopen_dlsym_dladdr_dlclose() -> None:
    world = World()
    service = DlService(world.linker)
    handle = service.dlopen("libmiddle.so", RTLD_GLOBAL, 0)
    leaf = world.object("libleaf.so")
    assert world.calls.called == [
        address(leaf, "leaf_init"),
        address(world.object("libmiddle.so"), "middle_init"),
    ]
    function = service.dlsym(handle, "leaf")
    assert function.value == address(leaf, "leaf") and function.otype == ObjectType.RB
    found = service.dladdr(function.value)
    assert found is not None and found[0] is leaf and found[1] is not None and found[1].symbol.name == "leaf"
    with pytest.raises(DlError, match="undefined symbol: nothing"):
        service.dlsym(handle, "nothing")
    assert service.dlopen("libmiddle.so", 0, 0) != handle
    service.dlclose(handle)
    with pytest.raises(DlError, match="not a handle"):
        service.dlclose(handle)


def test_guest_calls_report_errors_through_dlerror() -> None:
    world = World()
    world.start()
    service = DlService(world.linker)
    page = world.memory.reserve(0x1000, 0x1000, None)
    world.memory.map(page, 0x1000, 6)
    world.memory.write(page, b"libnowhere.so\0leaf\0")
    pointer = user_root().set_value(page).set_bounds(64, exact=True)
    failed = service.handle(SERVICE_NUMBERS["dlopen"], [pointer, CAP_NULL, CAP_NULL], 0)
    assert failed == CAP_NULL
    text = service.handle(SERVICE_NUMBERS["dlerror"], [CAP_NULL] * 3, 0)
    assert text.tag and not text.has(Perm.STORE)
    assert world.memory.read(text.value, text.length).startswith(b"libnowhere.so, not found")
    assert service.handle(SERVICE_NUMBERS["dlerror"], [CAP_NULL] * 3, 0) == CAP_NULL
    found = service.handle(SERVICE_NUMBERS["dlsym"], [CAP_NULL, pointer.add(14), CAP_NULL], 0)
    assert found.value == address(world.object("libleaf.so"), "leaf")
    unterminated = user_root().set_value(page).set_bounds(4, exact=True)
    assert service.handle(SERVICE_NUMBERS["dlopen"], [unterminated, CAP_NULL, CAP_NULL], 0) == CAP_NULL
    wild = user_root().set_value(0x10_0000).set_bounds(4, exact=True)
    assert service.handle(SERVICE_NUMBERS["dlsym"], [CAP_NULL, wild, CAP_NULL], 0) == CAP_NULL
    info = user_root().set_value(page + 256).set_bounds(64, exact=True)
    assert service.handle(SERVICE_NUMBERS["dladdr"], [found, info, CAP_NULL], 0).value == 1
    name = world.memory.read_capability(page + 256 + 32)
    assert world.memory.read(name.value, 5) == b"leaf\0"


def test_dl_functions_are_offered_to_programs_that_need_them() -> None:
    builder = (
        ObjectBuilder()
        .text(BL, RET)
        .function("_start", size=8)
        .reloc(".text", 0, R["R_MORELLO_CALL26"], "dlopen")
    )
    library = shared(builder, "libuser.so")
    world = World({"/purecap-lib/libuser.so": library})
    item = world.linker.open("libuser.so", world.linker.base, None, True)
    stub = world.slot(item, ".got.plt", 48)
    words = struct.unpack("<3I", world.memory.read(stub.value & ~1, 12))
    assert words == (0xD2800008 | SERVICE_NUMBERS["dlopen"] << 5, 0xD4000001, RET)


# --- relocation patching ------------------------------------------------------------------------------


def patched_world() -> tuple[World, list[PatchTarget]]:
    world = World()
    world.linker.open("libmiddle.so", world.linker.base, None, True)
    targets = [PatchTarget(o.image, o.path, o.bias) for o in world.linker.base.objects]
    return world, targets


def test_patching_removes_executive_and_keeps_the_rest() -> None:
    world, targets = patched_world()
    report = Patcher(world.memory, user_root()).patch(targets)
    assert report.patched
    for patch in report.patched:
        new = world.memory.read_capability(patch.address)
        assert new == patch.new and new.tag
        assert not new.has(Perm.EXECUTIVE)
        assert new.value == patch.old.value and new.otype == patch.old.otype
        assert patch.old.base <= new.base and new.limit <= patch.old.limit
        assert new.permissions == patch.old.permissions & ~Perm.EXECUTIVE
    executive_left = [
        p for p in report.skipped if world.memory.read_capability(p.address).has(Perm.EXECUTIVE)
    ]
    assert {p.reason for p in executive_left} == {EXEMPT}


def test_constructor_slots_are_exempt_and_null_slots_skipped() -> None:
    world, targets = patched_world()
    report = Patcher(world.memory, user_root()).patch(targets)
    reasons = report.reasons()
    assert reasons[EXEMPT] == 3, "two constructors and one destructor"
    assert reasons[NO_CAPABILITY] == 1, "the undefined weak symbol"
    leaf = world.object("libleaf.so")
    assert world.slot(leaf, ".init_array").has(Perm.EXECUTIVE)
    assert {p.type_name for p in report.patched} >= {
        "R_MORELLO_CAPINIT",
        "R_MORELLO_JUMP_SLOT",
        "R_MORELLO_TLSDESC",
    }
    assert report.summary().startswith(f"{len(report.patched)} slots made Restricted, 4 skipped (")


def test_patching_twice_changes_nothing_and_can_be_undone() -> None:
    world, targets = patched_world()
    first = Patcher(world.memory, user_root()).patch(targets)
    second = Patcher(world.memory, user_root()).patch(targets)
    assert [p.new for p in second.patched] == [p.new for p in first.patched]
    undone = Patcher(world.memory, user_root(), make_executive=True).patch(targets)
    for before, after in zip(first.patched, undone.patched, strict=True):
        if before.old.has(Perm.EXECUTE):
            assert after.new == before.old


def test_system_permission_can_be_dropped_too() -> None:
    world, targets = patched_world()
    report = Patcher(world.memory, user_root(), dropped=Perm.SYSTEM).patch(targets)
    assert all(not p.new.has(Perm.SYSTEM) and not p.new.has(Perm.EXECUTIVE) for p in report.patched)


def test_code_bounds_are_tightened_to_the_object() -> None:
    world, targets = patched_world()
    middle = world.object("libmiddle.so")
    slot = address(middle, "table") + 48
    wide = user_root().set_value(address(middle, "middle")).with_object_type(ObjectType.RB)
    world.memory.write_capability(slot, wide)
    Patcher(world.memory, user_root()).patch(targets)
    new = world.memory.read_capability(slot)
    assert new.tag and middle.start <= new.base and new.limit <= middle.end + 0x1000


def test_small_root_makes_no_untagged_slots() -> None:
    world, targets = patched_world()
    before = {p: world.memory.read_capability(p) for p in world.memory.tags}
    small = user_root().set_value(0x1000).set_bounds(0x1000, exact=True)
    report = Patcher(world.memory, small).patch(targets)
    assert report.patched == []
    assert all(world.memory.read_capability(p) == c for p, c in before.items())


def test_dump_shows_headers_tables_and_patches() -> None:
    world, targets = patched_world()
    headers = dump_program_headers(targets, user_root())
    assert headers[0] == "Dump libs phdrs:"
    assert headers[1].startswith("/purecap-lib/libmiddle.so: base 0x40000000 [rwxRWE,0x40000000-0x4003")
    assert sum("Type: LOAD" in line for line in headers) == 8
    tables = dump_relocations(targets, world.memory)
    assert tables[0] == "Dump reloc tables:" and ".rel(a).plt [" in tables and ".rela.dyn [" in tables
    assert any("type: R_MORELLO_JUMP_SLOT" in line and "(sentry)" in line for line in tables)
    assert any("type: (not patched)" in line for line in tables), "TPREL128 is no capability"
    lines = Patcher(world.memory, user_root()).patch(targets).lines()
    assert any(": -> 0x" in line for line in lines) and any("skipped, " + EXEMPT in line for line in lines)


def test_dump_of_the_slots_as_they_were() -> None:
    world, targets = patched_world()
    before = dump_relocations(targets, world.memory)
    report = Patcher(world.memory, user_root()).patch(targets)
    assert dump_relocations(targets, world.memory) != before
    assert dump_relocations(targets, report.before()) == before


def test_format_capability() -> None:
    assert format_capability(CAP_NULL) == "0x0"
    sentry = user_root().set_value(0x1000).set_bounds(16, exact=True).with_object_type(ObjectType.RB)
    assert format_capability(sentry) == "0x1000 [rwxRWE,0x1000-0x1010] (sentry)"
    assert format_capability(sentry.with_tag(False)).endswith("(invalid,sentry)")


def test_dump_of_one_library_word_by_word() -> None:
    world = World()
    leaf = world.linker.open("libleaf.so", world.linker.base, None, True)
    lines = dump_relocations([PatchTarget(leaf.image, leaf.path, leaf.bias)], world.memory)
    assert lines[:3] == ["Dump reloc tables:", "/purecap-lib/libleaf.so:", ".rela.dyn ["] and lines[-1] == "]"
    pattern = r"  r_offset: 0x\w+, slot: 0x400\w+ = 0x400\w+ \[rxRE,0x40000000-0x4003\w+\] \(sentry\), "
    pattern += r"r_info: 0x\w+, type: R_MORELLO_(CAPINIT|RELATIVE), r_addend: 0x\w+"
    assert len(lines) == 6
    assert all(re.fullmatch(pattern, line) for line in lines[3:5]), lines
