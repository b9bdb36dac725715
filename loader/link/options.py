"""What a link is asked to do, independent of how the command line spells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class LinkOptions:
    """Options of one link; addresses and sizes in bytes. The defaults make a static executable."""

    shared: bool = False
    pie: bool = False
    static: bool = True
    """No shared libraries and no interpreter (`-static`); ignored for `shared`."""
    entry: str | None = None
    soname: str | None = None
    interpreter: str = "/lib/ld-linux-aarch64_purecap.so.1"
    rpaths: list[str] = field(default_factory=list)
    library_paths: list[Path] = field(default_factory=list)
    bind_now: bool = False
    bsymbolic: bool = False
    export_dynamic: bool = False
    no_undefined: bool = False
    gc_sections: bool = False
    static_caps_elf: bool = False
    """Static executables use RELATIVE records between `__rela_dyn_start/end`, not `__cap_relocs`."""
    image_base: int | None = None
    section_addresses: dict[str, int] = field(default_factory=dict)
    """`-Ttext=…`, `--section-start=…`."""
    script: str | None = None
    script_name: str = "linker script"
    board: bool = False
    """Bare metal: no headers in memory, no RELRO, no build id, compact segments."""
    max_page_size: int = 0x10000
    stack_size: int = 0
    definitions: dict[str, str] = field(default_factory=dict)
    """`--defsym NAME=EXPR`."""
    undefined: list[str] = field(default_factory=list)
    build_id: bool = True
    strip: str = ""
    """"all" (-s), "debug" (-S) or nothing."""
    hash_styles: tuple[str, ...] = ("gnu",)
    init: str = "_init"
    fini: str = "_fini"
    as_needed: bool = False
    allow_multiple_definition: bool = False
    version_script: str | None = None

    @property
    def is_pic(self) -> bool:
        """The output can be loaded at any address."""
        return self.shared or self.pie


@dataclass(frozen=True, slots=True)
class LinkInput:
    """One file of the command line, in order, already read.

    `whole_archive` takes every member; `as_needed` keeps DT_NEEDED only when a symbol is used.
    """

    name: str
    data: bytes
    whole_archive: bool = False
    as_needed: bool = False
