"""Numbers of the ELF format (gABI, aaelf64, aaelf64-morello) used by the parser, linker and loaders."""

from __future__ import annotations

from enum import IntEnum

ELF_MAGIC = b"\x7fELF"
ELFCLASS64, ELFDATA2LSB, EV_CURRENT = 2, 1, 1
EM_AARCH64 = 183
EF_AARCH64_CHERI_PURECAP = 0x10000

ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4

EHDR_SIZE, PHDR_SIZE, SHDR_SIZE = 64, 56, 64
SYM_SIZE, RELA_SIZE, DYN_SIZE = 24, 24, 16

MACHINE_NAMES = {
    2: "SPARC",
    3: "32-bit x86",
    8: "MIPS",
    20: "PowerPC",
    21: "64-bit PowerPC",
    22: "s390",
    40: "32-bit Arm",
    43: "64-bit SPARC",
    62: "x86-64",
    243: "RISC-V",
    247: "eBPF",
    258: "LoongArch",
}


class PT(IntEnum):
    """Segment types."""

    NULL = 0
    LOAD = 1
    DYNAMIC = 2
    INTERP = 3
    NOTE = 4
    PHDR = 6
    TLS = 7
    GNU_EH_FRAME = 0x6474E550
    GNU_STACK = 0x6474E551
    GNU_RELRO = 0x6474E552
    GNU_PROPERTY = 0x6474E553
    CHERI_TGOT = 0x64348451
    AARCH64_MEMTAG_CHERI = 0x70000003


PF_X, PF_W, PF_R = 1, 2, 4


class SHT(IntEnum):
    """Section types."""

    NULL = 0
    PROGBITS = 1
    SYMTAB = 2
    STRTAB = 3
    RELA = 4
    HASH = 5
    DYNAMIC = 6
    NOTE = 7
    NOBITS = 8
    REL = 9
    DYNSYM = 11
    INIT_ARRAY = 14
    FINI_ARRAY = 15
    PREINIT_ARRAY = 16
    GROUP = 17
    SYMTAB_SHNDX = 18
    RELR = 19
    LLVM_ADDRSIG = 0x6FFF4C03
    GNU_HASH = 0x6FFFFFF6
    GNU_VERDEF = 0x6FFFFFFD
    GNU_VERNEED = 0x6FFFFFFE
    GNU_VERSYM = 0x6FFFFFFF
    AARCH64_ATTRIBUTES = 0x70000003


SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
SHF_MERGE, SHF_STRINGS, SHF_INFO_LINK, SHF_LINK_ORDER = 0x10, 0x20, 0x40, 0x80
SHF_GROUP, SHF_TLS, SHF_COMPRESSED = 0x200, 0x400, 0x800
SHF_GNU_RETAIN, SHF_EXCLUDE = 0x200000, 0x80000000

SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF

GRP_COMDAT = 1

STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STB_GNU_UNIQUE = 10
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_COMMON, STT_TLS = 0, 1, 2, 3, 4, 5, 6
STT_GNU_IFUNC = 10
STV_DEFAULT, STV_INTERNAL, STV_HIDDEN, STV_PROTECTED = 0, 1, 2, 3

BINDING_NAMES = {STB_LOCAL: "local", STB_GLOBAL: "global", STB_WEAK: "weak", STB_GNU_UNIQUE: "unique"}
TYPE_NAMES = {
    STT_NOTYPE: "notype",
    STT_OBJECT: "object",
    STT_FUNC: "func",
    STT_SECTION: "section",
    STT_FILE: "file",
    STT_COMMON: "common",
    STT_TLS: "tls",
    STT_GNU_IFUNC: "ifunc",
}
VISIBILITY_NAMES = {
    STV_DEFAULT: "default",
    STV_INTERNAL: "internal",
    STV_HIDDEN: "hidden",
    STV_PROTECTED: "protected",
}


class DT(IntEnum):
    """Dynamic tags."""

    NULL = 0
    NEEDED = 1
    PLTRELSZ = 2
    PLTGOT = 3
    HASH = 4
    STRTAB = 5
    SYMTAB = 6
    RELA = 7
    RELASZ = 8
    RELAENT = 9
    STRSZ = 10
    SYMENT = 11
    INIT = 12
    FINI = 13
    SONAME = 14
    RPATH = 15
    SYMBOLIC = 16
    REL = 17
    RELSZ = 18
    RELENT = 19
    PLTREL = 20
    DEBUG = 21
    TEXTREL = 22
    JMPREL = 23
    BIND_NOW = 24
    INIT_ARRAY = 25
    FINI_ARRAY = 26
    INIT_ARRAYSZ = 27
    FINI_ARRAYSZ = 28
    RUNPATH = 29
    FLAGS = 30
    PREINIT_ARRAY = 32
    PREINIT_ARRAYSZ = 33
    RELRSZ = 35
    RELR = 36
    RELRENT = 37
    CHERI_TGOTREL = 0x64348450
    CHERI_TGOTRELT = 0x64348451
    CHERI_TGOTRELSZ = 0x64348453
    GNU_HASH = 0x6FFFFEF5
    VERSYM = 0x6FFFFFF0
    RELACOUNT = 0x6FFFFFF9
    FLAGS_1 = 0x6FFFFFFB
    VERDEF = 0x6FFFFFFC
    VERDEFNUM = 0x6FFFFFFD
    VERNEED = 0x6FFFFFFE
    VERNEEDNUM = 0x6FFFFFFF
    AARCH64_VARIANT_PCS = 0x70000005


DF_SYMBOLIC, DF_TEXTREL, DF_BIND_NOW, DF_STATIC_TLS = 2, 4, 8, 16
DF_1_NOW, DF_1_PIE = 1, 0x08000000

VER_NDX_LOCAL, VER_NDX_GLOBAL, VERSYM_HIDDEN = 0, 1, 0x8000


def sysv_hash(name: bytes) -> int:
    """The gABI hash of a symbol or version name."""
    h = 0
    for c in name:
        h = (h << 4) + c
        high = h & 0xF0000000
        h = (h ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return h


def gnu_hash(name: bytes) -> int:
    """The hash of DT_GNU_HASH."""
    h = 5381
    for c in name:
        h = (h * 33 + c) & 0xFFFFFFFF
    return h
