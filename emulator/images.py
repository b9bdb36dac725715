"""Where the built guest images are: in the checkout, or inside the installed wheel."""

from __future__ import annotations

from pathlib import Path

from morello_isa.errors import EXIT_NOT_FOUND, UserError


def image_path(name: str) -> Path:
    """Path of `images/NAME`, beside the packages. Raises `UserError` when it was not built or installed."""
    path = Path(__file__).resolve().parent.parent / "images" / name
    if not path.is_file():
        raise UserError(f"images/{name} is missing ({path}); 'make images' builds it", EXIT_NOT_FOUND)
    return path
