"""Errors that a user can correct; each prints as one line."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class FinserError(Exception):
    """Bad input or a bad state of the disk, said in one line: what, where, expected, found, what to do.

    Parameters
    ----------
    what : str
        The problem in a few words, e.g. ``"unknown emotion code '09'"``.
    where : object, optional
        The file, folder or key that is at fault.
    expected, found : object, optional
        What was asked for, and what was there instead.
    do : str, optional
        What the user can do about it.

    Attributes
    ----------
    brief : str
        The error without `where` and `do`, which may differ between machines.
    where : object
        As given.
    """

    def __init__(self, what: str, *, where: object = None, expected: object = None, found: object = None, do: str = "") -> None:
        self.where = where
        parts = [what]
        if expected is not None:
            parts.append(f"expected {expected}")
        if found is not None:
            parts.append(f"found {found}")
        self.brief = " ".join("; ".join(parts).split())
        parts = [self.brief if where is None else f"{where}: {self.brief}", *([do] if do else [])]
        super().__init__(" ".join("; ".join(parts).split()))


class FinserErrors(FinserError):
    """Several errors of one file, a line each, in the order given and without repetitions."""

    def __init__(self, errors: Sequence[FinserError]) -> None:
        self.where = None
        self.brief = "\n".join(dict.fromkeys(map(str, errors)))
        Exception.__init__(self, self.brief)


def lines(error: object) -> str:
    """What a user sees of an error: ``error: ...``, a line for each of several."""
    return "\n".join(f"error: {line}" for line in str(error).splitlines())


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice for a mistyped `name`: the nearest of the `known` names, or all of them."""
    known = sorted(known)
    if not known:
        return "there is none"
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
