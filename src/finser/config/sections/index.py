"""Section `index`."""

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from finser.config.base import Section


class Index(Section):
    """Which clips are usable."""

    silence_peak: float = Field(
        0.0, ge=0, lt=1, description="a clip whose peak does not exceed this value (full scale is 1) is silent and is excluded"
    )
    exclude: tuple[str, ...] = Field(
        (),
        description="globs of CORPUS/PATH, e.g. emodb/wav/03*; files that match one are not read, and are excluded with the glob as reason",
    )
    unreadable: Literal["refuse", "exclude"] = Field(
        "refuse", description="what to do with a damaged file: refuse to run, or exclude it with the fault as reason"
    )

    def glob_of(self, corpus: str, path: object) -> str | None:
        """Return the first glob of `exclude` that matches a file of a corpus; an asterisk also matches slashes."""
        return next((glob for glob in self.exclude if fnmatchcase(f"{corpus}/{path}", glob)), None)

    def refuses(self, corpus: str, path: object) -> bool:
        """Return whether a fault of a file is an error."""
        return self.unreadable == "refuse" and self.glob_of(corpus, path) is None
