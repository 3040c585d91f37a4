"""Readers of the test clips in noise that stage `noisy` wrote; they need none of the code that adds the noise."""

from collections.abc import Collection

from finser import layout
from finser.audio.shards import Only, read_aligned
from finser.errors import FinserError
from finser.features.rows import Reader, Row
from finser.files import read_json


def variant(kind: str, snr_db: float) -> str:
    """Return the variant of a noisy clip: ``white_10``, ``babble_-5``."""
    return f"{kind}_{snr_db:g}"


def noisy_clips(protocol: str, fold: int) -> list[str]:
    """Return the clip_ids of the test clips that stage `noisy` added noise to."""
    return read_json(layout.noisy(protocol, fold) / "clips.json")["clips"]


def read_noisy(reader: Reader, protocol: str, fold: int, name: str, clip_ids: Collection[str]) -> dict[str, object]:
    """Convert the noisy variant `name` of some clips to inputs of a model, by clip_id.

    Parameters
    ----------
    name : str
        As :func:`variant` gives it.

    Raises
    ------
    FinserError
        The variant of a clip is missing: it was made with other settings of ``evaluate_classifier.noise``.
    """
    folder, only = layout.noisy(protocol, fold), Only(clip_ids, [name])
    pairs = read_aligned(folder / "shards", folder / "labels", reader.features or ("rms",), only)
    inputs = {audio.clip_id: reader.convert(Row(audio.clip_id, name, audio.audio, label.features)) for audio, label in pairs}
    missing = sorted(set(clip_ids) - inputs.keys())
    if missing:
        raise FinserError(f"no {name} of {len(missing)} clips, e.g. {missing[0]}", where=folder, do="run: dvc repro")
    return inputs
