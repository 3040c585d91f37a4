"""Print what predictions cost: `python bench/predict.py FOLDER [--bundle BUNDLE] [--memory]`.

FOLDER holds recordings, such as RAVDESS. The first 200 are predicted. Printed are the CPU time of a whole `finser predict` of one clip, the
clips per second of CPU, and the CPU time of librosa.load for the same clips, which only reads and resamples them. With --memory, also the
peak memory over 10,000 files, and over a recording of ten hours.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile

from finser.audio.frames import SR
from finser.predict.predictor import LocalPredictor

CLIPS, FILES, HOURS = 200, 10_000, 10


def cpu(function: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    begun = time.process_time()
    function()
    return time.process_time() - begun


def start_up(path: Path, bundle: list[str]) -> float:
    """Return the CPU seconds of `finser predict` of one clip, from the start of Python to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "finser", "predict", *bundle, str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def consumed(predictions: Iterable[object]) -> int:
    """Return the number of predictions."""
    return sum(1 for _ in predictions)


def peak() -> float:
    """Return the peak memory of this process in MB, as Linux knows it; getrusage includes that of the parent before this program began."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def memory(predictor: LocalPredictor, paths: list[Path]) -> None:
    """Print the peak memory over many files, and over a long one."""
    consumed(predictor.predict_all(paths))
    print(f"peak memory: {peak():.0f} MB after {len(paths):,} files", end="")
    many = [paths[number % len(paths)] for number in range(FILES)]
    consumed(predictor.predict_all(many))
    print(f", {peak():.0f} MB after {FILES:,}", end="")
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "long.wav"
        hour = (3000 * np.random.default_rng(0).standard_normal(3600 * SR)).astype(np.int16)
        with soundfile.SoundFile(long, "w", SR, 1, "PCM_16", format="RF64") as file:
            for _ in range(HOURS):
                file.write(hour)
        del hour
        command = [sys.executable, __file__, str(long), "--windows"]
        print(f", {float(subprocess.run(command, check=True, capture_output=True, text=True).stdout):.0f} MB over {HOURS} hours in windows")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--windows", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    predictor = LocalPredictor(asked.bundle)
    if asked.windows:
        consumed(predictor.predict_windows(asked.folder))
        print(peak())
        return
    os.environ["NUMBA_NUM_THREADS"] = "1"
    paths = sorted(asked.folder.rglob("*.wav"))[:CLIPS]
    first = start_up(paths[0], ["--bundle", asked.bundle] if asked.bundle else [])
    print(f"start-up, with one clip: {first:.2f} s of CPU")
    predictor.predict(paths[0])
    own = cpu(lambda: consumed(predictor.predict_all(paths)))
    print(f"{len(paths)} clips: {len(paths) / own:.0f} per second of CPU")
    import librosa

    librosa.load(paths[0], sr=SR)
    beside = cpu(lambda: [librosa.load(path, sr=SR) for path in paths])
    print(f"librosa.load takes {beside / own:.2f} times the CPU time of the predictions")
    if asked.memory:
        memory(predictor, paths)


if __name__ == "__main__":
    main()
