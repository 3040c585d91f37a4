"""Stage `noisy`: test clips in white noise or in babble of training speakers, to measure the robustness of classifiers."""

from functools import partial

import numpy as np
import pyarrow as pa

from finser import layout, seeds
from finser.audio.augment.changes import mix, power, white
from finser.audio.augment.excerpts import STEP, first_loud, refuse_silence
from finser.audio.frames import to_float, to_int16
from finser.audio.shards import AudioRow, LabelRow, write_audio, write_labels
from finser.config.params import Params
from finser.features.examples import Examples, read_examples
from finser.features.labels import features
from finser.features.noisy_clips import variant
from finser.features.rows import Reader
from finser.files import whole_folder, write_json
from finser.progress import say, track
from finser.splits.table import read_parts
from finser.workers import map_in_order

TALKERS = 4  # clips per babble
VOICES = 40  # training clips that babble is drawn from


def babble(voices: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sum of `TALKERS` clips at equal power, each from a random offset and repeated as needed, float, shape (size,).

    As in augmentation, an excerpt is at most 20 dB below its clip (:mod:`finser.audio.augment.excerpts`). Clips with an rms below one step
    of 16 bit are left out.

    Raises
    ------
    FinserError
        All clips have a lower rms than that.
    """
    heard = [to_float(voice) for voice in voices]
    heard = [voice for voice in heard if power(voice) >= STEP**2]
    if not heard:
        raise refuse_silence("the training clips", "take babble out of evaluate_classifier.noise.kinds")
    total = np.zeros(size)
    for index in rng.choice(len(heard), min(TALKERS, len(heard)), replace=False):
        voice = heard[index]
        begin = int(rng.choice(np.flatnonzero(voice)))
        at = first_loud(lambda start, voice=voice: _around(voice, start, size), len(voice), size, begin, power(voice))
        total += _around(voice, at, size) / np.sqrt(power(voice))
    return total


def _around(voice: np.ndarray, start: int, size: int) -> np.ndarray:
    return np.take(voice, np.arange(start, start + size), mode="wrap")


def in_noise(clip: np.ndarray, kind: str, snr_db: float, voices: list[np.ndarray], names: tuple) -> np.ndarray:
    """Add noise to an int16 clip, `snr_db` below the power of the whole clip.

    A result that exceeds full scale is scaled down as a whole.
    """
    rng = seeds.generator(*names)
    noise = white(len(clip), int(rng.integers(2**31))) if kind == "white" else babble(voices, len(clip), rng)
    return to_int16(mix(to_float(clip), noise, snr_db))[0]


def noisy(params: Params, protocol: str, fold: int) -> None:
    """Step: some test clips of a fold in noise, with their labels -> data/noisy/PROTOCOL/FOLD/{shards,labels}.

    A row's variant names kind and signal-to-noise ratio (:func:`variant`). Babble is made of training clips. It contains no test speaker's
    voice, except under ``random``, where test speakers are in the training part, too. Every classifier of the fold is evaluated on the same
    noisy clips.
    """
    asked, parts = params.evaluate_classifier.noise, read_parts(protocol, fold, params.pooled)
    some = {"test": evenly(parts["test"], asked.clips), "train": evenly(parts["train"], VOICES)}
    read = read_examples(Reader(lambda row: row.audio, audio=True), some, dict.fromkeys(some, ("original",)), params.emotions)
    voices = read["train"].inputs
    rows = [
        _noisy_row(read["test"], number, params.seed, kind, snr, voices)
        for kind in asked.kinds
        for snr in asked.snr_db
        for number in range(len(read["test"]))
    ]
    label = partial(_label, definition=params.label.definition)
    labels = map_in_order(label, track(rows, f"noise, {protocol}, fold {fold}"))
    with whole_folder(layout.noisy(protocol, fold)) as partial_:
        write_json(partial_ / "clips.json", {"clips": sorted(read["test"].clip_ids) if rows else []})
        if rows:
            write_audio(partial_ / "shards", rows)
            write_labels(partial_ / "labels", labels)
    say(f"noise, {protocol}, fold {fold}: {len(rows)} noisy clips")


def evenly(rows: pa.Table, most: int) -> pa.Table:
    """Return at most `most` rows, evenly spread."""
    return rows.take(np.unique(np.linspace(0, rows.num_rows - 1, min(most, rows.num_rows)).round().astype(int)))


def _noisy_row(test: Examples, number: int, seed: int, kind: str, snr_db: float, voices: list[np.ndarray]) -> AudioRow:
    clip_id, emotion = test.clip_ids[number], test.classes[test.targets[number]]
    names = (seed, "noise curve", kind, snr_db, clip_id)
    clip = in_noise(test.inputs[number], kind, snr_db, voices, names)
    draw = {"kind": kind, "snr_db": snr_db}
    return AudioRow(
        clip_id, clip_id.split("/")[0], test.speakers[number], emotion, variant(kind, snr_db), seeds.seed_for(*names), draw, clip
    )


def _label(row: AudioRow, definition: str) -> LabelRow:
    return LabelRow(row.clip_id, row.variant, features(row.audio, definition))
