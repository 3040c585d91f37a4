"""Faults of real copies of the corpora, added to the synthetic ones, so that every run tests the readers on them.

Each kind occurs in a real release or in a common copy of it (docs/corpora.md).
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
import soxr

from finser.synthetic.plans import ClipPlan

QUIET_RMS = 5e-4  # of full scale
_HIGH_RATE = 96_000  # Hz


@dataclass(frozen=True)
class Oddity:
    """One fault of one file.

    Parameters
    ----------
    kind : str
        One of the kinds in :func:`oddities`.
    path : str
        Path of the file in the plan, relative to the corpus's folder.
    other : str
        For ``copy`` the file that it is a copy of; for ``misnamed`` the name that it gets.
    """

    kind: str
    path: str
    other: str = ""


def oddities(corpus: str, clips: list[ClipPlan]) -> list[Oddity]:
    """Return the oddities of a corpus, each on a file of its own; those whose clips the plan lacks are left out.

    ========  ============================================================================================================
    RAVDESS   ``stereo``: two equal channels; ``copy``: byte-identical to another take of the same actor and emotion;
              ``quiet``: speech with an RMS of 5e-4, to be kept
    CREMA-D   ``silent``: digital silence, 1076_MTI_SAD_XX as in the real corpus; ``copy``: byte-identical to another emotion
              of the same actor and sentence, so that one label must be wrong; ``misnamed``: ends in _X in place of _XX
    TESS      ``aiff``: AIFF under the name .wav; ``high_rate``: 96 kHz; ``misnamed``: OA_ in place of OAF_; and uneven folder
              names, which are part of the plan
    ESD       ``missing``: in the transcript but not there; ``bom``: a transcript that begins with a byte order mark; and
              Chinese labels, which are part of the plan
    SAVEE     none, but loud clips reach full scale
    ========  ============================================================================================================

    Parameters
    ----------
    corpus : str
        Corpus id.
    clips : list of Clip
        Its plan.
    """
    planners = {"ravdess": _ravdess, "crema_d": _crema_d, "tess": _tess, "esd": _esd}
    return list(planners[corpus](clips)) if corpus in planners else []


def plant(folder: Path, found: list[Oddity]) -> None:
    """Apply oddities to the files under `folder`."""
    for oddity in found:
        _PLANT[oddity.kind](folder / oddity.path, folder / oddity.other)


# ------------------------------------------------------------------------------------------------------------------ where


def _pick(clips: Iterable[ClipPlan], emotion: str, part: str = "") -> str | None:
    """Return the path of the first clip of an emotion, preferably one whose path contains `part`."""
    paths = [clip.path for clip in clips if clip.emotion == emotion]
    return next((path for path in paths if part in path), paths[0] if paths else None)


def _pair(clips: list[ClipPlan], emotion: str, other: str, same: Callable[[ClipPlan, ClipPlan], bool]) -> list[Oddity]:
    """Return the first clip of `emotion` as a copy of the first one of emotion `other` that `same` accepts."""
    for clip in (clip for clip in clips if clip.emotion == emotion):
        for source in (clip for clip in clips if clip.emotion == other):
            if clip != source and clip.speaker == source.speaker and same(clip, source):
                return [Oddity("copy", clip.path, source.path)]
    return []


def _ravdess(clips: list[ClipPlan]) -> list[Oddity]:
    repeated = _pair(clips, "happy", "happy", lambda one, two: one.text == two.text and one.take[0] == two.take[0])
    pair = repeated or _pair(clips, "happy", "happy", lambda one, two: True)
    return [Oddity("stereo", _pick(clips, "calm")), *pair, Oddity("quiet", _pick(clips, "sad"))]


def _crema_d(clips: list[ClipPlan]) -> list[Oddity]:
    silent = [Oddity("silent", clip.path) for clip in clips if clip.path.endswith("1076_MTI_SAD_XX.wav")]
    last_first = list(reversed(clips))
    pair = _pair(last_first, "happy", "neutral", lambda one, two: one.text == two.text and one.take == two.take)
    odd = _pick(last_first, "angry", "_XX")
    return [*silent, *pair, Oddity("misnamed", odd, odd.replace("_XX", "_X"))]


def _tess(clips: list[ClipPlan]) -> list[Oddity]:
    odd = _pick(clips, "neutral", "OAF_bite")
    return [
        Oddity("aiff", _pick(reversed(clips), "angry", "_germ_")),
        Oddity("high_rate", _pick(clips, "fear", "OAF_food")),
        Oddity("misnamed", odd, odd.replace("/OAF_", "/OA_")),
    ]


def _esd(clips: list[ClipPlan]) -> list[Oddity]:
    of_kind = [clip for clip in clips if (clip.speaker, clip.emotion) == (clips[-1].speaker, clips[-1].emotion)]
    missing = [Oddity("missing", clips[-1].path)] if len(of_kind) > 1 else []
    mandarin = [clip.speaker for clip in clips if clip.language == "zh"][:1]
    return missing + [Oddity("bom", f"{speaker}/{speaker}.txt") for speaker in mandarin]


# ------------------------------------------------------------------------------------------------------------------- what


def _silent(path: Path, other: Path) -> None:
    samples, rate = _read(path)
    write_wav(path, np.zeros_like(samples), rate)


def _copy(path: Path, other: Path) -> None:
    shutil.copyfile(other, path)


def _misnamed(path: Path, other: Path) -> None:
    path.rename(other)


def _stereo(path: Path, other: Path) -> None:
    samples, rate = _read(path)
    write_wav(path, np.stack([samples, samples], axis=1), rate)  # (n,) -> (n, 2)


def _quiet(path: Path, other: Path) -> None:
    samples, rate = _read(path)
    rms = np.sqrt(np.mean((samples / 32768) ** 2))
    write_wav(path, np.rint(samples * (QUIET_RMS / rms)).astype(np.int16), rate)


def _aiff(path: Path, other: Path) -> None:
    samples, rate = _read(path)
    write_wav(path, samples, rate, container="AIFF")


def _high_rate(path: Path, other: Path) -> None:
    samples, rate = _read(path)
    write_wav(path, soxr.resample(samples, rate, _HIGH_RATE), _HIGH_RATE)


def _missing(path: Path, other: Path) -> None:
    path.unlink()


def _bom(path: Path, other: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


_PLANT = {
    "silent": _silent, "copy": _copy, "misnamed": _misnamed, "stereo": _stereo, "quiet": _quiet, "aiff": _aiff,
    "high_rate": _high_rate, "missing": _missing, "bom": _bom,
}  # fmt: skip


def _read(path: Path) -> tuple[np.ndarray, int]:
    return soundfile.read(path, dtype="int16")


def write_wav(path: Path, samples: np.ndarray, rate: int, container: str = "WAV") -> None:
    """Write int16 `samples`, shape (n,) or (n, channels), as 16-bit PCM."""
    encoded = BytesIO()  # libsndfile reports a full disk only as "System error."
    soundfile.write(encoded, samples, rate, subtype="PCM_16", format=container)
    path.write_bytes(encoded.getbuffer())
