"""From an entry of the plan to the samples of its file: espeak's speech, its changes by the emotion, a room and a microphone."""

from dataclasses import dataclass

import numpy as np
import soxr
from scipy import fft
from scipy.ndimage import map_coordinates, uniform_filter1d

from finser import seeds
from finser.synthetic.acting import Manner, draw_manner, final_mark
from finser.synthetic.engine import Engine
from finser.synthetic.espeak import SAMPLE_RATE
from finser.synthetic.plans import ClipPlan
from finser.synthetic.voices import Voice, draw_voice, variant

_SOUND = 64  # of 32,768: espeak's output before and after the speech is below it
_JITTER = 0.12  # semitones, standard deviation of the slow random wandering of f0
_WET = 10 ** (-14 / 20)  # of the room's tail, relative to the direct sound


@dataclass(frozen=True)
class Channel:
    """Recording conditions of a corpus.

    Parameters
    ----------
    rate : int
        The publisher's sampling rate, Hz.
    tilt : float
        dB per octave.
    tail : float
        Reverberation time: seconds in which the room's tail decays by 60 dB.
    gain : float
        dB.
    """

    rate: int
    tilt: float
    tail: float
    gain: float


CHANNELS = {
    "ravdess": Channel(48000, 0.0, 0.10, -4),
    "crema_d": Channel(16000, -0.5, 0.25, -2),
    "tess": Channel(24414, 0.4, 0.06, 2),
    "savee": Channel(44100, 0.2, 0.15, 3),
    "esd": Channel(16000, -0.2, 0.12, 0),
}


def render(clip: ClipPlan, seed: int, engine: Engine) -> np.ndarray:
    """Synthesise one clip.

    Parameters
    ----------
    clip : Clip
        Text, speaker, emotion and strength.
    seed : int
        Seed of every draw. The samples depend on it and on the clip's corpus, speaker, emotion, text and take alone.
    engine : Engine

    Returns
    -------
    ndarray of int16, shape (n,)
        At the publisher's rate, ``CHANNELS[clip.corpus].rate``.
    """
    speaker = (seed, clip.corpus, clip.speaker)
    take = (*speaker, clip.emotion, clip.text, clip.take)
    voice = draw_voice(*speaker, clip.sex)
    manner = draw_manner(clip.emotion, clip.strength, (*speaker, clip.emotion, "manner"), (*take, "manner"))
    channel = CHANNELS[clip.corpus]
    random = seeds.generator(*take, "samples")
    speech = _trim(_spoken(clip, voice, manner, engine, seeds.seed_for(*take, "espeak")))
    speech = tilted(warped(speech, manner, random), voice.tilt + manner.tilt + channel.tilt)
    speech = with_breath(speech, voice.breath + manner.breath, random)
    speech = at_level(speech, voice.gain + manner.gain + channel.gain)
    speech = in_room(speech, channel.tail, seeds.generator(seed, clip.corpus, "room"))
    recording = with_silence(speech, voice.floor + channel.gain, random)
    return as_pcm(soxr.resample(recording, SAMPLE_RATE, channel.rate))


def _spoken(clip: ClipPlan, voice: Voice, manner: Manner, engine: Engine, seed: int) -> np.ndarray:
    text = clip.text + final_mark(clip.emotion, clip.language)
    rate, gap = round(np.clip(voice.rate * manner.rate, 80, 300)), max(0, round(manner.gap))
    return engine.say(text, clip.language, variant(voice, manner), rate=rate, gap=gap, seed=seed % 2**31) / 32768


def _trim(speech: np.ndarray) -> np.ndarray:
    """Remove the silence before and after."""
    heard = np.flatnonzero(np.abs(speech) > _SOUND / 32768)
    return speech[heard[0] : heard[-1] + 1]


def warped(speech: np.ndarray, manner: Manner, random: np.random.Generator) -> np.ndarray:
    """Add glide, tremor and random variation of f0 by reading the samples at a varying speed, which moves the formants, too."""
    time = np.arange(len(speech)) / SAMPLE_RATE
    tremor = manner.tremor * np.sin(2 * np.pi * (random.uniform(5, 7.5) * time + random.uniform()))
    knots = np.arange(0, time[-1] + 0.1, 0.05)
    wander = np.interp(time, knots, _JITTER * _standardised(np.cumsum(random.standard_normal(len(knots)))))
    semitones = manner.glide * (time / time[-1] - 0.5) + tremor + wander
    position = np.cumsum(2 ** (semitones / 12))
    position = position[position < len(speech) - 1]
    return map_coordinates(speech, [position], order=3, mode="nearest")


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def tilted(speech: np.ndarray, slope: float) -> np.ndarray:
    """Slope the spectrum about 1 kHz by `slope` dB per octave, at most 3 octaves to either side."""
    size = fft.next_fast_len(len(speech), real=True)
    frequency = np.maximum(fft.rfftfreq(size, 1 / SAMPLE_RATE), 1.0)
    gain = slope * np.clip(np.log2(frequency / 1000), -3, 3)  # dB
    return fft.irfft(fft.rfft(speech, size) * 10 ** (gain / 20), size)[: len(speech)]


def with_breath(speech: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
    """Add noise that follows the voice's 20 ms envelope, without low frequencies, `level` dB relative to the voice."""
    envelope = np.sqrt(np.maximum(uniform_filter1d(speech**2, SAMPLE_RATE // 50), 0))
    noise = np.diff(random.standard_normal(len(speech) + 1)) * envelope
    return speech + noise * _rms(speech) / _rms(noise) * 10 ** (level / 20)


def at_level(speech: np.ndarray, level: float) -> np.ndarray:
    """Scale to an RMS of `level` dB of full scale."""
    return speech * 10 ** (level / 20) / _rms(speech)


def in_room(speech: np.ndarray, tail: float, random: np.random.Generator) -> np.ndarray:
    """Add a room: noise that falls by 60 dB in `tail` seconds."""
    time = np.arange(1, int(tail * SAMPLE_RATE)) / SAMPLE_RATE
    response = random.standard_normal(len(time)) * 10 ** (-3 * time / tail)
    response = np.append(1.0, response * _WET / np.linalg.norm(response))
    length = len(speech) + len(response) - 1
    size = fft.next_fast_len(length, real=True)
    return fft.irfft(fft.rfft(speech, size) * fft.rfft(response, size), size)[:length]


def with_silence(speech: np.ndarray, floor: float, random: np.random.Generator) -> np.ndarray:
    """Add 0.15 .. 0.45 s of silence before and after, and noise of `floor` dB of full scale everywhere."""
    before, after = (random.uniform(0.15, 0.45, 2) * SAMPLE_RATE).astype(int)
    recording = np.pad(speech, (before, after))
    return recording + 10 ** (floor / 20) * random.standard_normal(len(recording))


def as_pcm(recording: np.ndarray) -> np.ndarray:
    """Convert floats of full scale 1 to int16; louder samples are clipped, as in real recordings."""
    return np.clip(np.rint(recording * 32768), -32768, 32767).astype(np.int16)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))
