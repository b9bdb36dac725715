"""`morello boot IMAGE`: a bare-metal image or a kernel on a board.

Exit status: the image's own when it exits by semihosting; 0 when it reports success or switches the power
off, 1 when it reports failure, 120 after a reset by the watchdog, 122 when the guest can't make progress, 124
at the instruction limit, 125 for wrong options, 126 and 127 for files that can't be used or don't exist.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from emulator.board.boards import BOARDS, Board, at_time
from emulator.board.console import FileBlock, StreamConsole, open_console
from emulator.board.devices.base import Block, Console
from emulator.board.fdt import BootInfo, board_tree, check_blob, to_blob
from emulator.board.image import Loaded, load_elf, load_kernel, load_raw, read_file
from emulator.board.outcome import Outcome, OutcomeKind
from emulator.board.system import DEFAULT_ENGINE, ENGINES, MakeEngine, System
from emulator.board.tracing import TRACE_TOPICS, Trace
from emulator.memory.physical import GRANULE_BYTES
from morello_isa.capability import Capability
from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_LIMIT, UserError

EXIT_WATCHDOG = 120
EXIT_STUCK = 122
_MIB = 1 << 20


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_EMULATOR_ERROR, f"{self.prog}: {message}\n")


def _count(text: str) -> int:
    try:
        value = int(text.replace("_", ""), 0)
    except ValueError:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value


def _topics(text: str) -> frozenset[str]:
    topics = frozenset(t for t in text.split(",") if t)
    unknown = topics - set(TRACE_TOPICS)
    if unknown:
        known = ", ".join(TRACE_TOPICS)
        raise argparse.ArgumentTypeError(f"no trace topic '{sorted(unknown)[0]}'; there are {known}")
    return topics


def boot_parser() -> argparse.ArgumentParser:
    """The options of `morello boot`."""
    parser = _Parser(prog="morello boot", description="Boot a bare-metal image or a kernel on a board.")
    add_boot_options(parser)
    return parser


def add_boot_options(parser: argparse.ArgumentParser) -> None:
    """What to boot and how; shared with `morello debug --boot`."""
    parser.add_argument("image", nargs="?", help="ELF image, loaded at its physical addresses")
    parser.add_argument(
        "--board", choices=tuple(BOARDS), help="default: morello, or testboard for its images"
    )
    parser.add_argument(
        "--kernel", metavar="FILE", help="arm64 kernel Image, ELF or raw, started as Linux's are"
    )
    parser.add_argument("--initrd", metavar="FILE", help="initial RAM disk")
    parser.add_argument("--append", metavar="TEXT", default="", help="kernel command line")
    parser.add_argument("--dtb", metavar="FILE", help="device tree blob instead of a generated one")
    parser.add_argument("--dump-dtb", metavar="FILE", type=Path, help="write the device tree and end")
    parser.add_argument("--drive", metavar="FILE[,readonly]", help="disk image of the virtio block device")
    parser.add_argument(
        "--console", "--serial", metavar="WHERE", default="stdio", help="stdio, none, pty, file:PATH"
    )
    parser.add_argument("--serial2", metavar="WHERE", default="none", help="second UART, likewise")
    parser.add_argument("--virtio-console", metavar="WHERE", help="adds a virtio console, likewise")
    parser.add_argument("--el", type=int, choices=(1, 2, 3), help="exception level to start at")
    parser.add_argument("--engine", choices=ENGINES, help=f"default: {DEFAULT_ENGINE}")
    parser.add_argument("--max-instructions", metavar="N", type=_count)
    parser.add_argument("--trace", metavar="TOPIC,…", type=_topics, default=frozenset())
    parser.add_argument("--trace-file", metavar="FILE", type=Path, help="trace there instead of on stderr")
    parser.add_argument(
        "--dump-tags", metavar="FILE", type=Path, help="write all tagged capabilities at the end"
    )


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    options = boot_parser().parse_args(argv)
    consoles = open_consoles(options)
    with Trace(options.trace, options.trace_file) as trace:
        system = make_system(options, consoles, open_disks(options), options.engine, trace.function())
        trace.watch(system)
        if options.dump_dtb is not None:
            return _dump_tree(system, options)
        load(system, options)
        status = _run(system, list(consoles.values()), options)
        if options.dump_tags is not None:
            _dump_tags(system, options.dump_tags)
        return status


def open_consoles(options: argparse.Namespace) -> dict[int, StreamConsole]:
    """Consoles by number. Raises UserError, also for options that name no image or two."""
    if (options.image is None) == (options.kernel is None):
        raise UserError("give an image or --kernel, one of the two")
    consoles = {0: open_console(options.console), 1: open_console(options.serial2)}
    if options.virtio_console:
        consoles[2] = open_console(options.virtio_console)
    return consoles


def open_disks(options: argparse.Namespace) -> dict[int, FileBlock]:
    """Disk images by number. Raises UserError."""
    if not options.drive:
        return {}
    path, _, flag = options.drive.partition(",")
    if flag not in ("", "readonly"):
        raise UserError(f"'{flag}' is not an option of --drive; there is only 'readonly'")
    return {0: FileBlock(Path(path), flag == "readonly")}


def make_system(
    options: argparse.Namespace,
    consoles: Mapping[int, Console],
    disks: Mapping[int, Block],
    engine: str | MakeEngine | None,
    trace: Callable[[str, str], None] | None = None,
    epoch: int | None = None,
) -> System:
    """The board that the options ask for, its clock at `epoch` or the host's time. Raises UserError."""
    board = BOARDS[options.board] if options.board else default_board(options.image)
    if epoch is not None:
        board = at_time(board, epoch)
    if disks and not any(d.block == 0 for d in board.devices):
        raise UserError(f"board {board.name} has no disk")
    return System(board, consoles=consoles, blocks=disks, engine=engine, trace=trace)


def default_board(image_file: str | None) -> Board:
    """`testboard` for images that have its harness's symbols, else `morello`."""
    if image_file is not None:
        from loader.elf import ElfImage

        image = ElfImage.from_bytes(read_file(image_file), image_file)
        if any(s.name == "trickbox" for s in image.symbols):
            return BOARDS["testboard"]
    return BOARDS["morello"]


# -- loading ------------------------------------------------------------------------------------------


def load(system: System, options: argparse.Namespace) -> Loaded:
    """Image or kernel, initrd and device tree into memory; the PE at the entry point. Raises UserError."""
    board = system.board
    if options.kernel is not None:
        loaded = load_kernel(system.physical, read_file(options.kernel), options.kernel, board.kernel_base)
        level = board.kernel_el
    else:
        loaded = load_elf(system.physical, read_file(options.image), options.image)
        level = board.start_el
    free = (max(loaded.high, board.kernel_base + 64 * _MIB) + 2 * _MIB - 1) // (2 * _MIB) * (2 * _MIB)
    initrd: tuple[int, int] | None = None
    if options.initrd:
        data = read_file(options.initrd)
        load_raw(system.physical, data, free, options.initrd)
        initrd = (free, free + len(data))
        free = (free + len(data) + 2 * _MIB - 1) // (2 * _MIB) * (2 * _MIB)
    address = 0
    if options.kernel is not None or options.dtb:
        tree = _tree(system, options, BootInfo(options.append, initrd))
        load_raw(system.physical, tree, free, options.dtb or "the device tree")
        address = free
    system.start(loaded.entry, options.el if options.el is not None else level, address)
    return loaded


def _tree(system: System, options: argparse.Namespace, info: BootInfo) -> bytes:
    if options.dtb:
        data = read_file(options.dtb)
        check_blob(data, options.dtb)
        if options.append or info.initrd:
            raise UserError("--append and --initrd go into a generated device tree; leave --dtb out")
        return data
    return to_blob(board_tree(system.board, info, tuple(system.devices)))


def _dump_tree(system: System, options: argparse.Namespace) -> int:
    blob = _tree(system, options, BootInfo(options.append))
    try:
        options.dump_dtb.write_bytes(blob)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{options.dump_dtb} can't be written: {reason}") from None
    return 0


# -- running ------------------------------------------------------------------------------------------


def _run(system: System, consoles: Sequence[StreamConsole], options: argparse.Namespace) -> int:
    system.poll = lambda: _poll(consoles, 0.0)
    system.wait_for_input = lambda: _wait(consoles)
    for console in consoles:
        console.open()
    try:
        outcome = system.run(options.max_instructions)
    except KeyboardInterrupt:
        outcome = Outcome(OutcomeKind.USER)
    finally:
        for console in consoles:
            console.close()
    return _finish(outcome)


def _dump_tags(system: System, path: Path) -> None:
    """One line for each tagged granule of RAM: address, bits, what the capability says."""
    memory = system.physical
    try:
        with path.open("w", encoding="utf-8") as stream:
            for address in memory.tagged_granules(0, 1 << 48):
                bits = int.from_bytes(memory.read_bytes(address, GRANULE_BYTES), "little")
                text = Capability.from_bits(bits, True).describe()
                stream.write(f"{address:#x} {bits:032x} {text}\n")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path} can't be written: {reason}") from None


def _poll(consoles: Sequence[StreamConsole], timeout: float) -> None:
    for console in consoles:
        console.poll(timeout)


def _wait(consoles: Sequence[StreamConsole]) -> bool:
    """Waits for input while the guest is idle; False when none can come."""
    results = [console.poll(0.2) for console in consoles]
    return any(results)


def _finish(outcome: Outcome) -> int:
    status, message = exit_status(outcome)
    if message:
        sys.stderr.write(f"morello boot: {message}\n")
    return status


def exit_status(outcome: Outcome) -> tuple[int, str]:
    """(exit status, what to tell the user: "" for an end that the guest asked for)."""
    kind, detail = outcome.kind, outcome.detail
    if kind is OutcomeKind.REPORTED:
        return (0 if isinstance(detail, bytes) and detail.endswith(b"OK\n") else 1), ""
    if kind is OutcomeKind.EXIT:
        return (detail if isinstance(detail, int) else 1), ""
    if kind in (OutcomeKind.POWER_OFF, OutcomeKind.USER):
        return 0, ""
    statuses = {
        OutcomeKind.LIMIT: EXIT_LIMIT,
        OutcomeKind.STUCK: EXIT_STUCK,
        OutcomeKind.WATCHDOG: EXIT_WATCHDOG,
    }
    return statuses.get(kind, 0), f"{kind.value}: {detail}" if detail else kind.value
