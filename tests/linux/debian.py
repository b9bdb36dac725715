"""Debian's arm64 packages, fetched with apt and unpacked below a cache folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(tempfile.gettempdir()) / "morello-emulator-debian-arm64"


def unpacked(name: str, *packages: str) -> Path:
    """A tree with the packages unpacked; skips the test when apt can't deliver them."""
    tree = CACHE / name
    if (tree / ".complete").is_file():
        return tree
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("no apt on this machine")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    download = tree / "download"
    download.mkdir()
    steps = [
        ["dpkg", "--add-architecture", "arm64"],
        ["apt-get", "update"],
        ["apt-get", "download", *(f"{package}:arm64" for package in packages)],
    ]
    for step in steps:
        done = subprocess.run(step, cwd=download, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            shutil.rmtree(tree, ignore_errors=True)
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"{' '.join(step[:2])} failed: {reason}")
    for archive in sorted(download.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(archive), str(tree)], check=True, timeout=120)
    shutil.rmtree(download)
    (tree / "tmp").mkdir(exist_ok=True)
    (tree / ".complete").touch()
    return tree
