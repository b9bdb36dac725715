"""`morello cc` from a parsed command line to output files: preprocess, compile, assemble, link."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from guest.cc.errors import CompileError, Diagnostics, TooManyErrors
from guest.cc.library import LIBC_INCLUDE, LIBC_SOURCE, library_folder
from guest.cc.options import Command, Input
from guest.cc.preprocess import PreprocessOptions, preprocess
from morello_isa.errors import EXIT_DIAGNOSTICS, UserError

_LANGUAGES = {
    ".c": "c",
    ".i": "preprocessed",
    ".s": "assembler",
    ".S": "assembler-with-cpp",
    ".sx": "assembler-with-cpp",
}

RECURSION_LIMIT = 8000  # long else-if chains and sums nest deeply


class CompilationFailed(Exception):
    """The diagnostics have been printed; the exit status is 1."""


@dataclass(slots=True)
class Driver:
    """Runs one command; `include_dirs` are the library's unless the command says otherwise."""

    command: Command
    temporary: Path
    objects: int = 0
    preprocess_options: PreprocessOptions = field(init=False)

    def __post_init__(self) -> None:
        options = replace(self.command.preprocess)
        if self.command.default_includes and self.command.libc_includes:
            options.system_dirs = [*options.system_dirs, str(LIBC_INCLUDE)]
        self.preprocess_options = options

    def run(self) -> int:
        command = self.command
        sources = [i for i in command.inputs if isinstance(i, Input)]
        if not sources:
            raise UserError("cc: no input files", EXIT_DIAGNOSTICS)
        if command.dependency_only:
            for source in sources:
                self._write_dependencies(source, self._preprocess(source, _read(source))[1], "-")
            return 0
        if command.stop != "link":
            self._compile_all(sources)
            return 0
        return self._link()

    # -------------------------------------------------------- single files

    def _compile_all(self, sources: list[Input]) -> None:
        command = self.command
        if command.output is not None and len(sources) > 1:
            raise UserError("cc: -o cannot name the output of several inputs", EXIT_DIAGNOSTICS)
        for source in sources:
            data = self._to_stage(source)
            if data is None:
                continue
            suffix = {"preprocess": "", "compile": ".s", "assemble": ".o"}[command.stop]
            output = command.output or (Path(source.name).stem + suffix if suffix else "-")
            _write(output, data)

    def _to_stage(self, source: Input) -> bytes | None:
        """One input up to the stage asked for; None when it has nothing to give there."""
        language = source.language or _LANGUAGES.get(Path(source.name).suffix, "object")
        stop = self.command.stop
        if language == "object":
            if stop != "link":
                sys.stderr.write(f"cc: {source.name} is for the linker, which does not run here\n")
            return None
        text = _read(source)
        name = "<stdin>" if source.name == "-" else source.name
        if language in ("c", "assembler-with-cpp"):
            text, files = self._preprocess(source, text, language != "c")
            if self.command.dependencies:
                self._write_dependencies(source, files, None)
        if stop == "preprocess":
            return text.encode()
        if language in ("c", "preprocessed"):
            text = self.compile_text(text, name)
        if stop == "compile":
            return text.encode()
        return self.assemble(text, name if language != "c" else str(Path(name).with_suffix(".s")))

    def _preprocess(self, source: Input, text: str, assembly: bool = False) -> tuple[str, list[str]]:
        diagnostics = self._diagnostics()
        options = replace(self.preprocess_options, assembly=assembly)
        try:
            result = preprocess(text, "<stdin>" if source.name == "-" else source.name, options, diagnostics)
        except CompileError as error:
            with suppress(TooManyErrors):
                diagnostics.error(error.loc, error.message)
            result = ("", [])
        except TooManyErrors:
            result = ("", [])
        self._report(diagnostics)
        return result

    def compile_text(self, text: str, name: str) -> str:
        """Assembly text of preprocessed C."""
        from guest.cc.backend import Options, compile_module
        from guest.cc.compile import compile_preprocessed

        diagnostics = self._diagnostics()
        module = compile_preprocessed(text, name, diagnostics)
        self._report(diagnostics)
        if module is None:
            raise CompilationFailed
        command = self.command
        return compile_module(module, Options(command.optimize, command.debug, command.pic))

    def assemble(self, text: str, name: str) -> bytes:
        """Object file of an assembly source."""
        from guest.assembler.assembler import assemble_source
        from guest.assembler.diagnostics import AssemblyFailure

        folders = [Path(d) for d in self.preprocess_options.include_dirs]
        try:
            return assemble_source(text, name, folders)
        except AssemblyFailure as failure:
            sys.stderr.write(failure.render().rstrip("\n") + "\n")
            raise CompilationFailed from None

    def _diagnostics(self) -> Diagnostics:
        return Diagnostics(self.command.werror, self.command.quiet)

    @staticmethod
    def _report(diagnostics: Diagnostics) -> None:
        for message in diagnostics.messages:
            sys.stderr.write(message + "\n")
        if diagnostics.errors:
            raise CompilationFailed

    def _write_dependencies(self, source: Input, files: list[str], output: str | None) -> None:
        command = self.command
        if command.dependencies == "user":
            system = tuple(
                str(d.resolve()) for d in [*map(Path, self.preprocess_options.system_dirs), LIBC_INCLUDE]
            )
            compiler = str(Path(__file__).parent / "include")
            files = [f for f in files if not f.startswith((*system, compiler))]
        stem = Path(source.name).stem
        targets = command.dependency_targets or [command.output or f"{stem}.o"]
        lines = [f"{' '.join(targets)}: {' '.join([source.name, *files])}"]
        if command.phony:
            lines += [f"\n{f}:" for f in files]
        if output is None:
            base = command.output or f"{stem}.o"
            output = str(Path(base).with_suffix(".d"))
        _write(command.dependency_file or output, ("\n".join(lines) + "\n").encode())

    # -------------------------------------------------------- linking

    def _link(self) -> int:
        """Compile what needs compiling, then hand everything to the linker in the given order."""
        from loader.link import cli as linker

        command = self.command
        arguments = ["-o", command.output or "a.out"]
        arguments += [flag for flag, wanted in self._link_modes() if wanted]
        library: Path | None = None
        needs_start = command.start_files and not command.shared
        if needs_start or command.default_libraries:
            library = library_folder(self._library_object)
        if needs_start and library is not None:
            arguments.append(str(library / "crt1.o"))
        for item in command.inputs:
            arguments.append(item if isinstance(item, str) else self._linkable(item))
        if library is not None and command.default_libraries:
            arguments += ["-L", str(library), "-l", "c"]
        return linker.main(_without_libm(arguments))

    def _link_modes(self) -> list[tuple[str, bool]]:
        command = self.command
        return [
            ("-shared", command.shared),
            ("-static", command.static or command.static_pie),
            ("-pie", command.pie or command.static_pie),
            ("--board", command.board),
        ]

    def _linkable(self, source: Input) -> str:
        data = self._to_stage(source)
        if data is None:
            return source.name
        self.objects += 1
        path = self.temporary / str(self.objects) / f"{Path(source.name).stem}.o"
        path.parent.mkdir()
        path.write_bytes(data)
        return str(path)

    def _library_object(self, path: Path) -> bytes:
        """One source of the C library, compiled the same way wherever the package is."""
        options = PreprocessOptions(
            system_dirs=[str(LIBC_INCLUDE)],
            optimize=2,
            prefix_map=[(str(LIBC_SOURCE.parent), "libc")],
        )
        command = Command(stop="assemble", optimize=2, preprocess=options, libc_includes=False)
        data = Driver(command, self.temporary)._to_stage(Input(str(path)))
        assert data is not None
        return data


def _without_libm(arguments: list[str]) -> list[str]:
    """-lm, -ldl and -lpthread are part of libc here."""
    out: list[str] = []
    for argument in arguments:
        if argument in ("m", "dl", "pthread", "rt") and out and out[-1] == "-l":
            out.pop()
            continue
        out.append(argument)
    return out


def _read(source: Input) -> str:
    if source.name == "-":
        return sys.stdin.read()
    try:
        return Path(source.name).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UserError(f"cc: {source.name} can't be read: {reason}", EXIT_DIAGNOSTICS) from error


def _write(output: str, data: bytes) -> None:
    if output == "-":
        sys.stdout.write(data.decode("utf-8", "replace"))
        return
    try:
        Path(output).write_bytes(data)
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UserError(f"cc: {output} can't be written: {reason}", EXIT_DIAGNOSTICS) from error


def run(command: Command) -> int:
    """Carry out a command; returns the exit status."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION_LIMIT))
    with tempfile.TemporaryDirectory(prefix="morello-cc-") as folder:
        try:
            return Driver(command, Path(folder)).run()
        except CompilationFailed:
            return EXIT_DIAGNOSTICS
