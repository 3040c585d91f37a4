import ast
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import finser
from finser.audio.frames import HOP_LENGTH, N_FFT, SR, frames, n_frames, to_float


def test_int16_becomes_exact_float32():
    values = np.array([-32768, -1, 0, 1, 32767], np.int16)
    assert to_float(values).dtype == np.float32
    assert np.array_equal(to_float(values).astype(np.float64) * 32768, values)


@given(st.integers(1, 6000))
def test_frame_t_is_the_padded_clip_from_512_t(n):
    y = np.arange(1, n + 1, dtype=np.int16)
    framed, padded = frames(y), np.concatenate([np.zeros(1024), y, np.zeros(1024)])
    assert framed.shape == (n // 512 + 1, 2048) == (n_frames(n), N_FFT)
    for t in range(len(framed)):
        assert np.array_equal(framed[t], padded[HOP_LENGTH * t : HOP_LENGTH * t + 2048])


def test_a_frame_is_centred_on_its_sample():
    y = np.zeros(4000, np.int16)
    y[1024] = 7
    assert frames(y)[2, 1024] == 7


def test_rate_and_framing_stand_in_one_module():
    """As numbers, apart from what only happens to be equal: the schema's literal, eSpeak's own rate."""
    source = Path(finser.__file__).parent
    found = {value: set() for value in (SR, N_FFT)}
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in found:
                found[node.value].add(path.relative_to(source).as_posix())
    others = {name for name in found[SR] if name.startswith("config/")} | {"synthetic/espeak.py"}
    assert found == {SR: {"audio/frames.py"} | others, N_FFT: {"audio/frames.py"}}
