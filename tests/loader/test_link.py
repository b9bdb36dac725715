"""The static linker: what the output looks like for small hand-made objects."""

from __future__ import annotations

import struct

import pytest

from loader import elf_constants as ec
from loader import relocations as rel
from loader.elf import ElfImage
from loader.elf_constants import DT, PT, SHT
from loader.fragments import CapReloc, Fragment
from loader.link.archive import write_archive
from loader.link.errors import LinkError
from loader.link.linker import LinkResult, link_with_report
from loader.link.options import LinkInput, LinkOptions
from morello_isa.capability import CAP_MAX, representable_length, representable_mask
from tests.loader.builder import RO, RW, TLS, ObjectBuilder

R = rel.NUMBER_OF
NOP, RET, BL, ADRP_C0, LDR_C0_C0 = 0xD503201F, 0xC2C253C0, 0x94000000, 0x90800000, 0xC2400000


def run(*objects: ObjectBuilder | bytes, **options: object) -> LinkResult:
    inputs = [
        LinkInput(f"{chr(97 + i)}.o", o.build() if isinstance(o, ObjectBuilder) else o)
        for i, o in enumerate(objects)
    ]
    return link_with_report(LinkOptions(**options), inputs)  # type: ignore[arg-type]


def image_of(*objects: ObjectBuilder | bytes, **options: object) -> ElfImage:
    return ElfImage.from_bytes(run(*objects, **options).data, "out")


def failure(*objects: ObjectBuilder | bytes, **options: object) -> list[str]:
    with pytest.raises(LinkError) as info:
        run(*objects, **options)
    assert info.value.status == 1
    return info.value.diagnostics


def start(*words: int) -> ObjectBuilder:
    code = words or (RET,)
    return ObjectBuilder().text(*code).function("_start", size=4 * len(code))


def word_at(image: ElfImage, address: int) -> int:
    value: int = struct.unpack("<I", image.read_vaddr(address, 4))[0]
    return value


def branch_target(image: ElfImage, address: int) -> int:
    imm = word_at(image, address) & 0x3FFFFFF
    return address + 4 * (imm - (1 << 26) * (imm >> 25))


def adrp_target(image: ElfImage, address: int) -> int:
    word = word_at(image, address)
    pages = (word >> 5 & 0x3FFFF) << 2 | word >> 29 & 3
    return (address & ~0xFFF) + ((pages - (1 << 20) * (pages >> 19)) << 12)


def got_slot(image: ElfImage, address: int) -> int:
    """The slot that `adrp c0; ldr c0, [c0, #lo12]` at `address` loads."""
    return adrp_target(image, address) + (word_at(image, address + 4) >> 10 & 0xFFF) * 16


def cap_relocs(image: ElfImage) -> dict[int, CapReloc]:
    section = image.section("__cap_relocs")
    assert section is not None
    return {c.location: c for c in CapReloc.unpack_all(image.section_data(section))}


def address_of(image: ElfImage, name: str) -> int:
    symbol = image.find_symbol(name)
    assert symbol is not None, name
    return symbol.address


# --- static executables -------------------------------------------------------------------------------


def globals_object() -> ObjectBuilder:
    builder = start(ADRP_C0, LDR_C0_C0, ADRP_C0, LDR_C0_C0, ADRP_C0, LDR_C0_C0)
    for i, name in enumerate(("message", "counter", "_start")):
        builder.reloc(".text", 8 * i, R["R_MORELLO_ADR_GOT_PAGE"], name)
        builder.reloc(".text", 8 * i + 4, R["R_MORELLO_LD128_GOT_LO12_NC"], name)
    builder.section(".rodata", b"message\0", RO, 1).symbol("message", ".rodata", 0, 8)
    builder.section(".data", bytes(8), RW, 8).symbol("counter", ".data", 0, 8)
    return builder


def test_got_slots_get_one_cap_reloc_each() -> None:
    image = image_of(globals_object())
    code = address_of(image, "_start")
    records = cap_relocs(image)
    message, counter, function = (records[got_slot(image, code + 8 * i)] for i in range(3))
    assert (message.base, message.size, message.permissions) == (address_of(image, "message"), 8, 0x1BFBE)
    assert (counter.base, counter.size, counter.permissions) == (address_of(image, "counter"), 8, 0x8FBE)
    assert function.permissions == 0x8000000000013DBC
    assert function.base + function.offset == code | 1


def test_elf_static_caps_write_fragments_and_relative_records() -> None:
    builder = globals_object().undefined("__rela_dyn_start", weak=True).undefined("__rela_dyn_end", weak=True)
    image = image_of(builder, static_caps_elf=True)
    section = image.section(".rela.dyn")
    assert section is not None and image.section("__cap_relocs") is None
    assert section.addr == address_of(image, "__rela_dyn_start")
    assert section.addr + section.size == address_of(image, "__rela_dyn_end")
    slot = got_slot(image, address_of(image, "_start"))
    fragment = Fragment.unpack(image.read_vaddr(slot, 16))
    assert fragment == Fragment(address_of(image, "message"), 8, 1)


@pytest.mark.parametrize("options", [{}, {"pie": True}, {"shared": True}], ids=["static", "pie", "shared"])
def test_code_span_is_representable_and_covers_got_but_not_data(options: dict[str, object]) -> None:
    builder = globals_object()
    if options.get("shared"):
        for symbol in builder.symbols:
            symbol.visibility = ec.STV_HIDDEN
    result = run(builder, **options)
    image = ElfImage.from_bytes(result.data, "out")
    span = result.layout.code_span
    exact = CAP_MAX.set_value(span.base).set_bounds(span.length, exact=True)
    assert exact.tag
    got, data, text = (image.section(n) for n in (".got", ".data", ".text"))
    assert got is not None and data is not None and text is not None
    assert span.base <= text.addr and got.addr + got.size <= span.base + span.length
    assert data.addr >= span.base + span.length


def test_segments_do_not_mix_rights_and_the_whole_image_is_representable() -> None:
    image = image_of(globals_object(), pie=True)
    assert [s.flags for s in image.load_segments] == [4, 5, 6, 6]
    low, high = image.span()
    assert CAP_MAX.set_value(low).set_bounds(high - low, exact=True).tag
    for segment in image.load_segments:
        assert (segment.vaddr - segment.offset) % segment.align == 0
    relro = image.segment_of_type(PT.GNU_RELRO)
    got = image.section(".got")
    assert relro is not None and got is not None
    assert relro.vaddr <= got.addr and got.addr + got.size <= relro.vaddr + relro.memsz
    stack = image.segment_of_type(PT.GNU_STACK)
    assert stack is not None and stack.flags == 6


def test_c64_symbols_and_entry_have_bit_zero() -> None:
    image = image_of(start())
    symbol = image.find_symbol("_start")
    assert symbol is not None and symbol.value & 1 and image.entry == symbol.value
    assert image.header.flags == ec.EF_AARCH64_CHERI_PURECAP


def test_capinit_in_data_uses_symbol_size_addend_and_hint() -> None:
    builder = start()
    builder.section(".data.rel.ro", bytes(16) + struct.pack("<QQ", 0, 12) + bytes(16), RW, 16)
    builder.bss(size=64).symbol("array", ".bss", 16, 32).symbol("label", ".bss", 48, 0)
    builder.reloc(".data.rel.ro", 0, R["R_MORELLO_CAPINIT"], "array", 8)
    builder.reloc(".data.rel.ro", 16, R["R_MORELLO_CAPINIT"], "label")
    builder.reloc(".data.rel.ro", 32, R["R_MORELLO_CAPINIT"], "_start")
    image = image_of(builder)
    records = sorted(cap_relocs(image).values(), key=lambda c: c.location)
    array, label, function = records
    assert (array.base, array.offset, array.size) == (address_of(image, "array"), 8, 32)
    assert (label.base, label.size) == (address_of(image, "label"), 12)
    assert function.is_executable
    assert image.read_vaddr(label.location, 16) == bytes(16)


def test_const_objects_with_pointers_are_read_only() -> None:
    builder = start(ADRP_C0, LDR_C0_C0)
    builder.section(".data.rel.ro", bytes(16), RW, 16).symbol("table", ".data.rel.ro", 0, 16)
    builder.reloc(".text", 0, R["R_MORELLO_ADR_GOT_PAGE"], "table")
    builder.reloc(".text", 4, R["R_MORELLO_LD128_GOT_LO12_NC"], "table")
    (record,) = cap_relocs(image_of(builder)).values()
    assert record.permissions == 0x1BFBE


@pytest.mark.parametrize("size", [16384, 20001, 40000, 65521, 100003, 1_000_001])
def test_big_objects_get_exact_bounds(size: int) -> None:
    builder = start()
    builder.bss(".bss.pad", size=24, align=8).bss(".bss.big", size=size, align=16)
    builder.symbol("big", ".bss.big", 0, size)
    builder.section(".data", bytes(16), RW, 16).reloc(".data", 0, R["R_MORELLO_CAPINIT"], "big")
    result = run(builder)
    (record,) = cap_relocs(ElfImage.from_bytes(result.data, "out")).values()
    assert record.size == representable_length(size)
    assert record.base & ~representable_mask(size) & (1 << 64) - 1 == 0
    assert result.warnings == []


def test_big_object_that_can_not_be_padded_is_warned_about() -> None:
    builder = start().bss(size=40000, align=16).symbol("big", ".bss", 8, 33001)
    builder.section(".data", bytes(16), RW, 16).reloc(".data", 0, R["R_MORELLO_CAPINIT"], "big")
    (warning,) = run(builder).warnings
    assert "'big'" in warning and "exactly" in warning


def test_undefined_weak_is_null_and_calls_fall_through() -> None:
    builder = start(BL, ADRP_C0, LDR_C0_C0).undefined("maybe", weak=True)
    builder.reloc(".text", 0, R["R_MORELLO_CALL26"], "maybe")
    builder.reloc(".text", 4, R["R_MORELLO_ADR_GOT_PAGE"], "maybe")
    builder.reloc(".text", 8, R["R_MORELLO_LD128_GOT_LO12_NC"], "maybe")
    image = image_of(builder)
    code = address_of(image, "_start")
    assert branch_target(image, code) == code + 4
    assert image.section("__cap_relocs") is None
    assert image.read_vaddr(got_slot(image, code + 4), 16) == bytes(16)


def test_common_symbols_are_allocated_with_the_largest_size() -> None:
    builder = start().common("shared_buffer", 40, 16)
    image = image_of(builder, ObjectBuilder().common("shared_buffer", 100, 32))
    symbol = image.find_symbol("shared_buffer")
    assert symbol is not None and symbol.size == 100 and symbol.address % 32 == 0


def test_strong_definition_replaces_weak_and_common() -> None:
    weak = (
        start().section(".data", b"\1" * 16).symbol("x", ".data", 0, 4, binding=ec.STB_WEAK).common("y", 4, 4)
    )
    strong = (
        ObjectBuilder().section(".data", b"\2" * 16).symbol("x", ".data", 8, 4).symbol("y", ".data", 12, 4)
    )
    for order in ((weak, strong), (strong, weak)):
        image = image_of(*order)
        assert image.read_vaddr(address_of(image, "x"), 1) == b"\2"
        assert image.read_vaddr(address_of(image, "y"), 1) == b"\2"


def test_section_bounds_symbols() -> None:
    builder = (
        start().section("hooks", bytes(32), RW, 16).section(".init_array", bytes(16), RW, 16, SHT.INIT_ARRAY)
    )
    builder.reloc(".init_array", 0, R["R_MORELLO_CAPINIT"], "_start")
    names = ("__start_hooks", "__stop_hooks", "__init_array_start", "__init_array_end", "__fini_array_start",
             "__fini_array_end", "_end", "__bss_start", "_etext", "_edata", "__ehdr_start")  # fmt: skip
    for name in names:
        builder.undefined(name)
    image = image_of(builder)
    assert address_of(image, "__stop_hooks") - address_of(image, "__start_hooks") == 32
    assert address_of(image, "__init_array_end") - address_of(image, "__init_array_start") == 16
    assert address_of(image, "__fini_array_start") == address_of(image, "__fini_array_end")
    assert image.read_vaddr(address_of(image, "__ehdr_start"), 4) == b"\x7fELF"


def test_init_array_priorities() -> None:
    builder = start()
    for name, text in ((".init_array", b"C"), (".init_array.200", b"B"), (".init_array.00010", b"A")):
        builder.section(name, text * 16, RW, 16, SHT.INIT_ARRAY)
    image = image_of(builder)
    section = image.section(".init_array")
    assert section is not None and image.section_data(section) == b"A" * 16 + b"B" * 16 + b"C" * 16


def test_comdat_groups_are_linked_once() -> None:
    def part(byte: bytes) -> ObjectBuilder:
        builder = ObjectBuilder().section(".rodata.t", byte * 8, RO, 8)
        builder.symbol("t", ".rodata.t", 0, 8, binding=ec.STB_WEAK).comdat("t", ".rodata.t")
        return builder

    image = image_of(start(), part(b"1"), part(b"2"))
    section = image.section(".rodata")
    assert section is not None and image.section_data(section) == b"1" * 8


def test_same_input_gives_same_bytes() -> None:
    assert run(globals_object()).data == run(globals_object()).data


# --- veneers ------------------------------------------------------------------------------------------


def test_veneer_from_c64_to_a64_and_back() -> None:
    builder = start(BL, BL).reloc(".text", 0, R["R_MORELLO_CALL26"], "plain")
    builder.reloc(".text", 4, R["R_MORELLO_CALL26"], "cap")
    other = (
        ObjectBuilder().text(BL).function("plain", c64=False).reloc(".text", 0, R["R_AARCH64_CALL26"], "cap")
    )
    third = ObjectBuilder().text(RET).function("cap")
    image = image_of(builder, other, third)
    code, plain, cap = (address_of(image, n) for n in ("_start", "plain", "cap"))
    assert branch_target(image, code + 4) == cap
    to_a64 = branch_target(image, code)
    assert adrp_target(image, to_a64) + (word_at(image, to_a64 + 4) >> 10 & 0xFFF) == plain
    assert word_at(image, to_a64 + 8) == 0xC2C21200
    to_c64 = branch_target(image, plain)
    assert word_at(image, to_c64) == 0xC2C273E0
    assert adrp_target(image, to_c64 + 4) + (word_at(image, to_c64 + 8) >> 10 & 0xFFF) == cap | 1


def test_conditional_branch_can_not_change_state() -> None:
    builder = start(0x54000000).reloc(".text", 0, R["R_MORELLO_CONDBR19"], "plain")
    (text,) = failure(builder, ObjectBuilder().text(NOP).function("plain", c64=False))
    assert "a.o:(.text+0x0): R_MORELLO_CONDBR19 against 'plain'" in text


# --- TLS ----------------------------------------------------------------------------------------------


def tls_object() -> ObjectBuilder:
    builder = start(0xD2A00000, 0xF2800000, 0xD2800001, ADRP_C0, 0x02000000, ADRP_C0, 0xC2400001, 0x02000000)
    builder.section(".tdata", b"T" * 24, TLS, 8).bss(".tbss", 40, 8, TLS)
    builder.symbol("first", ".tdata", 8, 8, ec.STT_TLS).symbol("second", ".tbss", 16, 4, ec.STT_TLS)
    for offset, name, symbol in (
        (0, "R_AARCH64_TLSLE_MOVW_TPREL_G1", "first"),
        (4, "R_AARCH64_TLSLE_MOVW_TPREL_G0_NC", "first"),
        (8, "R_MORELLO_MOVW_SIZE_G0", "first"),
        (12, "R_MORELLO_TLSIE_ADR_GOTTPREL_PAGE20", "second"),
        (16, "R_MORELLO_TLSIE_ADD_LO12", "second"),
        (20, "R_MORELLO_TLSDESC_ADR_PAGE20", "second"),
        (24, "R_MORELLO_TLSDESC_LD128_LO12", "second"),
        (28, "R_AARCH64_TLSDESC_ADD_LO12", "second"),
    ):
        builder.reloc(".text", offset, R[name], symbol)
    return builder


def test_tls_offsets_in_a_static_executable() -> None:
    image = image_of(tls_object())
    tls = image.tls
    assert tls is not None and (tls.filesz, tls.memsz, tls.align) == (24, 64, 8)
    code = address_of(image, "_start")
    assert word_at(image, code + 4) >> 5 & 0xFFFF == 32 + 8
    assert word_at(image, code + 8) >> 5 & 0xFFFF == 8
    pair = adrp_target(image, code + 12) + (word_at(image, code + 16) >> 10 & 0xFFF)
    assert struct.unpack("<QQ", image.read_vaddr(pair, 16)) == (32 + 24 + 16, 4)
    descriptor = adrp_target(image, code + 20) + (word_at(image, code + 24) >> 10 & 0xFFF) * 16
    assert struct.unpack("<QQ", image.read_vaddr(descriptor + 16, 16)) == (32 + 24 + 16, 4)
    resolver = cap_relocs(image)[descriptor]
    assert word_at(image, resolver.base + resolver.offset & ~1) == 0xA9410400


def test_tls_in_a_shared_library() -> None:
    builder = tls_object()
    builder.sections[".text"].relocations = builder.sections[".text"].relocations[3:]
    image = image_of(builder, shared=True)
    kinds = {r.name: r for r in image.relocations}
    assert set(kinds) == {"R_MORELLO_TPREL128", "R_MORELLO_TLSDESC"}
    assert image.dynamic is not None and image.dynamic.get(DT.FLAGS) & ec.DF_STATIC_TLS
    local_exec = failure(tls_object(), shared=True)
    assert any("local-exec" in line for line in local_exec)


# --- dynamic outputs ----------------------------------------------------------------------------------


def library(**options: object) -> bytes:
    builder = (
        ObjectBuilder()
        .text(BL, RET)
        .function("api", size=8)
        .reloc(".text", 0, R["R_MORELLO_CALL26"], "extern_fn")
    )
    builder.section(".data", bytes(48), RW, 16).symbol("state", ".data", 0, 16)
    builder.symbol("private", ".data", 16, 16, visibility=ec.STV_HIDDEN)
    builder.reloc(".data", 0, R["R_MORELLO_CAPINIT"], "private").reloc(
        ".data", 32, R["R_MORELLO_CAPINIT"], "state"
    )
    return run(builder, shared=True, soname="libapi.so", **options).data


def test_shared_library_tables() -> None:
    image = ElfImage.from_bytes(library(), "libapi.so")
    assert {s.name: s.is_defined for s in image.dynamic_symbols[1:]} == {
        "api": True, "state": True, "extern_fn": False,
    }  # fmt: skip
    (jump,) = image.plt_relocations
    assert jump.name == "R_MORELLO_JUMP_SLOT" and image.dynamic_symbols[jump.symbol].name == "extern_fn"
    relative, capinit = image.dynamic_relocations
    assert relative.name == "R_MORELLO_RELATIVE" and capinit.name == "R_MORELLO_CAPINIT"
    private = image.find_symbol("private")
    assert private is not None
    assert Fragment.unpack(image.read_vaddr(relative.offset, 16)) == Fragment(private.address, 16, 2)
    plt, got = image.section(".plt"), image.section(".got.plt")
    assert plt is not None and got is not None and (plt.size, got.size) == (32 + 16, 16 * 4)
    assert jump.offset == got.addr + 48


def test_plt_code() -> None:
    image = ElfImage.from_bytes(library(), "libapi.so")
    plt, got = image.section(".plt"), image.section(".got.plt")
    assert plt is not None and got is not None
    entry = plt.addr + 32
    assert branch_target(image, address_of(image, "api")) == entry
    slot = adrp_target(image, entry) + (word_at(image, entry + 4) >> 10 & 0xFFF) * 16
    assert slot == got.addr + 48
    assert adrp_target(image, entry) + (word_at(image, entry + 8) >> 10 & 0xFFF) == slot
    assert word_at(image, entry + 12) == 0xC2C21220
    assert word_at(image, plt.addr) == 0x62BF7BF0
    assert Fragment.unpack(image.read_vaddr(slot, 16)).address == plt.addr | 1


def test_gnu_hash_finds_every_symbol() -> None:
    builder = ObjectBuilder()
    for i in range(120):
        builder.section(f".data.{i}", bytes(16), RW, 16).symbol(f"variable_{i}", f".data.{i}", 0, 16)
    builder.undefined("elsewhere").section(".data", bytes(16), RW, 16)
    builder.reloc(".data", 0, R["R_MORELLO_CAPINIT"], "elsewhere")
    image = image_of(builder, shared=True, hash_styles=("gnu", "sysv"))
    info = image.dynamic
    assert info is not None
    buckets, first, words, shift = struct.unpack("<4I", image.read_vaddr(info.get(DT.GNU_HASH), 16))
    bloom = struct.unpack(f"<{words}Q", image.read_vaddr(info.get(DT.GNU_HASH) + 16, 8 * words))
    table = info.get(DT.GNU_HASH) + 16 + 8 * words
    for index, symbol in enumerate(image.dynamic_symbols):
        if not symbol.is_defined or not symbol.name:
            continue
        value = ec.gnu_hash(symbol.name.encode())
        assert (
            bloom[value // 64 % words] >> value % 64 & bloom[value // 64 % words] >> (value >> shift) % 64 & 1
        )
        position = struct.unpack("<I", image.read_vaddr(table + 4 * (value % buckets), 4))[0]
        while position != index:
            chain = struct.unpack("<I", image.read_vaddr(table + 4 * (buckets + position - first), 4))[0]
            assert not chain & 1, symbol.name
            position += 1
    assert len(image.dynamic_symbols) == 122


def test_dynamic_executable() -> None:
    builder = start(BL, ADRP_C0, LDR_C0_C0).reloc(".text", 0, R["R_MORELLO_CALL26"], "api")
    builder.reloc(".text", 4, R["R_MORELLO_ADR_GOT_PAGE"], "state")
    builder.reloc(".text", 8, R["R_MORELLO_LD128_GOT_LO12_NC"], "state")
    builder.section(".data", bytes(16)).symbol("extern_fn", ".data", 0, 16)
    result = run(builder, library(), static=False, rpaths=["/purecap-lib"])
    image = ElfImage.from_bytes(result.data, "out")
    assert image.interp == "/lib/ld-linux-aarch64_purecap.so.1" and image.needed == ("libapi.so",)
    assert {r.name for r in image.relocations} == {"R_MORELLO_JUMP_SLOT", "R_MORELLO_GLOB_DAT"}
    exported = {s.name for s in image.dynamic_symbols if s.is_defined}
    assert exported == {"extern_fn"}, "what the library needs from the program, nothing else"


def test_symbolic_binding_and_visibility_remove_run_time_lookups() -> None:
    assert b"R" and {
        r.name for r in ElfImage.from_bytes(library(bsymbolic=True), "l").dynamic_relocations
    } == {"R_MORELLO_RELATIVE"}
    hidden = ElfImage.from_bytes(library(version_script="{ global: api; local: *; };"), "l")
    assert {s.name for s in hidden.dynamic_symbols if s.is_defined} == {"api"}


def test_as_needed_drops_unused_libraries() -> None:
    inputs = [LinkInput("a.o", start().build()), LinkInput("libapi.so", library(), as_needed=True)]
    data = link_with_report(LinkOptions(static=False), inputs).data
    assert ElfImage.from_bytes(data, "out").needed == ()


def test_text_relocations_are_refused() -> None:
    builder = (
        ObjectBuilder().section(".rodata", bytes(16), RO, 16).reloc(".rodata", 0, R["R_MORELLO_CAPINIT"], "x")
    )
    (text,) = failure(builder.symbol("x", ".rodata", 0, 16), shared=True)
    assert "writable" in text and "a.o:(.rodata+0x0)" in text


def test_ifunc_gets_an_iplt_and_irelative() -> None:
    builder = start(BL, RET).reloc(".text", 0, R["R_MORELLO_CALL26"], "chosen")
    builder.symbol("chosen", ".text", 5, 4, ec.STT_GNU_IFUNC)
    image = image_of(builder)
    section = image.section(".rela.iplt")
    plt = image.section(".iplt")
    assert section is not None and plt is not None
    place, info, addend = struct.unpack("<QQq", image.section_data(section))
    fragment = Fragment.unpack(image.read_vaddr(place, 16))
    assert info == R["R_MORELLO_IRELATIVE"] and fragment.permission == 4
    assert fragment.address + addend == address_of(image, "chosen") | 1
    assert branch_target(image, address_of(image, "_start")) == plt.addr


# --- archives, garbage, wrong input -------------------------------------------------------------------


def test_archive_members_are_pulled_as_needed() -> None:
    one = ObjectBuilder().text(BL).function("one").reloc(".text", 0, R["R_MORELLO_CALL26"], "two").build()
    two = ObjectBuilder().text(RET).function("two").build()
    unused = ObjectBuilder().text(RET).function("unused").build()
    archive = write_archive([("two.o", two), ("unused.o", unused), ("one.o", one)])
    image = image_of(start(BL).reloc(".text", 0, R["R_MORELLO_CALL26"], "one"), archive)
    assert image.find_symbol("two") is not None and image.find_symbol("unused") is None
    whole = [LinkInput("a.o", start().build()), LinkInput("l.a", archive, whole_archive=True)]
    full = ElfImage.from_bytes(link_with_report(LinkOptions(), whole).data, "out")
    assert full.find_symbol("unused") is not None


def test_garbage_collection_keeps_only_what_is_reached() -> None:
    builder = start(ADRP_C0, LDR_C0_C0)
    for name in ("used", "dropped", "deep"):
        builder.section(f".data.{name}", bytes(16), RW, 16).symbol(name, f".data.{name}", 0, 16)
    builder.reloc(".text", 0, R["R_MORELLO_ADR_GOT_PAGE"], "used")
    builder.reloc(".text", 4, R["R_MORELLO_LD128_GOT_LO12_NC"], "used")
    builder.reloc(".data.used", 0, R["R_MORELLO_CAPINIT"], "deep")
    builder.section("hooks", bytes(16), RW, 16).section(".init_array", bytes(16), RW, 16, SHT.INIT_ARRAY)
    builder.section(".debug_info", bytes(8), 0, 1).reloc(".debug_info", 0, R["R_AARCH64_ABS64"], "dropped")
    image = image_of(builder, gc_sections=True)
    kept = {s.name for s in image.symbols}
    assert {"used", "deep"} <= kept and "dropped" not in kept
    assert image.section("hooks") is None and image.section(".init_array") is not None
    debug = image.section(".debug_info")
    assert debug is not None and image.section_data(debug) == bytes(8)


def test_diagnostics_name_symbol_section_and_offset() -> None:
    builder = start(NOP, BL).reloc(".text", 4, R["R_MORELLO_CALL26"], "missing")
    assert failure(builder) == ["undefined symbol 'missing', referenced by a.o:(.text+0x4) in _start"]
    unknown = start(NOP, NOP).reloc(".text", 4, 4242, "_start")
    assert failure(unknown) == [
        "a.o:(.text+0x4): unknown relocation type 4242 against '_start' is not a static relocation"
    ]
    assert failure(start(), start()) == ["duplicate symbol '_start': defined in a.o and in b.o"]
    assert failure(ObjectBuilder().text(NOP)) == ["no entry point: '_start' is not defined"]
    far = (
        start(BL)
        .reloc(".text", 0, R["R_MORELLO_CALL26"], "away")
        .symbol("away", value=1 << 40, shndx=ec.SHN_ABS)
    )
    (text,) = failure(far)
    assert "R_MORELLO_CALL26 against 'away'" in text and "outside" in text


def test_abis_do_not_mix() -> None:
    plain = ObjectBuilder(purecap=False).text(NOP).function("f", c64=False)
    assert failure(start(), plain) == ["b.o is not purecap, a.o is; they can't be linked together"]


def test_indirect_tls_is_named() -> None:
    builder = start(NOP).symbol("v", ".tdata", 0, 8, ec.STT_TLS).section(".tdata", bytes(8), TLS, 8)
    (text,) = failure(builder.reloc(".text", 0, 57624, "v"))
    assert "R_MORELLO_TGOT_TLSDESC_ADR_PAGE20" in text and "thread-GOT" in text


def test_foreign_and_broken_inputs() -> None:
    with pytest.raises(Exception, match=r"a\.o is for x86-64"):
        run(ObjectBuilder(machine=62).text(NOP))
    with pytest.raises(Exception, match=r"a\.o is not an ELF file"):
        run(b"int main;")


def test_plain_aarch64_objects_link_statically() -> None:
    builder = ObjectBuilder(purecap=False).text(0x90000000, 0xF9400000).function("_start", size=8, c64=False)
    builder.section(".data", bytes(8), RW, 8).symbol("x", ".data", 0, 8)
    builder.reloc(".text", 0, R["R_AARCH64_ADR_GOT_PAGE"], "x").reloc(
        ".text", 4, R["R_AARCH64_LD64_GOT_LO12_NC"], "x"
    )
    image = image_of(builder)
    assert not image.is_purecap and not image.entry & 1
    got = image.section(".got")
    assert got is not None
    assert struct.unpack("<Q", image.read_vaddr(got.addr, 8))[0] == address_of(image, "x")


def test_debug_sections_are_relocated() -> None:
    builder = start(NOP, RET).section(".debug_info", bytes(16), 0, 1)
    builder.reloc(".debug_info", 0, R["R_AARCH64_ABS64"], "_start").reloc(
        ".debug_info", 8, R["R_AARCH64_ABS32"], ".debug_str", 5
    )
    builder.section(".debug_str", b"hello world\0", 0, 1)
    image = image_of(builder)
    section = image.section(".debug_info")
    assert section is not None
    assert struct.unpack("<QI", image.section_data(section)[:12]) == (address_of(image, "_start"), 5)
    assert image_of(builder, strip="all").symbols == ()
