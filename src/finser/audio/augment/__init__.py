"""Stage `augment`: variants of every clip. Parameters are drawn as a function of (seed, clip_id, variant), and then applied.

The row records the drawn parameters, so that ``apply(original, variant, draw)`` reproduces it. A variant that mixes in other recordings
(babble, noise_file) also needs their reader, `sounds`. docs/augmentation.md describes every variant.
"""

from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from finser import layout
from finser.audio.augment import changes, draws, others
from finser.audio.augment.sounds import Sounds
from finser.audio.frames import to_float, to_int16
from finser.audio.shards import AudioRow, read_audio, write_audio
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.augment import Augment
from finser.progress import say, track
from finser.project.found import record, shown
from finser.seeds import seed_for
from finser.workers import in_batches, map_in_order

BATCH = 16  # clips per task of a worker

ALONE = {  # variant -> function that draws its parameters from its section and a seed; function that changes the clip
    "noise": (draws.noise, changes.add_noise),
    "noise_snr": (draws.noise_snr, changes.add_noise_at_snr),
    "speed_pitch": (draws.speed_pitch, changes.change_speed_and_pitch),
    "reverberation": (draws.reverberation, changes.reverberate),
    "gain": (draws.gain, changes.gain),
    "band_limit": (draws.band_limit, changes.band_limit),
}
WITH_OTHERS = {  # likewise, for variants that need other recordings
    "babble": (others.draw_babble, others.add_babble),
    "noise_file": (others.draw_noise_file, others.add_noise_file),
}


def draw(original: AudioRow, variant: str, settings: Augment, seed: int, sounds: Sounds | None = None) -> dict:
    """Draw the parameters of a variant from its own `seed`: a dictionary for :func:`apply` that JSON can hold."""
    section = getattr(settings, variant)
    if variant in WITH_OTHERS:
        return WITH_OTHERS[variant][0](section, seed, original, sounds)
    return ALONE[variant][0](section, seed)


def apply(original: np.ndarray, variant: str, draw: dict, sounds: Sounds | None = None) -> np.ndarray:
    """Make a variant from the original and the drawn parameters; both int16, shapes (n,) and (m,).

    Parameters
    ----------
    original : np.ndarray
        int16, shape (n,), mono, 22,050 Hz.
    variant : str
        A variant that ``augment.variants`` may name.
    draw : dict
        From :func:`draw`, or from the row.
    sounds : Sounds, optional
        Reader of clips and files, for babble and noise_file.
    """
    y = to_float(original)
    changed = WITH_OTHERS[variant][1](y, sounds, **draw) if variant in WITH_OTHERS else ALONE[variant][1](y, **draw)
    return to_int16(changed)[0]


def variants(original: AudioRow, settings: Augment, seed: int, sounds: Sounds | None = None) -> list[AudioRow]:
    """Return the original and its variants, in the order of ``augment.variants``; `sounds` as in :func:`apply`."""
    rows = [original]
    for name in settings.variants:
        own = seed_for(seed, original.clip_id, name)
        drawn = draw(original, name, settings, own, sounds)
        rows.append(replace(original, variant=name, seed=own, draw=drawn, audio=apply(original.audio, name, drawn, sounds)))
    return rows


def augment(params: Params, corpus: str) -> None:
    """Step: write every clip of data/audio/CORPUS/ and its variants to data/shards/CORPUS/.

    A summary of the folder of noise is logged, and kept in data/found, so that the next run reports whether the folder has changed.
    """
    if "speed_pitch" in params.augment.variants:
        changes.check_method(params.augment.speed_pitch.method)
    noise = locations.noise() if "noise_file" in params.augment.variants else None
    sounds = Sounds.of(params.augment, layout.audio(corpus), noise)
    found = sounds.found() if noise else None
    function = partial(_batch, settings=params.augment, seed=params.seed, sounds=sounds)
    batches = in_batches(read_audio(layout.audio(corpus)), BATCH)
    rows = chain.from_iterable(map_in_order(function, batches))
    write_audio(layout.shards(corpus), track(rows, f"augment {corpus}"))
    if found:
        say(f"noise of {noise}: {shown(found)}")
        record(layout.found("augment", corpus), found, noise)


def _batch(rows: list[AudioRow], settings: Augment, seed: int, sounds: Sounds) -> list[AudioRow]:
    return [made for row in rows for made in variants(row, settings, seed, sounds)]
