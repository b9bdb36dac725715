"""Version scripts, as far as they hide symbols: `{ global: a; b*; local: *; };`.

Version names are accepted, but definitions get no version of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from loader.link.errors import LinkError


@dataclass(slots=True)
class VersionScript:
    """Patterns of `global:` and `local:`; an exact name beats a pattern, global beats local."""

    global_: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)

    def is_local(self, name: str) -> bool:
        """Whether a definition of `name` is hidden."""
        if not self.local or name in self.global_:
            return False
        if name in self.local:
            return True
        if any(fnmatchcase(name, pattern) for pattern in self.global_):
            return False
        return any(fnmatchcase(name, pattern) for pattern in self.local)


def parse_version_script(text: str) -> VersionScript:
    """Raises LinkError when it can't be read."""
    script = VersionScript()
    text = re.sub(r"/\*.*?\*/|#[^\n]*", " ", text, flags=re.DOTALL)
    depth = 0
    current = script.global_
    for token in re.findall(r'[{};]|global\s*:|local\s*:|"[^"]*"|[^\s{};:]+|:', text):
        if token == "{":
            depth += 1
            current = script.global_
        elif token == "}":
            depth -= 1
        elif token.startswith("global") and token.endswith(":"):
            current = script.global_
        elif token.startswith("local") and token.endswith(":"):
            current = script.local
        elif depth and token not in ";:":
            current.append(token.strip('"'))
    if depth:
        raise LinkError("the version script has unbalanced braces")
    return script
