"""How fast clips are resampled: `python bench/resample.py FOLDER [FILES]`, reading included, against soundfile and soxr
called directly. One thread.

The direct way reads float32, mixes where there is something to mix, resamples and rounds; finser's stage `resample` does so, too, and
sees that nothing is clipped. soxr on int16 is shown beside: it clips what overshoots, so that finser cannot use it.
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
    """What anybody would write."""
    y, sr = soundfile.read(path, dtype="float32")
    y = y if y.ndim == 1 else y.mean(axis=1)
    return np.rint(soxr.resample(y, sr, SR, quality="HQ") * 32_768).clip(-32_768, 32_767).astype(np.int16)


def directly_in_int16(path: Path) -> np.ndarray:
    """Without floats: soxr itself rounds, and clips."""
    y, sr = soundfile.read(path, dtype="int16")
    return soxr.resample(y if y.ndim == 1 else y[:, 0], sr, SR, quality="HQ")


def finsers(path: Path) -> np.ndarray:
    """The stage, without writing."""
    return resample_clip(path, SR, "HQ")[0]


def seconds_of(function: Callable[[Path], np.ndarray], paths: list[Path]) -> float:
    """One round over all files."""
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
