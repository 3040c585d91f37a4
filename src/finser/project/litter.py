"""Files of editors, file managers and network file systems, which DVC and finser ignore alike."""

from functools import cache
from pathlib import Path

from pathspec import GitIgnoreSpec

PATTERNS = Path(".dvcignore")


def is_litter(path: Path) -> bool:
    """Return whether .dvcignore of the current folder lists a relative path, or a folder above it."""
    text = PATTERNS.read_text(encoding="utf-8") if PATTERNS.exists() else ""
    return _spec(text).match_file(path.as_posix())


@cache
def _spec(text: str) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(text.splitlines())
