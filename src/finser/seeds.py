"""Random draws that depend on the seed and on names (of a clip, a model, a fold), never on order, time or worker."""

import hashlib

import numpy as np


def seed_for(*names: object) -> int:
    """A 63-bit seed from any names, e.g. ``seed_for(params.seed, clip_id, "noise")``; equal on every platform."""
    digest = hashlib.sha256("|".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(*names: object) -> np.random.Generator:
    """NumPy's PCG64 generator, seeded by :func:`seed_for`."""
    return np.random.Generator(np.random.PCG64(seed_for(*names)))
