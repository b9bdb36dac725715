"""The page of `morello capmap` in a real browser: it loads without an error, filters, decodes, and stays usable when large."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.pictures.page_data import page_data
from emulator.pictures.page_html import page_html
from emulator.pictures.snapshot import HeldCapability, MappedArea, Snapshot
from guest.assembler.assembler import assemble_source
from loader.link import cli as linker
from morello_isa.capability import CAP_MAX
from morello_isa.permissions import Perm, permission_names
from tests.pictures.browser import Page
from tests.pictures.conftest import DEMO, RunMorello
from tests.pictures.test_snapshot import snapshot_at_exit

EXECUTE, STORE, EXECUTIVE = int(Perm.EXECUTE), int(Perm.STORE), int(Perm.EXECUTIVE)


def _page(folder: Path, snapshot: Snapshot, where: Callable[[int], str]) -> Path:
    file = folder / "map.html"
    file.write_text(page_html(page_data(snapshot, where)), encoding="utf-8")
    return file


def _shown(page: Page) -> int:
    page.settle()
    return int(page.run("document.body.dataset.shown"))


@pytest.fixture(scope="module")
def demo() -> tuple[Snapshot, Callable[[int], str]]:
    """The demonstration's last moment."""
    snapshot, where, _ = snapshot_at_exit(*DEMO)
    return snapshot, where


def test_filters_leave_what_the_snapshot_says(page: Page, demo, tmp_path: Path) -> None:
    snapshot, where = demo
    page.open(_page(tmp_path, snapshot, where))
    held, total = snapshot.capabilities, snapshot.total
    assert page.run("document.title") == "Capability map: iwasm"
    assert page.text("#facts").split()[:3] == [f"{total:,}", "tagged", "capabilities"]
    assert page.text("#status") == f"All {total:,} capabilities are shown." and _shown(page) == total

    def number(test: Callable[[HeldCapability], bool]) -> int:
        return sum(1 for h in held if test(h))

    page.click_on("input[value=restricted]")
    assert _shown(page) == number(lambda h: h.reachable)
    page.click_on("#permissions button[data-name=Executive]")
    assert _shown(page) == number(lambda h: h.reachable and h.value.has(EXECUTIVE)) > 0
    page.click_on("#permissions button[data-name=Executive]")
    assert _shown(page) == number(lambda h: h.reachable and not h.value.has(EXECUTIVE))
    page.click_on("input[value=executive]")
    assert _shown(page) == number(lambda h: not h.reachable and not h.value.has(EXECUTIVE))
    page.click_on("#clear")
    assert _shown(page) == total
    page.click_on("#kinds input[value=code]")
    assert _shown(page) == number(lambda h: h.value.otype > 1 or not h.value.has(EXECUTE))
    page.click_on("#clear")

    library = [area for area in snapshot.areas if area.group == "libiwasm.so"]
    inside = lambda address: any(a.start <= address < a.limit for a in library)  # noqa: E731
    page.run(
        "(() => { const s = document.getElementById('from'); s.value = 'glibiwasm.so'; s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert _shown(page) == number(lambda h: h.address is not None and inside(h.address)) > 700
    assert page.run("document.querySelectorAll('#left .chosen').length") == len(
        [a for a in library if a.tags or a.rights != "---"]
    )
    page.click_on("#clear")
    page.type("#search", "CompartmentServiceEntry")

    def names(h: HeldCapability) -> str:
        holder = where(h.address) if h.address is not None else ""
        return f"{holder} {where(h.value.value & ~(1 if h.value.has(EXECUTE) else 0))}"

    assert _shown(page) == number(lambda h: "CompartmentServiceEntry" in names(h)) > 0
    assert "CompartmentServiceEntry" in page.text("#table tbody tr")
    page.click_on("#clear")
    page.type("#search", "c30")
    assert "c30 of thread 100" in page.text("#table tbody tr")
    page.click_on("#clear")
    page.type("#search", hex(library[0].start))
    address = library[0].start
    assert _shown(page) == number(
        lambda h: (
            h.value.value == address
            or h.value.base <= address < h.value.limit
            or (h.address is not None and h.address <= address < h.address + 16)
        )
    )


def test_hovering_decodes_and_clicking_keeps(page: Page, demo, tmp_path: Path) -> None:
    snapshot, where = demo
    page.open(_page(tmp_path, snapshot, where))
    page.type("#search", "c30")
    row = next(h for h in snapshot.capabilities if h.register == "c30")
    assert page.run("document.getElementById('tooltip').hidden")
    # The arrow of c30: from its name in the left column to where it points in the right one.
    name = page.run(
        "(() => { const e = [...document.querySelectorAll('.area i')].find((i) => i.textContent === 'c30');"
        " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect(); return [b.right, b.y + b.height / 2]; })()"
    )
    page.move(name[0] + 24, name[1])
    text = page.text("#tooltip")
    value = row.value
    for wanted in (
        "code capability",
        "c30 of thread 100",
        f"{value.value:#x}",
        f"[{value.base:#x}, {value.limit:#x})",
        " ".join(permission_names(value.permissions)),
        "sentry (entered by a branch)",
        f"{value.hi:016x}:{value.value:016x}",
        where(value.value & ~1),
    ):
        assert wanted in text
    page.click(name[0] + 24, name[1])
    assert "1 capability" in page.text("#details") and f"{value.hi:016x}" in page.text("#details")
    page.press("Escape")
    assert "How to read this" in page.text("#details")
    # Away from everything nothing is said.
    page.move(3, 3)
    assert page.run("document.getElementById('tooltip').hidden")


def test_a_fault_shows_its_capability_first(
    page: Page, run_morello: RunMorello, overflowing: Path, tmp_path: Path
) -> None:
    command = (DEMO[0], f"--wamr-lib={overflowing}", DEMO[2])
    done = run_morello("capmap", "--at", "fault", "-o", tmp_path / "map.html", *command)
    assert done.returncode == 0
    page.open(tmp_path / "map.html")
    text = page.text("#details")
    assert "The fault is about this one. capability bounds fault: strb" in text and "c0 of thread 100" in text
    assert "past the end by 1" in page.text("#moment") and "within reach of Restricted code" in text


def test_areas_and_table_without_a_mouse(page: Page, demo, tmp_path: Path) -> None:
    snapshot, where = demo
    page.open(_page(tmp_path, snapshot, where))
    label = page.run("document.querySelector('#left button.restricted').getAttribute('aria-label')")
    assert label.endswith("within reach of Restricted code")
    page.run("document.querySelector('#left button.restricted').focus()")
    page.press("Tab")
    assert page.run("document.activeElement.className.startsWith('area')")
    page.run("document.querySelector('#left button.restricted').click()")
    # It is the library's first segment, which holds none.
    assert _shown(page) == 0 and page.text("#pager").split()[2] == "none"
    assert (
        page.run("document.querySelector('#left button.restricted').getAttribute('aria-pressed')") == "true"
    )
    page.run("document.getElementById('clear').click()")
    assert _shown(page) == snapshot.total
    assert page.run("document.querySelectorAll('#table tbody tr').length") == 100
    page.run("document.querySelector('#pager button:last-child').click()")
    assert "101–200 of" in page.text("#pager")
    page.run("document.querySelector('#table tbody tr').focus()")
    page.press("Enter")
    assert "1 capability" in page.text("#details")
    # Every control says what it is.
    unnamed = page.run(
        "[...document.querySelectorAll('button, input, select')].filter((e) => !(e.textContent.trim() || e.labels?.length || e.ariaLabel)).length"
    )
    assert unnamed == 0
    assert page.run("[...document.querySelectorAll('h1, h2')].map((e) => e.tagName)")[0] == "H1"


def test_light_and_dark_pages_can_be_read(page: Page, demo, tmp_path: Path) -> None:
    snapshot, where = demo
    page.open(_page(tmp_path, snapshot, where))
    contrast = """(() => {
      const light = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
        .map((c) => (c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)); return .2126 * r + .7152 * g + .0722 * b; };
      const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; }
        return 'rgb(255, 255, 255)'; };
      return Math.min(...[...document.querySelectorAll('h1, h1 span, p, b, small, td, td em, dt, dd, button, label, legend, .idle, .area i, li')]
        .filter((e) => e.textContent.trim() && e.getClientRects().length).map((e) => {
          const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x); return (a + .05) / (b + .05); }));
    })()"""
    colours = []
    for dark in (False, True):
        page.dark(dark)
        assert page.run(contrast) >= 4.5
        colours.append(page.run("getComputedStyle(document.body).backgroundColor"))
        picture = page.run("document.getElementById('arrows').toDataURL().length")
        assert picture > 20_000
    assert colours[0] != colours[1]


def test_guest_text_stays_text(page: Page, tmp_path: Path) -> None:
    evil = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>{{data}}"
    area = MappedArea(0x10000, 0x20000, "rw-", evil, evil, False, {0: 1})
    held = HeldCapability(0x10000, CAP_MAX.set_value(0x10010), True)
    registers = HeldCapability(None, CAP_MAX, False, evil, 1)
    snapshot = Snapshot(evil, [evil], evil, 1, True, [evil], [area], [held, registers], 2, 4096)
    page.open(_page(tmp_path, snapshot, lambda _: evil))
    page.run("document.querySelector('#table tbody tr').click()")
    page.settle()
    assert page.run("window.broken === undefined")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert evil in page.text("#table") and page.run("document.title") == f"Capability map: {evil}"


def test_a_hundred_thousand_capabilities(page: Page, tmp_path: Path) -> None:
    chance = random.Random(5)
    tags = dict.fromkeys(range(0, 2048, 9), 64)
    areas = [
        MappedArea(0x4000_0000 + (n << 24), 0x4080_0000 + (n << 24), "rw-", "", f"lib{n}.so", False, tags)
        for n in range(40)
    ]
    held = []
    for n in range(100_000):
        home, aim = areas[n % 40], chance.choice(areas)
        address = home.start + 9 * 4096 * (n // 40 % len(tags)) + 16 * (n % 256)
        target = aim.start + chance.randrange(0x7F_0000) & -16
        value = (
            CAP_MAX.set_value(target)
            .set_bounds(64, exact=True)
            .clear_permissions(chance.choice((0, EXECUTE, EXECUTE | STORE)))
        )
        held.append(HeldCapability(address, value, n % 4 == 0))
    snapshot = Snapshot(
        "large", ["large"], "at exit", 10**9, True, ["lib1.so"], areas, held, 100_000, 1 << 28
    )
    page.open(_page(tmp_path, snapshot, lambda address: f"f{address % 997}"))
    assert page.text("#status") == "All 100,000 capabilities are shown." and _shown(page) == 100_000
    # All are drawn, as arrows for many at a time.
    assert 100 < int(page.run("document.getElementById('arrows').dataset.arrows")) <= 3000
    page.run("document.querySelector('input[value=restricted]').click()")
    assert _shown(page) == 25_000
    box = page.box("#left button")
    page.move(box["x"] + 100, box["y"] + box["height"] / 2)
    assert "capabilities" in page.text("#tooltip") and "click to list them all" in page.text("#tooltip")
    # An area's own arrows are drawn more finely.
    page.run("document.querySelector('#left button').click()")
    assert _shown(page) == sum(1 for n in range(0, 100_000, 4) if n % 40 == 0)


def test_pointers_to_nowhere_and_odd_shapes(page: Page, tmp_path: Path) -> None:
    area = MappedArea(0x10000, 0x12000, "r--", "", "lib", True, {1: 4})
    values = [
        CAP_MAX.set_value(0xFFFF_FFFF_FFFF_FFF0),
        CAP_MAX.set_value(0x12000).set_bounds(0, exact=True),
        CAP_MAX.set_value(0x11000).set_bounds(0x1000, exact=True).with_object_type(0x1234),
        CAP_MAX.clear_permissions((1 << 18) - 1 & ~int(Perm.SEAL)),
    ]
    held = [HeldCapability(0x11000 + 16 * n, value, False) for n, value in enumerate(values)]
    page.open(
        _page(tmp_path, Snapshot("odd", [], "at exit", 0, True, [], [area], held, 1_000_000, 0), lambda _: "")
    )
    assert (
        page.text("#status")
        == "All 4 capabilities are shown (4 of 1,000,000 are in this page, evenly chosen)."
    )
    assert "0xfffffffffffffff0" in page.text("#table") and "all of memory" in page.text("#table")
    assert "unmapped addresses" in page.text("#right")
    for row in range(4):
        page.run(f"document.querySelectorAll('#table tbody tr')[{row}].click()")
    assert "[0x0, 0x10000000000000000)" in page.text("#details") and "Seal" in page.text("#details")


def test_a_program_without_capabilities(page: Page, run_morello: RunMorello, tmp_path: Path) -> None:
    source = ".text\n.globl _start\n_start:\nmov x0, #0\nmov x8, #94\nsvc #0\n"
    (tmp_path / "p.o").write_bytes(assemble_source(source, "p.S", c64=False))
    assert linker.main([str(tmp_path / "p.o"), "-o", str(tmp_path / "p")]) == 0
    done = run_morello("capmap", tmp_path / "p", "-o", tmp_path / "p.html")
    assert done.returncode == 0
    page.open(tmp_path / "p.html")
    assert page.text("#status").startswith("This program is plain AArch64")
    assert "[stack]" in page.run(
        "document.getElementById('left').textContent + [...document.querySelectorAll('.idle')].map((e) => e.title).join()"
    )
