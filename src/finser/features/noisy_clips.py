"""Readers of the test clips in noise that stage `noisy` wrote; they need none of the code that adds the noise."""

from collections.abc import Collection

from finser import layout
from finser.audio.shards import Only, read_aligned
from finser.features.rows import Row, Source
from finser.files import read_json


def variant(kind: str, snr_db: float) -> str:
    """Return the variant of a noisy clip: ``white_10``, ``babble_-5``."""
    return f"{kind}_{snr_db:g}"


def noisy_clips(protocol: str, fold: int) -> list[str]:
    """Return the clip_ids of the test clips that stage `noisy` added noise to."""
    return read_json(layout.noisy(protocol, fold) / "clips.json")["clips"]


def read_noisy(source: Source, protocol: str, fold: int, name: str, clip_ids: Collection[str]) -> dict[str, object]:
    """Return the outputs of `source` for the noisy variant `name` of some clips, by clip_id.

    Clips that no noise was added to are missing.

    Parameters
    ----------
    name : str
        As :func:`variant` gives it.
    """
    folder, only = layout.noisy(protocol, fold), Only(clip_ids, [name])
    pairs = read_aligned(folder / "shards", folder / "labels", source.features or ("rms",), only)
    return {audio.clip_id: source.convert(Row(audio.clip_id, name, audio.audio, label.features)) for audio, label in pairs}
