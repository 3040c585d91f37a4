"""openSMILE's functionals of stored clips at 16,000 and at 22,050 Hz: `python bench/open_smile.py FOLDER [CLIPS]`.

CLIPS .wav files below FOLDER (default: 60) are drawn and stored as by the stage `resample`. For each set a line has: the median absolute
difference of the functionals from those of the recording at 16,000 Hz, in standard deviations over the clips, for stored clips as finser
reads them and for the same clips without conversion to 16,000 Hz; and seconds of audio per second of one core, as finser reads them.
"""

import sys
import time
from pathlib import Path

import numpy as np
import opensmile
import soundfile
import soxr

from finser.audio.frames import SR, to_float, to_int16
from finser.features import compare_2016, egemaps
from finser.features.rows import Row


def main() -> None:
    """Print a line for each set."""
    paths = sorted(Path(sys.argv[1]).rglob("*.wav"))
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    paths = [paths[at] for at in np.random.default_rng(0).choice(len(paths), min(wanted, len(paths)), replace=False)]
    sounds = [(np.atleast_2d(y.T).mean(0), rate) for y, rate in (soundfile.read(path, dtype="float32") for path in paths)]
    at_16k, stored = ([to_int16(soxr.resample(y, rate, to))[0] for y, rate in sounds] for to in (16_000, SR))
    for module, name in ((egemaps, "eGeMAPSv02"), (compare_2016, "ComParE_2016")):
        smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)
        expected, raw = (np.stack([smile(to_float(one), rate)[0, :, 0] for one in some]) for some, rate in ((at_16k, 16_000), (stored, SR)))
        module.of_row(Row("", "original", stored[0], {}))
        started = time.process_time()
        found = np.concatenate([module.of_row(Row("", "original", one, {})) for one in stored])
        speed = sum(map(len, stored)) / SR / (time.process_time() - started)
        scale = expected.std(0) + 1e-9
        ours, others = (np.median(np.abs(values - expected) / scale) for values in (found, raw))
        print(f"{name}: {ours:.4f} as finser reads them, {others:.4f} without conversion; {speed:.0f} s of audio per second")


if __name__ == "__main__":
    main()
