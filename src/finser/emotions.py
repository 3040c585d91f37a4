"""Emotions by name: the default set of classes, and the numbers of classes."""

from collections.abc import Iterable, Sequence

from finser.errors import FinserError

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")  # default of `emotions` in params.yaml


def numbers(names: Iterable[str], classes: Sequence[str], where: object, do: str) -> list[int]:
    """Return the place of every name among the classes.

    Parameters
    ----------
    names : iterable of str
        Emotions of clips.
    classes : sequence of str
        The classes, in their order.
    where : object
        The file that the names are from, for the message.
    do : str
        What to do about a name that is no class, for the message.

    Raises
    ------
    FinserError
        A name is no class.
    """
    places = {emotion: place for place, emotion in enumerate(classes)}
    try:
        return [places[name] for name in names]
    except KeyError as unknown:
        raise FinserError(f"the emotion {unknown} is no class", where=where, expected=", ".join(classes), do=do) from None
