"""The granted view: what a guest path leads to, and that nothing leads outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import HostNode, View, VirtualDirectory, canonical
from emulator.linux.session import Request, build_view, named_files
from morello_isa.errors import UserError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "bin" / "sh").write_text("sh")
    (root / "etc" / "passwd").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "relative").symlink_to("../secret")
    (root / "good").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("../../../../..")
    return root


def rooted(tree: Path) -> View:
    view = View()
    view.grant(tree, "/", True)
    return view


def host(view: View, path: str, start: str = "/", follow: bool = True) -> str | None:
    node = view.walk(path, start, follow).node
    return node.path if isinstance(node, HostNode) else None


def errno(view: View, path: str) -> Errno:
    with pytest.raises(SyscallError) as caught:
        view.walk(path, "/").existing()
    return caught.value.errno


def test_paths_below_the_root(tree) -> None:
    view = rooted(tree)
    assert host(view, "/bin/sh") == str(tree / "bin" / "sh")
    assert host(view, "sh", "/bin") == str(tree / "bin" / "sh")
    assert host(view, "//bin/./../bin//sh") == str(tree / "bin" / "sh")
    assert host(view, "/good") == str(tree / "etc" / "passwd")
    assert host(view, "/good", follow=False) == str(tree / "good")


@pytest.mark.parametrize(
    "path", ["/../secret", "/../../../../etc/hostname-of-host", "/absolute", "/relative", "/up/secret"]
)
def test_nothing_leads_outside(tree, path) -> None:
    assert errno(rooted(tree), path) in (Errno.ENOENT, Errno.ENOTDIR)


def test_dot_dot_stops_at_the_root(tree) -> None:
    view = rooted(tree)
    assert host(view, "/../../bin/sh") == str(tree / "bin" / "sh")
    assert view.walk("/up", "/").path == "/"


def test_error_numbers(tree) -> None:
    view = rooted(tree)
    assert errno(view, "/loop") is Errno.ELOOP
    assert errno(view, "/bin/sh/x") is Errno.ENOTDIR
    assert errno(view, "/bin/sh/") is Errno.ENOTDIR
    assert errno(view, "/missing") is Errno.ENOENT
    assert errno(view, "/missing/x") is Errno.ENOENT
    assert errno(view, "") is Errno.ENOENT
    assert errno(view, "/" + "a" * 300) is Errno.ENAMETOOLONG
    assert errno(view, "/" + "a/" * 3000) is Errno.ENAMETOOLONG


def test_a_single_file_grants_only_itself(tmp_path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "yes").write_text("1")
    (tmp_path / "d" / "no").write_text("2")
    view = View()
    view.grant(tmp_path / "d" / "yes", "/work/d/yes", False)
    assert host(view, "/work/d/yes") == str(tmp_path / "d" / "yes")
    assert errno(view, "/work/d/no") is Errno.ENOENT
    assert errno(view, "/work/d/yes/../no") is Errno.ENOTDIR
    directory = view.walk("/work/d", "/").node
    assert isinstance(directory, VirtualDirectory) and directory.names == ("yes",)
    with pytest.raises(SyscallError) as caught:
        view.walk("/work/d/yes", "/").host_parent_writable()
    assert caught.value.errno is Errno.EROFS


def test_default_view_is_the_files_named_on_the_command_line(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("program", "data", "lib.so", "other"):
        Path(name).write_text(name)
    assert named_files(["data", "--lib=lib.so", "-v", "--x=", "missing", "."]) == ["data", "lib.so"]
    view = build_view(Request("program", ["data", "--lib=lib.so"]))
    here = str(tmp_path)
    for name in ("program", "data", "lib.so"):
        place = view.walk(name, here)
        assert isinstance(place.node, HostNode) and not place.writable
    assert errno(view, f"{here}/other") is Errno.ENOENT


def test_granted_directories_are_writable_at_their_place(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("program").write_text("x")
    view = build_view(Request("program", directories=[("d", "/data")]))
    assert view.walk("/data/new", "/").host_parent_writable() == str(tmp_path / "d" / "new")
    with pytest.raises(UserError, match="not a directory"):
        build_view(Request("program", directories=[("program", None)]))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["..", ".", "a", "b", "link", "up", ""]), max_size=8), st.booleans())
def test_no_path_leaves_the_root(tmp_path_factory, parts, absolute) -> None:
    root = tmp_path_factory.getbasetemp() / "walk-root"
    if not root.exists():
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "link").symlink_to("/a/b")
        (root / "up").symlink_to("../..")
        (root / "a" / "up").symlink_to(os.pardir + "/" + os.pardir)
    view = View()
    view.grant(root, "/", True)
    path = ("/" if absolute else "") + "/".join(parts)
    try:
        place = view.walk(path, "/a")
    except SyscallError:
        return
    assert place.path == canonical(place.path)
    if place.host is not None:
        assert Path(place.host).parent.resolve().is_relative_to(root) or place.host == str(root)


READ_FILE = """
    ldr c1, [c1, #16]
    mov x0, #-100
    mov x2, #{flags}
    mov x3, #0x1a4
    syscall 56
    tbnz x0, #63, error
    mov x19, x0
    sub csp, csp, #256
    mov c1, csp
    mov x2, #100
    syscall 63
    mov x2, x0
    mov c1, csp
    mov x0, #1
    syscall 64
    mov x0, #0
    syscall 94
error:
    neg x0, x0
    syscall 94
"""


def test_a_named_file_is_readable_and_not_writable(assemble, run, tmp_path) -> None:
    data = tmp_path / "data"
    data.write_text("contents")
    reader = assemble(READ_FILE.format(flags=0))
    result = run(reader, str(data))
    assert (result.status, result.out) == (0, "contents")
    assert run(assemble(READ_FILE.format(flags=1)), str(data)).status == Errno.EROFS
    assert run(reader, str(tmp_path / "missing")).status == Errno.ENOENT
    assert run(reader, "/etc/passwd/../passwd").status == Errno.ENOENT
    assert run(reader, f"/proc/self/root{data.parent}/stdin").status == Errno.ENOENT


def test_proc_and_dev_are_the_emulators_own(assemble, run) -> None:
    reader = assemble(READ_FILE.format(flags=0))
    assert run(reader, "/proc/self/maps").out.startswith("00200000-")
    assert "Morello" in run(reader, "/proc/version").out or run(reader, "/proc/version").out.startswith(
        "Linux"
    )
    assert run(reader, "/dev/null").out == ""
    assert run(reader, "/proc/1/maps").status == Errno.ENOENT
    assert run(reader, "/proc/self/fd/0").status == 0


def test_a_granted_directory_can_be_written(assemble, run, tmp_path) -> None:
    folder = tmp_path / "granted"
    folder.mkdir()
    text = """
        ldr c1, [c1, #16]
        mov x0, #-100
        mov x2, #0x241
        mov x3, #0x1b6
        syscall 56
        tbnz x0, #63, failed
        adr c1, text
        mov x2, #5
        syscall 64
        exit_with #0
    text: .ascii "hello"
        .balign 4
    """
    request = {"directories": [(str(folder), "/data")]}
    assert run(assemble(text), "/data/new", request=request).status == 0
    assert (folder / "new").read_text() == "hello"
    assert run(assemble(text), "/other", request=request).status == 99
