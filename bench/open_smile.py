"""openSMILE's functionals of stored clips at 16,000 and at 22,050 Hz: `python bench/open_smile.py [FOLDER [CLIPS]]`.

CLIPS .wav files below FOLDER (default: 60) are drawn and stored as by the stage `resample`. For each set docs/open_smile.json has: the
median absolute difference of the functionals from those of the recording at 16,000 Hz, in standard deviations over the clips, for stored
clips as finser reads them (`converted`) and for the same clips without conversion to 16,000 Hz (`unconverted`); and seconds of audio per
second of CPU time, as finser reads them (`speed`). Without FOLDER, the paragraph in docs/features.md is written anew from this file.
"""

import sys
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr

from finser.audio.frames import SR, to_float, to_int16
from finser.features import compare_2016, egemaps
from finser.features.rows import Row
from finser.files import read_json, write_json, write_text
from finser.machine import cpu_model

FILE, PAGE, MARKS = Path("docs/open_smile.json"), Path("docs/features.md"), "<!-- open_smile -->\n"
SETS = {"egemaps": (egemaps, "eGeMAPSv02"), "compare_2016": (compare_2016, "ComParE_2016")}


def measure(folder: Path, wanted: int) -> dict:
    """Return the numbers of each set."""
    paths = sorted(folder.rglob("*.wav"))
    paths = [paths[at] for at in np.random.default_rng(0).choice(len(paths), min(wanted, len(paths)), replace=False)]
    sounds = [(np.atleast_2d(y.T).mean(0), rate) for y, rate in (soundfile.read(path, dtype="float32") for path in paths)]
    at_16k, stored = ([to_int16(soxr.resample(y, rate, to))[0] for y, rate in sounds] for to in (16_000, SR))
    sets = {name: numbers(module, title, at_16k, stored) for name, (module, title) in SETS.items()}
    return {"clips": len(paths), "processor": cpu_model(), "sets": sets}


def numbers(module, title: str, at_16k: list[np.ndarray], stored: list[np.ndarray]) -> dict:
    """Return the differences and the speed of a set."""
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet[title], opensmile.FeatureLevel.Functionals)
    expected, raw = (np.stack([smile(to_float(one), rate)[0, :, 0] for one in some]) for some, rate in ((at_16k, 16_000), (stored, SR)))
    module.of_row(Row("", "original", stored[0], {}))
    started = time.process_time()
    found = np.concatenate([module.of_row(Row("", "original", one, {})) for one in stored])
    speed = sum(map(len, stored)) / SR / (time.process_time() - started)
    scale = expected.std(0) + 1e-9
    ours, others = (float(np.median(np.abs(values - expected) / scale)) for values in (found, raw))
    return {"converted": round(ours, 4), "unconverted": round(others, 4), "speed": round(speed)}


def paragraph(found: dict) -> str:
    """Return the items of the list."""
    sets = found["sets"]
    ours, others, speed = ([f"{one[key]:.2g} (`{name}`)" for name, one in sets.items()] for key in ("converted", "unconverted", "speed"))
    return (
        f"- **Differences.** On {found['clips']} clips of RAVDESS and CREMA-D, the functionals of stored clips differ from those of the "
        f"recordings at 16,000 Hz by a median of {' and '.join(ours)} standard deviations over the clips. Without the conversion "
        f"to 16,000 Hz they would differ by {' and '.join(others)}.\n"
        f"- **Speed.** One core of {found['processor']} computes the functionals of {' and '.join(speed)} seconds of audio per second "
        "(`python bench/open_smile.py FOLDER`).\n"
    )


def page(text: str, found: dict) -> str:
    """Return docs/features.md with the paragraph."""
    before, _, after = text.split(MARKS)
    return f"{before}{MARKS}{paragraph(found)}{MARKS}{after}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_json(FILE, measure(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60))
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), read_json(FILE)))
