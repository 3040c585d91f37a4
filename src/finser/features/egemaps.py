"""eGeMAPSv02: 88 functionals of pitch, loudness, formants, voice quality and spectrum, computed by openSMILE.

Source: Eyben et al. 2016, "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and Affective Computing", IEEE
Transactions on Affective Computing 7(2). v02 is the revision that openSMILE recommends.
"""

import numpy as np

from finser.features import open_smile
from finser.features.rows import Reader, Row

FEATURES = ()  # what :func:`of_row` reads of a row beside the samples
DIM = 88


def of_row(row: Row) -> np.ndarray:
    """Return the functionals of a clip's samples as one frame, float32, shape (1, 88); see :func:`open_smile.functionals`."""
    return open_smile.functionals("eGeMAPSv02", row)


def reader() -> Reader:
    """Return the reader of the 88 functionals of a clip, shape (88,)."""
    return open_smile.reader("egemaps", of_row)
