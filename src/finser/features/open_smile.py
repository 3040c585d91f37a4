"""openSMILE's functionals of a clip, for the representations :mod:`finser.features.egemaps` and :mod:`finser.features.compare_2016`.

openSMILE is the optional extra `opensmile`. Its licence allows private, research and educational use, and no commercial products.

It gets clips at 16,000 Hz, because its values depend on the sampling rate: spectral moments, for example, include all frequencies up to
half the rate. The mel bands of both sets end at 8,000 Hz, and openSMILE's authors suggest this rate (opensmile-python, issue 58).
``bench/open_smile.py`` compares the functionals of clips stored at 22,050 Hz with those of the same recordings at 16,000 Hz.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import soxr

from finser.audio.frames import SR, to_float, to_int16
from finser.config.inputs import check_open_smile
from finser.errors import FinserError
from finser.features.rows import Reader, Row

if TYPE_CHECKING:
    import opensmile

RATE = 16_000  # Hz
QUALITY = "HQ"  # quality of soxr
SHORTEST = 960  # samples, 60 ms: the longest window of both sets; openSMILE gives NaN for shorter signals


def reader(representation: str, of_row: Callable[[Row], np.ndarray]) -> Reader:
    """Return the reader of a clip's functionals, shape (dim,): stored ones, or computed from the samples.

    Parameters
    ----------
    representation : str
        Name of the representation, the key of a stored row.
    of_row : callable
        Row -> float32, shape (1, dim).

    Raises
    ------
    FinserError
        opensmile is not installed. Evaluation in noise and predictions need it, although training reads stored functionals.
    """
    check_open_smile()
    return Reader(
        lambda row: (row.features[representation] if representation in row.features else of_row(row))[0], audio=True, stored=representation
    )


def functionals(feature_set: str, row: Row) -> np.ndarray:
    """Return a clip's functionals: ``opensmile.Smile(feature_set, FeatureLevel.Functionals)`` of the clip at 16,000 Hz.

    The clip is resampled by soxr and rounded to int16, in which openSMILE computes: it would wrap samples that exceed full scale, so that
    :func:`finser.audio.frames.to_int16` scales such a clip down. A clip shorter than 60 ms is padded with zeros to this length. Digital
    silence has finite values: most are 0, and those of absent voice are constants of openSMILE.

    Parameters
    ----------
    feature_set : str
        A name of ``opensmile.FeatureSet``.
    row : Row
        Its samples are read.

    Returns
    -------
    np.ndarray
        float32, shape (1, dim), in the order and the units of ``opensmile.Smile.feature_names``.

    Raises
    ------
    FinserError
        opensmile is not installed, or a value is not finite.
    """
    y = soxr.resample(to_float(row.audio), SR, RATE, quality=QUALITY)  # (n,)
    exact = to_float(to_int16(y)[0])  # opensmile multiplies by 32,768 and gets the same integers
    values = _smile(feature_set)(np.pad(exact, (0, max(SHORTEST - len(exact), 0))), RATE)[:, :, 0]  # (1, dim)
    if wrong := int((~np.isfinite(values)).sum()):
        found, do = f"{wrong} of {values.size} values", "exclude the clip: index.exclude in params.yaml"
        raise FinserError(f"openSMILE gives values of {feature_set} that are not finite", where=row.clip_id or None, found=found, do=do)
    return values.astype(np.float32)


@cache
def _smile(feature_set: str) -> "opensmile.Smile":
    check_open_smile()
    import opensmile

    return opensmile.Smile(feature_set=opensmile.FeatureSet[feature_set], feature_level=opensmile.FeatureLevel.Functionals)
