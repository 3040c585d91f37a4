"""How fast clips are resampled: `python bench/resample.py FOLDER [FILES]`, reading included, against soundfile and soxr
called directly. One thread.

The direct way reads, mixes, resamples and rounds; finser's stage `resample` does so too, and sees that nothing is clipped.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from finser.audio import resample_clip
from finser.shards import SR

ROUNDS = 7


def directly(path: Path) -> np.ndarray:
    """What anybody would write."""
    y, sr = soundfile.read(path, dtype="float64", always_2d=True)
    return np.rint(soxr.resample(y.mean(axis=1), sr, SR, quality="HQ") * 32_768).clip(-32_768, 32_767).astype(np.int16)


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
    rounds = [(seconds_of(directly, paths), seconds_of(finsers, paths)) for _ in range(ROUNDS)]
    direct, own = (min(times) for times in zip(*rounds, strict=True))
    print(f"{len(paths)} files: directly {1000 * direct / len(paths):.2f} ms each, finser {1000 * own / len(paths):.2f} ms")
    print(f"finser is {direct / own:.2f} times as fast as soxr called directly")


if __name__ == "__main__":
    main()
