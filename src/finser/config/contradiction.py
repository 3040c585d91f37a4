"""A contradiction between keys of params.yaml, and the sections that checks go through."""

from collections.abc import Iterator
from dataclasses import dataclass

from finser.config.fields import Fields
from finser.config.sections.classifiers import ClassifierSection


@dataclass(frozen=True)
class Contradiction:
    """Values of one or more keys that do not fit together.

    Attributes
    ----------
    line : str
        What is wrong.
    keys : tuple of str
        All keys that decide it. With another value of one of them the contradiction may vanish.
    """

    line: str
    keys: tuple[str, ...]

    def depends_on(self, path: tuple[str, ...]) -> bool:
        """Return whether the value at `path`, one above it or one below it decides the contradiction.

        The kind of a section (`model`, `source`) decides whatever any key of the section does: a section of an unknown kind is not read.
        """
        path = path[:-1] if path[2:] in (("model",), ("source",)) else path
        parts = [tuple(key.split(".")) for key in self.keys]
        return any(part[: len(path)] == path[: len(part)] for part in parts)


def sections(params: Fields) -> Iterator[tuple[str, ClassifierSection]]:
    """Every classifier's section, with its place in the file."""
    for name in ("train_classifier", "fine_tune"):
        for section, options in getattr(params, name).items():
            yield f"{name}.{section}", options
