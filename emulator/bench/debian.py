"""Debian's static arm64 busybox, fetched with apt without touching the machine's own package lists."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_TIMEOUT = 300


class UnavailableError(Exception):
    """It can't be had here; the text says why."""


def busybox(folder: Path) -> str:
    """Path of an unpacked busybox; `folder` is for what apt needs meanwhile. Raises UnavailableError."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UnavailableError("no apt on this machine to fetch Debian's busybox")
    apt = folder / "apt"
    for part in ("state/lists/partial", "cache/archives/partial", "download"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
    }
    options = [item for name, value in settings.items() for item in ("-o", f"{name}={value}")]
    _run(["apt-get", *options, "update"], apt / "download")
    _run(["apt-get", *options, "download", "busybox-static"], apt / "download")
    tree = folder / "busybox"
    for archive in (apt / "download").glob("*.deb"):
        _run(["dpkg", "-x", str(archive), str(tree)], apt)
    if not (tree / "bin" / "busybox").is_file():
        raise UnavailableError("Debian's package holds no bin/busybox")
    return str(tree / "bin" / "busybox")


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{command[0]} didn't finish in {_TIMEOUT} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"{command[0]} failed: {reason}")
