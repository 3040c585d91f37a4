"""ComParE_2016: 6,373 functionals of 65 low-level descriptors and their deltas, computed by openSMILE.

Source: Schuller et al. 2016, "The INTERSPEECH 2016 Computational Paralinguistics Challenge: Deception, Sincerity & Native Language",
Interspeech. The set is that of the challenges of 2013 and later.
"""

import numpy as np

from finser.features import open_smile
from finser.features.rows import Reader, Row

DIM, FEATURES = 6373, ()  # what :func:`of_row` returns, and what it reads of a row beside the samples


def of_row(row: Row) -> np.ndarray:
    """Return the functionals of a clip's samples as one frame, float32, shape (1, 6373); see :func:`open_smile.functionals`."""
    return open_smile.functionals("ComParE_2016", row)


def reader() -> Reader:
    """Return the reader of the 6,373 functionals of a clip, shape (6373,)."""
    return open_smile.reader("compare_2016", of_row)
