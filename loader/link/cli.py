"""`morello ld`: the static linker with GNU-style options."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loader.link.errors import LinkError
from loader.link.linker import LinkResult, link_with_report
from loader.link.map_file import format_map
from loader.link.options import LinkInput, LinkOptions
from morello_isa.errors import EXIT_DIAGNOSTICS, UserError

HELP = """usage: morello ld [options] file…

Links AArch64 and Morello relocatable objects, archives and shared libraries.

  -o FILE                output (a.out)
  -static                executable without shared libraries (the default when none is given)
  -pie, -no-pie          position-independent executable; with -static a static PIE
  -shared                shared library;  -soname NAME  its name
  -L DIR  -l NAME        where to look for libNAME.so and libNAME.a;  -Bstatic  -Bdynamic
  -rpath DIR             DT_RUNPATH
  -dynamic-linker FILE   PT_INTERP
  -e NAME                entry point (_start)
  -T SCRIPT              linker script (a subset: see docs/linker.md)
  -Ttext ADDR -Tdata ADDR -Tbss ADDR  --section-start NAME=ADDR  --image-base ADDR
  --board                bare-metal defaults: code from 0x80000000, no headers in memory
  --defsym NAME=VALUE    define a symbol;  -u NAME  require one
  --gc-sections          drop what the entry point does not reach
  --whole-archive --no-whole-archive --start-group --end-group --as-needed --no-as-needed
  --morello-static-caps=legacy|elf   __cap_relocs (default) or RELATIVE records in static executables
  -Bsymbolic  --export-dynamic  --no-undefined  --version-script FILE  --hash-style gnu|sysv|both
  -z now|lazy|defs|max-page-size=N|stack-size=N     other -z keywords are accepted
  -Map FILE  --print-map            what went where
  -s  -S                 drop all / debugging symbols;  --build-id[=none]
"""

_IGNORED_FLAGS = frozenset(
    {
        "--start-group", "-(", "--end-group", "-)", "--eh-frame-hdr", "--no-eh-frame-hdr", "--fatal-warnings",
        "-g", "--no-gc-sections", "-nostdlib", "--sort-common", "--relax", "--no-relax", "-X",
        "--discard-locals", "--no-dynamic-linker", "--enable-new-dtags", "--disable-new-dtags", "-EL",
        "--no-fatal-warnings", "--print-gc-sections", "--allow-shlib-undefined", "--no-allow-shlib-undefined",
        "--fix-cortex-a53-843419", "--no-warn-mismatch", "-d", "-n", "--nmagic", "-N",
    }
)  # fmt: skip
_IGNORED_WITH_VALUE = frozenset(
    {"-m", "-O", "-plugin", "--icf", "--sort-section", "-rpath-link", "--color-diagnostics"}
)


@dataclass(slots=True)
class _Command:
    options: LinkOptions = field(default_factory=LinkOptions)
    output: str = "a.out"
    inputs: list[LinkInput] = field(default_factory=list)
    map_file: str | None = None
    whole_archive: bool = False
    as_needed: bool = False
    prefer_static: bool = False
    explicit_static: bool = False
    pending: list[Callable[[], None]] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """Exit status 0, or 1 with one line on stderr for each problem."""
    try:
        if "--help" in argv:
            sys.stdout.write(HELP)
            return 0
        if "--version" in argv or "-V" in argv:
            sys.stdout.write("morello ld (compatible with GNU linkers)\n")
            return 0
        command = parse_arguments(argv)
        result = link_with_report(command.options, command.inputs)
        _write(command, result)
    except LinkError as error:
        for line in error.diagnostics:
            sys.stderr.write(f"morello ld: error: {line}\n")
        return EXIT_DIAGNOSTICS
    except UserError as error:
        sys.stderr.write(f"morello ld: error: {error.message}\n")
        return EXIT_DIAGNOSTICS
    for line in result.warnings:
        sys.stderr.write(f"morello ld: warning: {line}\n")
    return 0


def _write(command: _Command, result: LinkResult) -> None:
    path = Path(command.output)
    try:
        path.write_bytes(result.data)
        path.chmod(0o755)
    except OSError as error:
        raise LinkError(f"{command.output} can't be written: {(error.strerror or '').lower()}") from None
    if command.map_file is not None:
        text = format_map(result.layout)
        if command.map_file == "-":
            sys.stdout.write(text)
        else:
            Path(command.map_file).write_text(text)


# --- options ----------------------------------------------------------------------------------------


class _Arguments:
    """Options and their values: `-o x`, `-ox`, `--opt x`, `--opt=x`; one dash or two for long names."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._items = list(argv)
        self._position = 0

    def __iter__(self) -> Iterator[str]:
        while self._position < len(self._items):
            item = self._items[self._position]
            self._position += 1
            yield item

    def value(self, option: str, attached: str | None) -> str:
        if attached is not None:
            return attached
        if self._position >= len(self._items):
            raise LinkError(f"option {option} needs a value")
        self._position += 1
        return self._items[self._position - 1]


def parse_arguments(argv: Sequence[str]) -> _Command:
    """Options in GNU style; LinkError for what is not understood. Reads the inputs."""
    command = _Command()
    arguments = _Arguments(_expand_response_files(argv))
    for item in arguments:
        if not item.startswith("-") or item == "-":
            command.pending.append(_later(_add_file, command, item))
            continue
        name, attached = item, None
        if item.startswith("-") and "=" in item and not item.startswith("-l"):
            name, _, attached = item.partition("=")
        if not (
            _flag(command, item)
            or _long(command, arguments, name, attached)
            or _short(command, arguments, item)
        ):
            raise LinkError(f"there is no option {item}")
    for action in command.pending:
        action()
    if not command.inputs:
        raise LinkError("no input files")
    _settle(command)
    return command


def _settle(command: _Command) -> None:
    """A link without shared libraries is static unless a PIE or library was asked for."""
    from loader.link.objects import is_shared_library

    options = command.options
    has_shared = any(is_shared_library(item.data) for item in command.inputs)
    options.static = command.explicit_static or (not has_shared and not options.pie)


def _later(function: Callable[..., None], command: _Command, *values: object) -> Callable[[], None]:
    """Files are read after all options are known (-L may follow), with the switches of this moment."""
    whole, needed, static = command.whole_archive, command.as_needed, command.prefer_static
    return lambda: function(command, *values, whole, needed, static)


def _expand_response_files(argv: Sequence[str]) -> list[str]:
    expanded: list[str] = []
    for item in argv:
        if item.startswith("@") and len(item) > 1:
            expanded += _read(item[1:]).decode("utf-8", "replace").split()
        else:
            expanded.append(item)
    return expanded


def _flag(command: _Command, item: str) -> bool:
    options = command.options
    name = "-" + item.lstrip("-")
    if item in _IGNORED_FLAGS or "-" + name in _IGNORED_FLAGS:
        return True
    if name in ("-static", "-Bstatic", "-dn", "-non_shared"):
        command.prefer_static = True
        command.explicit_static = command.explicit_static or name == "-static"
    elif name in ("-Bdynamic", "-dy", "-call_shared"):
        command.prefer_static = False
    elif name in ("-shared", "-Bshareable"):
        options.shared = True
    elif name in ("-pie", "-pic-executable", "-static-pie"):
        options.pie = True
        command.explicit_static = command.explicit_static or name == "-static-pie"
    elif name in ("-no-pie", "-nopie"):
        options.pie = False
    elif name in ("-board", "-board=morello"):
        options.board = True
        options.static = command.explicit_static = True
    elif name in ("-whole-archive", "-no-whole-archive"):
        command.whole_archive = name == "-whole-archive"
    elif name in ("-as-needed", "-no-as-needed"):
        command.as_needed = name == "-as-needed"
    elif name == "-print-map" or item == "-M":
        command.map_file = "-"
    elif name in _SWITCHES:
        setattr(options, *_SWITCHES[name])
    else:
        return False
    return True


_SWITCHES: dict[str, tuple[str, object]] = {
    "-gc-sections": ("gc_sections", True),
    "-Bsymbolic": ("bsymbolic", True),
    "-Bsymbolic-functions": ("bsymbolic", True),
    "-export-dynamic": ("export_dynamic", True),
    "-E": ("export_dynamic", True),
    "-no-undefined": ("no_undefined", True),
    "-allow-multiple-definition": ("allow_multiple_definition", True),
    "-s": ("strip", "all"),
    "-strip-all": ("strip", "all"),
    "-S": ("strip", "debug"),
    "-strip-debug": ("strip", "debug"),
    "-build-id": ("build_id", True),
}


def _long(command: _Command, arguments: _Arguments, raw: str, attached: str | None) -> bool:
    options = command.options
    name = raw.lstrip("-")
    if raw in _IGNORED_WITH_VALUE or "--" + name in _IGNORED_WITH_VALUE or "-" + name in _IGNORED_WITH_VALUE:
        if attached is None and raw in ("-m", "-plugin", "-rpath-link"):
            arguments.value(raw, None)
        return True
    if name not in _VALUE_OPTIONS:
        return False
    value = arguments.value(raw, attached)
    match name:
        case "o" | "output":
            command.output = value
        case "L" | "library-path":
            options.library_paths.append(Path(value))
        case "l" | "library":
            command.pending.append(_later(_add_library, command, value))
        case "z":
            _keyword(command, value)
        case "e" | "entry":
            options.entry = value
        case "soname" | "h":
            options.soname = value
        case "rpath" | "R":
            options.rpaths.extend(p for p in value.split(":") if p not in options.rpaths)
        case "dynamic-linker" | "I":
            options.interpreter = value
        case "T" | "script":
            options.script, options.script_name = _read(value).decode("utf-8", "replace"), value
        case "Ttext" | "Tdata" | "Tbss":
            options.section_addresses["." + name[1:]] = _address(value)
        case "section-start":
            section, _, address = value.partition("=")
            options.section_addresses[section] = _address(address)
        case "image-base" | "Ttext-segment":
            options.image_base = _address(value)
        case "defsym":
            symbol, _, expression = value.partition("=")
            options.definitions[symbol] = expression
        case "u" | "undefined":
            options.undefined.append(value)
        case "init" | "fini":
            setattr(options, name, value)
        case "Map":
            command.map_file = value
        case "version-script":
            options.version_script = _read(value).decode("utf-8", "replace")
        case "build-id":
            options.build_id = value != "none"
        case "hash-style":
            options.hash_styles = ("gnu", "sysv") if value == "both" else (value,)
        case "morello-static-caps":
            if value not in ("legacy", "elf"):
                raise LinkError(f"--morello-static-caps is legacy or elf, not '{value}'")
            options.static_caps_elf = value == "elf"
    return True


_VALUE_OPTIONS = frozenset(
    {
        "o", "output", "L", "library-path", "l", "library", "z", "e", "entry", "soname", "h", "rpath", "R",
        "dynamic-linker", "I", "T", "script", "Ttext", "Tdata", "Tbss", "section-start", "image-base",
        "Ttext-segment", "defsym", "u", "undefined", "init", "fini", "Map", "version-script", "build-id",
        "hash-style", "morello-static-caps",
    }
)  # fmt: skip


def _short(command: _Command, arguments: _Arguments, item: str) -> bool:
    """`-lfoo`, `-Ldir`, `-ofile`, `-znow`, `-efoo`."""
    letter, value = item[:2], item[2:]
    if letter in ("-l", "-L", "-o", "-z", "-e", "-u", "-T", "-R", "-h") and value:
        return _long(command, arguments, letter, value)
    return letter in ("-O", "-m")


def _keyword(command: _Command, value: str) -> None:
    options = command.options
    key, _, amount = value.partition("=")
    if key in ("now", "lazy"):
        options.bind_now = key == "now"
    elif key == "defs":
        options.no_undefined = True
    elif key == "max-page-size":
        options.max_page_size = _power_of_two(_address(amount), value)
    elif key == "stack-size":
        options.stack_size = _address(amount)


def _power_of_two(value: int, text: str) -> int:
    if value < 0x1000 or value & (value - 1):
        raise LinkError(f"-z {text}: not a power of two of at least 4096")
    return value


def _address(text: str) -> int:
    try:
        return int(text, 16) if not text.lower().startswith("0x") and not text.isdigit() else int(text, 0)
    except ValueError:
        raise LinkError(f"'{text}' is not an address") from None


# --- files ------------------------------------------------------------------------------------------


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise LinkError(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from None


def _add_file(command: _Command, path: str, whole: bool, needed: bool, _static: bool) -> None:
    command.inputs.append(LinkInput(path, _read(path), whole, needed))


def _add_library(command: _Command, name: str, whole: bool, needed: bool, static: bool) -> None:
    only_static = static or command.explicit_static
    if name.startswith(":"):
        candidates = [name[1:]]
    else:
        candidates = [f"lib{name}.a"] if only_static else [f"lib{name}.so", f"lib{name}.a"]
    for directory in command.options.library_paths:
        for candidate in candidates:
            path = directory / candidate
            if path.is_file():
                _add_file(command, str(path), whole, needed, static)
                return
    raise LinkError(f"library -l{name} not found ({' or '.join(candidates)} in the -L directories)")
