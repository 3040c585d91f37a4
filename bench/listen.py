"""Speed of `finser listen`: `python bench/listen.py BUNDLE [--seconds 60] [--hop 1]`, on one core, in one thread.

Sound is sent faster than it can be used, through the same code as a pipe. The first prediction, which loads libraries, does not count, as
in the command, which makes one before it reads. The ratio is of processor time, and so does not depend on other work of the core; the
latencies are of the clock. The sound is noise bursts: the time of a prediction does not depend on its content.
"""

import argparse
import io
import os
import statistics
import time

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FINSER_THREADS"), "1"))
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import numpy as np

from finser.predict.hub import Predictor
from finser.predict.live import PIPE_RATE, heard, pieces_of, warm_up
from finser.predict.sound import Windows
from finser.seeds import generator


def main() -> None:
    """Print how many times as fast as real time, and latencies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--window", type=float, default=3)
    parser.add_argument("--hop", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    predictor, windows, sound = Predictor.from_pretrained(given.bundle), Windows(given.window, given.hop), bursts(given.seconds)
    warm_up(predictor, given.window)
    best, latencies = np.inf, []
    for _ in range(given.rounds):
        begin = time.process_time()
        latencies += [one.latency for one in heard(predictor, pieces_of(io.BytesIO(sound)), PIPE_RATE, windows)]
        best = min(best, time.process_time() - begin)
    print(f"{predictor.bundle.name}, members: {len(predictor.bundle.members)}; {given.seconds / best:.0f} times real time, of a core")
    print(f"latency: median {1000 * statistics.median(latencies):.0f} ms, largest {1000 * max(latencies):.0f} ms")
    print(
        f"windows of {given.window:g} s, a hop of {given.hop:g} s, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def bursts(seconds: float) -> bytes:
    """16-bit PCM at the rate of a pipe."""
    at = np.arange(round(seconds * PIPE_RATE)) / PIPE_RATE
    return (3000 * generator("bench listen").standard_normal(len(at)) * np.sin(3 * at) ** 2).astype("<i2").tobytes()


if __name__ == "__main__":
    main()
