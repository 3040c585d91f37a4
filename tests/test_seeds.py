"""Draws depend on names only."""

import hashlib

import numpy as np

from finser.seeds import generator, seed_for


def test_seed_is_the_first_63_bits_of_sha256():
    digest = hashlib.sha256(b"0|ravdess/a|noise").digest()
    assert seed_for(0, "ravdess/a", "noise") == int.from_bytes(digest[:8], "little") // 2


def test_names_are_told_apart():
    assert len({seed_for(a, b) for a in range(20) for b in ("x", "y", "z")}) == 60


def test_generator_repeats():
    np.testing.assert_array_equal(generator(1, "a").uniform(size=5), generator(1, "a").uniform(size=5))
