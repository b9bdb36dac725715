"""Copies built images to `images/` with a manifest, or compares them (`python -m guest.manifest`)."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from morello_isa.errors import EXIT_DIAGNOSTICS

MANIFEST = "manifest.json"


def describe(folder: Path, names: Sequence[str]) -> dict[str, dict[str, object]]:
    """Size in bytes and SHA-256 of each file."""
    entries: dict[str, dict[str, object]] = {}
    for name in names:
        data = (folder / name).read_bytes()
        entries[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return entries


def install(built: Path, images: Path, names: Sequence[str]) -> None:
    """Replace the images and write their manifest."""
    images.mkdir(exist_ok=True)
    for name in names:
        target = images / name
        target.write_bytes((built / name).read_bytes())
        target.chmod((built / name).stat().st_mode & 0o777)
    text = json.dumps(describe(built, names), indent=2) + "\n"
    (images / MANIFEST).write_text(text, encoding="utf-8")


def check(built: Path, images: Path, names: Sequence[str]) -> list[str]:
    """One sentence for every image that is not what was built, or whose manifest entry is not."""
    try:
        recorded = json.loads((images / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"{images / MANIFEST}: {error}"]
    complaints = []
    for name, entry in describe(built, names).items():
        target = images / name
        if not target.is_file() or target.read_bytes() != (built / name).read_bytes():
            complaints.append(f"{target} is not what guest/ builds; 'make images' renews it")
        if recorded.get(name) != entry:
            complaints.append(f"{images / MANIFEST} says something else of {name} than what guest/ builds")
    return complaints


def main(argv: Sequence[str]) -> int:
    """Run `install` or `check`; 1 when something differs."""
    action, built, images, names = argv[0], Path(argv[1]), Path(argv[2]), argv[3:]
    if action == "install":
        install(built, images, names)
        return 0
    complaints = check(built, images, names)
    for complaint in complaints:
        sys.stderr.write(complaint + "\n")
    if not complaints:
        sys.stdout.write(f"images: {len(names)} files are what guest/ builds\n")
    return EXIT_DIAGNOSTICS if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
