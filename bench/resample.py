"""Speed of the stage `resample`, reading included, compared with direct calls of soundfile and soxr, in one thread.

Run it by `python bench/resample.py FOLDER [FILES]`. The direct calls read float32, mix several channels, resample and round. finser does
the same, and prevents clipping. soxr on int16 is timed for comparison: it clips samples that overshoot, so finser cannot use it.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from finser.audio.frames import SR
from finser.audio.resample import resample_clip

ROUNDS = 7


def directly(path: Path) -> np.ndarray:
    """soundfile and soxr in float32, the plain way."""
    y, sr = soundfile.read(path, dtype="float32")
    y = y if y.ndim == 1 else y.mean(axis=1)
    return np.rint(soxr.resample(y, sr, SR, quality="HQ") * 32_768).clip(-32_768, 32_767).astype(np.int16)


def directly_in_int16(path: Path) -> np.ndarray:
    """soxr on int16: it rounds, and clips."""
    y, sr = soundfile.read(path, dtype="int16")
    return soxr.resample(y if y.ndim == 1 else y[:, 0], sr, SR, quality="HQ")


def finsers(path: Path) -> np.ndarray:
    """The stage `resample`, without writing."""
    return resample_clip(path, SR, "HQ")[0]


def seconds_of(function: Callable[[Path], np.ndarray], paths: list[Path]) -> float:
    """Seconds of one round over all files."""
    begin = time.perf_counter()
    for path in paths:
        function(path)
    return time.perf_counter() - begin


def main() -> None:
    """Print times and their ratio; rounds alternate, and the best of each counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", nargs="?", type=int, default=60)
    given = parser.parse_args()
    paths = sorted(given.folder.rglob("*.wav"))[: given.files]
    if not paths:
        parser.error(f"no .wav file below {given.folder}")
    ways = {"directly, float32": directly, "directly, int16": directly_in_int16, "finser": finsers}
    rounds = [[seconds_of(way, paths) for way in ways.values()] for _ in range(ROUNDS)]
    best = dict(zip(ways, (min(times) for times in zip(*rounds, strict=True)), strict=True))
    for name, seconds in best.items():
        ratio = seconds / best["finser"]
        print(f"{name}: {1000 * seconds / len(paths):.2f} ms per file of {len(paths)}; finser is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
