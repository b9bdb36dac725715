"""Limits that keep a run's use of the host bounded."""

from __future__ import annotations

QUANTUM = 20_000
"""Instructions that a thread runs before the next one gets its turn."""
ALONE_QUANTUM = 2_000_000
"""Likewise for a thread that has nobody to share with (then only an alarm of its own could be late)."""
TASK_LIMIT = 256
"""Threads of all processes together; more is EAGAIN."""
DEFAULT_MEMORY = 2 << 30
"""Bytes of memory that guests can use (`--memory`)."""
