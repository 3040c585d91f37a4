"""Many faults as one error: the error quotes the first few, the log has all."""

from collections.abc import Sequence

from finser.errors import FinserError
from finser.progress import say

NAMED = 3  # faults quoted in the error; the log has all


def refuse(faults: Sequence[FinserError], where: object, do: str = "") -> None:
    """Raise one error for all `faults`, if there are any.

    Parameters
    ----------
    faults : sequence of FinserError
        One for each file that cannot be used.
    where : object
        The folder that holds the files.
    do : str, optional
        Advice for all of them.

    Raises
    ------
    FinserError
        The fault itself if it is the only one; otherwise the number of faults and the first three. All are printed on standard error first.
    """
    if len(faults) == 1:
        raise FinserError(str(faults[0]), do=do)
    if faults:
        for fault in faults:
            say(str(fault))
        more = f" ({len(faults) - NAMED} more: all are listed above)" if len(faults) > NAMED else ""
        raise FinserError(f"{len(faults)} files cannot be used", where=where, found=" | ".join(map(str, faults[:NAMED])) + more, do=do)
