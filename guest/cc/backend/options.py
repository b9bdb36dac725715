"""What the driver may ask of the back end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Back-end options, named as the command line's.

    optimize: 0 = no optimisation passes, 1 and more = all of them. pic: thread-local variables through
    TLS descriptors (position-independent shared objects) instead of constants of the executable.
    """

    optimize: int = 2
    debug: bool = False
    pic: bool = True
    function_sections: bool = True
    data_sections: bool = True
