"""Programs assembled, linked and run on the emulator: the linker and the loaders judged by the outcome."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from guest.assembler.assembler import assemble_source
from loader.link.linker import link
from loader.link.options import LinkInput, LinkOptions

RunMorello = Callable[..., "CompletedProcess[str]"]

FUNCTION = """
    .globl {0}
    .type {0}, %function
    .p2align 2
{0}:{1}
    .size {0}, .-{0}
"""
EXIT = "mov x8, #94\n svc #0"


def function(name: str, body: str) -> str:
    return FUNCTION.format(name, "\n    " + body.strip())


def objects(*sources: str) -> list[LinkInput]:
    return [LinkInput(f"{i}.o", assemble_source(text, f"{i}.S")) for i, text in enumerate(sources)]


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755)
    return path


def static(path: Path, *sources: str, **options: object) -> Path:
    return write(path, link(LinkOptions(**options), objects(*sources)))  # type: ignore[arg-type]


TLS_PROGRAM = (
    function(
        "_start",
        """
    sub csp, csp, #256
    mov c0, csp
    msr CTPIDR_EL0, c0
    stp xzr, xzr, [csp, #32]
    stp xzr, xzr, [csp, #48]
    // local exec: variable += 3
    mrs c0, CTPIDR_EL0
    movz x8, #:tprel_g1:variable
    movk x8, #:tprel_g0_nc:variable
    movz x9, #:size_g1:variable
    movk x9, #:size_g0_nc:variable
    add c0, c0, x8, uxtx
    scbnds c0, c0, x9
    mov x1, #3
    str x1, [c0]
    // initial exec: variable += 4
    adrp c0, :gottprel:variable
    add c0, c0, :gottprel_lo12:variable
    ldp x0, x8, [c0]
    mrs c1, CTPIDR_EL0
    add c0, c1, x0, uxtx
    scbnds c0, c0, x8
    ldr x1, [c0]
    add x1, x1, #4
    str x1, [c0]
    // general dynamic: status = variable * 8 + length of the bounds
    mrs c2, CTPIDR_EL0
    adrp c0, :tlsdesc:variable
    ldr c1, [c0, :tlsdesc_lo12:variable]
    add c0, c0, :tlsdesc_lo12:variable
    nop
    .tlsdesccall variable
    blr c1
    gclen x1, c0
    ldr x0, [c0]
    add x0, x1, x0, lsl #3
    """
        + EXIT,
    )
    + """
    .section .tbss,"awT",%nobits
    .p2align 3
padding: .space 24
    .globl variable
    .type variable, %object
variable: .space 8
    .size variable, 8
"""
)

CAP_RELOCS_START_UP = """
    adrp c0, __cap_relocs_start
    add c0, c0, :lo12:__cap_relocs_start
    adrp c1, __cap_relocs_end
    add c1, c1, :lo12:__cap_relocs_end
    // auxv is c3: find AT_CHERI_EXEC_RW_CAP (60) and RX (61)
1:  ldr x4, [c3]
    cmp x4, #60
    b.eq 2f
    cmp x4, #61
    b.eq 3f
    add c3, c3, #32
    b 1b
2:  ldr c5, [c3, #16]
    add c3, c3, #32
    b 1b
3:  ldr c6, [c3, #16]
4:  cmp x0, x1
    b.eq 6f
    ldp x8, x9, [c0]
    ldp x10, x11, [c0, #16]
    ldr x12, [c0, #32]
    tst x12, #0x8000000000000000
    csel c13, c5, c6, eq
    tst x12, #0x10000
    b.eq 5f
    csel c13, c6, c6, eq
5:  scvalue c13, c13, x9
    scbndse c13, c13, x11
    add c13, c13, x10
    clrperm c13, c13, x12
    tbz x12, #63, 7f
    seal c13, c13, rb
7:  scvalue c14, c5, x8
    str c13, [c14]
    add c0, c0, #40
    b 4b
6:
"""


def test_three_tls_models_agree_in_a_static_program(tmp_path: Path, run_morello: RunMorello) -> None:
    """The resolver that the linker adds makes descriptors work without a dynamic linker."""
    result = run_morello("run", static(tmp_path / "tls", CAP_RELOCS_START_UP_PROGRAM))
    assert (result.stderr, result.returncode) == ("", 7 * 8 + 8)


CAP_RELOCS_START_UP_PROGRAM = TLS_PROGRAM.replace(
    "sub csp, csp, #256", CAP_RELOCS_START_UP.strip() + "\n    sub csp, csp, #256", 1
)


def test_cap_relocs_give_working_pointers(tmp_path: Path, run_morello: RunMorello) -> None:
    body = f"""
    {CAP_RELOCS_START_UP}
    adrp c0, :got:table
    ldr c0, [c0, :got_lo12:table]
    gclen x19, c0
    ldr c1, [c0, #16]
    ldr c2, [c0]
    ldr w20, [c2]
    blr c1
    add x0, x0, x19
    add x0, x0, x20
    {EXIT}
    """
    data = """
    .data
    .p2align 4
    .globl table
    .type table, %object
table: .chericap number
    .chericap five
    .size table, 32
    .globl number
    .type number, %object
number: .word 6
    .size number, 4
"""
    program = function("_start", body) + data + ".text\n" + function("five", "mov x0, #5\n ret c30")
    result = run_morello("run", static(tmp_path / "caps", program))
    assert (result.stderr, result.returncode) == ("", 5 + 32 + 6)


def test_veneers_change_the_instruction_set_both_ways(tmp_path: Path, run_morello: RunMorello) -> None:
    """C64 code calls A64 code, which jumps on to C64 code, which returns (BL in A64 leaves no capability)."""
    main = function("_start", f"mov x0, #1\n bl plain\n add x0, x0, #32\n {EXIT}")
    body = "add x0, x0, #2\n b inner"
    plain = ".code a64\n" + function("plain", body) + ".code c64\n"
    inner = function("inner", "add x0, x0, #4\n ret c30")
    files = objects(main, plain, inner)
    result = run_morello("run", write(tmp_path / "mixed", link(LinkOptions(), files)))
    assert (result.stderr, result.returncode) == ("", 1 + 2 + 4 + 32)


def test_static_pie_finds_its_own_data(tmp_path: Path, run_morello: RunMorello) -> None:
    body = f"adrp c1, word\n add c1, c1, :lo12:word\n ldr w0, [c1]\n bl maybe\n {EXIT}"
    program = ".weak maybe\n" + function("_start", body) + ".section .rodata\n.p2align 2\nword: .word 77\n"
    result = run_morello("run", static(tmp_path / "pie", program, pie=True))
    assert (result.stderr, result.returncode) == ("", 77)


# --- shared libraries, linked on the host ---------------------------------------------------------------

LIBRARY = (
    function(
        "api",
        """
    adrp c1, :got:counter
    ldr c1, [c1, :got_lo12:counter]
    ldr w0, [c1]
    add w0, w0, #1
    str w0, [c1]
    ret c30
    """,
    )
    + function(
        "construct",
        """
    adrp c1, :got:counter
    ldr c1, [c1, :got_lo12:counter]
    mov w0, #40
    str w0, [c1]
    ret c30
    """,
    )
    + """
    .section .init_array,"aw",%init_array
    .p2align 4
    .chericap construct
    .data
    .p2align 2
    .globl counter
    .type counter, %object
counter: .word 1
    .size counter, 4
"""
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    library = link(LinkOptions(shared=True, soname="libapi.so"), objects(LIBRARY))
    write(tmp_path / "root" / "purecap-lib" / "libapi.so", library)
    return tmp_path / "root"


def dynamic(root: Path, source: str, **options: object) -> Path:
    library = (root / "purecap-lib" / "libapi.so").read_bytes()
    inputs = [*objects(source), LinkInput("libapi.so", library)]
    settings = {"static": False, "pie": True, **options}
    return write(root / "app", link(LinkOptions(**settings), inputs))  # type: ignore[arg-type]


CALLER = function(
    "_start",
    f"""
    bl api
    adrp c1, :got:api
    ldr c1, [c1, :got_lo12:api]
    blr c1
    {EXIT}
""",
)


@pytest.mark.parametrize("pie", [True, False])
def test_dynamic_program_runs_without_an_interpreter(root: Path, run_morello: RunMorello, pie: bool) -> None:
    """The constructor sets 40; one call through the PLT and one through the GOT add 2."""
    result = run_morello("run", "--root", root, dynamic(root, CALLER, pie=pie))
    assert (result.stderr, result.returncode) == ("", 42)


def test_missing_library_is_one_sentence(root: Path, run_morello: RunMorello) -> None:
    app = dynamic(root, CALLER)
    (root / "purecap-lib" / "libapi.so").unlink()
    result = run_morello("run", "--root", root, app)
    assert result.returncode == 127 and result.stderr.count("\n") == 1
    assert (
        "needs libapi.so, not found in /purecap-lib, --library-path or the program's RPATH" in result.stderr
    )


def test_undefined_symbol_is_one_sentence(root: Path, run_morello: RunMorello) -> None:
    app = dynamic(root, CALLER)
    other = link(LinkOptions(shared=True, soname="libapi.so"), objects(function("nothing", "ret c30")))
    write(root / "purecap-lib" / "libapi.so", other)
    result = run_morello("run", "--root", root, app)
    assert result.returncode == 127 and result.stderr.count("\n") == 1
    assert "needs symbol 'api', which no loaded library defines" in result.stderr


def test_out_of_bounds_access_to_a_library_variable_faults(root: Path, run_morello: RunMorello) -> None:
    body = f"adrp c1, :got:counter\n ldr c1, [c1, :got_lo12:counter]\n ldr w0, [c1, #4]\n {EXIT}"
    result = run_morello("run", "--root", root, dynamic(root, function("_start", body)))
    assert result.returncode == 128 + 11 and "bounds" in result.stderr
