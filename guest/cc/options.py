"""The command line of `morello cc`: gcc's options as far as they mean something here.

One row of `_FLAGS` or `_VALUES` per option; `-f…`, `-m…`, `-W…` without an effect here are accepted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guest.cc.preprocess import PreprocessOptions
from morello_isa.errors import EXIT_DIAGNOSTICS, UserError


@dataclass(slots=True)
class Input:
    """A source, object, archive or library of the command line; `language` from -x, "" by suffix."""

    name: str
    language: str = ""


@dataclass(slots=True)
class Command:
    """A parsed command line. `stop`: "preprocess", "compile", "assemble", or "link"."""

    stop: str = "link"
    output: str | None = None
    inputs: list[Input | str] = field(default_factory=list)  # str: an option for the linker, in order
    preprocess: PreprocessOptions = field(default_factory=PreprocessOptions)
    optimize: int = 0
    debug: bool = False
    pic: bool = False
    quiet: bool = False
    werror: bool = False
    shared: bool = False
    static: bool = False
    static_pie: bool = False
    pie: bool = False
    default_includes: bool = True
    libc_includes: bool = True
    start_files: bool = True
    default_libraries: bool = True
    board: bool = False
    language: str = ""
    dependencies: str | None = None  # "all" or "user"
    dependency_file: str | None = None
    dependency_targets: list[str] = field(default_factory=list)
    dependency_only: bool = False
    phony: bool = False
    show_help: bool = False
    show_version: bool = False


def _set(**values: object) -> Callable[[Command], None]:
    def apply(command: Command) -> None:
        for name, value in values.items():
            setattr(command, name, value)

    return apply


def _linker(*options: str) -> Callable[[Command], None]:
    return lambda command: command.inputs.extend(options)


_FLAGS: dict[str, Callable[[Command], None]] = {
    "-E": _set(stop="preprocess"),
    "-S": _set(stop="compile"),
    "-c": _set(stop="assemble"),
    "-g": _set(debug=True),
    "-g0": _set(debug=False),
    "-w": _set(quiet=True),
    "-Werror": _set(werror=True),
    "-shared": _set(shared=True, pic=True),
    "-static": _set(static=True),
    "-static-pie": _set(static_pie=True, pic=True),
    "-pie": _set(pie=True, pic=True),
    "-no-pie": _set(pie=False),
    "-fPIC": _set(pic=True),
    "-fpic": _set(pic=True),
    "-fPIE": _set(pic=True),
    "-fpie": _set(pic=True),
    "-fno-pic": _set(pic=False),
    "-fno-PIC": _set(pic=False),
    "-nostdlib": _set(start_files=False, default_libraries=False),
    "-nodefaultlibs": _set(default_libraries=False),
    "-nolibc": _set(default_libraries=False),
    "-nostartfiles": _set(start_files=False),
    "-nostdinc": _set(default_includes=False),
    "-nostdlibinc": _set(libc_includes=False),
    "-MD": _set(dependencies="all"),
    "-MMD": _set(dependencies="user"),
    "-M": _set(dependencies="all", dependency_only=True),
    "-MM": _set(dependencies="user", dependency_only=True),
    "-MP": _set(phony=True),
    "--help": _set(show_help=True),
    "--version": _set(show_version=True),
    "--board": _set(board=True),
    "-rdynamic": _linker("--export-dynamic"),
    "-s": _linker("-s"),
}


def _define(command: Command, value: str) -> None:
    command.preprocess.defines.append(value)


def _undefine(command: Command, value: str) -> None:
    command.preprocess.undefines.append(value)


def _include_dir(command: Command, value: str) -> None:
    command.preprocess.include_dirs.append(value)


def _system_dir(command: Command, value: str) -> None:
    command.preprocess.system_dirs.append(value)


def _include_file(command: Command, value: str) -> None:
    command.preprocess.includes.append(value)


def _language(command: Command, value: str) -> None:
    if value not in ("c", "assembler", "assembler-with-cpp", "none"):
        raise UserError(f"cc: there is no language '{value}' (-x)", EXIT_DIAGNOSTICS)
    command.language = "" if value == "none" else value


def _output(command: Command, value: str) -> None:
    command.output = value


def _dependency_file(command: Command, value: str) -> None:
    command.dependency_file = value


def _dependency_target(command: Command, value: str) -> None:
    command.dependency_targets.append(value)


def _to_linker(option: str) -> Callable[[Command, str], None]:
    return lambda command, value: command.inputs.extend([option, value])


def _linker_options(command: Command, value: str) -> None:
    command.inputs.extend(value.split(","))


def _prefix_map(command: Command, value: str) -> None:
    old, _, new = value.partition("=")
    command.preprocess.prefix_map.append((old, new))


_VALUES: dict[str, Callable[[Command, str], None]] = {
    "-o": _output,
    "-D": _define,
    "-U": _undefine,
    "-I": _include_dir,
    "-iquote": _include_dir,
    "-isystem": _system_dir,
    "-idirafter": _system_dir,
    "-include": _include_file,
    "-x": _language,
    "-MF": _dependency_file,
    "-MT": _dependency_target,
    "-MQ": _dependency_target,
    "-L": _to_linker("-L"),
    "-l": _to_linker("-l"),
    "-T": _to_linker("-T"),
    "-u": _to_linker("-u"),
    "-e": _to_linker("-e"),
    "-z": _to_linker("-z"),
    "-Xlinker": lambda command, value: command.inputs.append(value),
    "-Wl,": _linker_options,
    "-ffile-prefix-map=": _prefix_map,
    "-fmacro-prefix-map=": _prefix_map,
    "-fdebug-prefix-map=": lambda _command, _value: None,
    "-Xassembler": lambda _command, _value: None,
    "-Wa,": lambda _command, _value: None,
    "-Wp,": lambda _command, _value: None,
}
_JOINED = sorted((o for o in _VALUES if len(o) == 2 or o[-1] in ",="), key=len, reverse=True)
_ACCEPTED = (
    "-W",
    "-f",
    "-m",
    "-std=",
    "-pedantic",
    "-ansi",
    "-pipe",
    "-g",
    "-march",
    "-target",
    "-pthread",
    "-v",
)


def parse_command(arguments: Sequence[str]) -> Command:
    """The meaning of a command line; raises UserError (status 1) for what is not understood."""
    command = Command()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument.startswith("@") and len(argument) > 1:
            rest[:0] = _response_file(argument[1:])
        elif not argument.startswith("-") or argument == "-":
            command.inputs.append(Input(argument, command.language))
        elif argument in _FLAGS:
            _FLAGS[argument](command)
        elif argument.startswith("-O"):
            command.optimize = {"": 1, "0": 0, "1": 1, "g": 1}.get(argument[2:], 2)
        elif not _value_option(command, argument, rest) and not argument.startswith(_ACCEPTED):
            raise UserError(f"cc: there is no option '{argument}'", EXIT_DIAGNOSTICS)
    command.preprocess.optimize = command.optimize
    command.preprocess.timestamp = int(os.environ.get("SOURCE_DATE_EPOCH", "0") or "0")
    return command


def _value_option(command: Command, argument: str, rest: list[str]) -> bool:
    if argument in _VALUES and argument[-1] not in ",=":
        if not rest:
            raise UserError(f"cc: option {argument} needs a value", EXIT_DIAGNOSTICS)
        _VALUES[argument](command, rest.pop(0))
        return True
    for option in _JOINED:
        if argument.startswith(option) and len(argument) > len(option):
            _VALUES[option](command, argument[len(option) :])
            return True
    return False


def _response_file(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").split()
    except OSError as error:
        raise UserError(f"cc: {path} can't be read: {error.strerror}", EXIT_DIAGNOSTICS) from error
