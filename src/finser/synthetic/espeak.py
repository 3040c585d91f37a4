"""eSpeak NG through ctypes: one utterance per call, independent of earlier calls.

The library keeps static state (wave phase, noise, flutter) between utterances, even across `espeak_Terminate`, so that one sentence gives
different samples the second time. :func:`utter` therefore loads the library, speaks and unloads it. If unloading does not help,
:mod:`finser.synthetic.engine` runs this file as a program, once per utterance. The file imports only the standard library, so that such a
process starts in 40 ms.

Functions and constants are those of eSpeak NG 1.52's `speak_lib.h`.
"""

import _ctypes
import ctypes
import json
import os
import sys
from dataclasses import asdict, dataclass

SAMPLE_RATE = 22050  # Hz, of every voice
_SYNCHRONOUS, _DO_NOT_EXIT, _UTF8 = 2, 0x8000, 1
_RATE, _VOLUME, _PITCH, _RANGE, _WORD_GAP = 1, 2, 3, 4, 7  # espeak_PARAMETER
_VOLUME_PERCENT = 80  # above 100 espeak clips
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class SpokenText:
    """Text, voice and settings of one utterance.

    Parameters
    ----------
    library, data : str
        Paths of the shared library and of the data folder (shorter than 160 characters).
    voice : str
        For example ``en-us+u``: language, and a file of ``voices/!v``.
    text : str
        One sentence, with its final mark.
    rate : int
        Words per minute, 80 .. 450.
    gap : int
        Pause between words beyond the normal one, in units of 10 ms.
    seed : int
        Seed of espeak's own noise, 0 .. 2^31 - 1.
    """

    library: str
    data: str
    voice: str
    text: str
    rate: int
    gap: int
    seed: int


def utter(utterance: SpokenText) -> bytes:
    """Synthesise one utterance; return little-endian int16 mono at 22,050 Hz.

    Not thread-safe: two simultaneous calls end the process (SIGFPE).

    Raises
    ------
    RuntimeError
        The library refuses the data folder or the voice.
    OSError
        The library cannot be loaded.
    """
    library = _load(utterance.library)
    try:
        return _speak(library, utterance)
    finally:
        library.espeak_Terminate()
        _unload(library)


def _load(path: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    library.espeak_SetSynthCallback.argtypes = [_Callback]
    text, size, whole, pointer = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_void_p
    library.espeak_Synth.argtypes = [text, size, whole, ctypes.c_int, whole, whole, pointer, pointer]
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    return library


def _unload(library: ctypes.CDLL) -> None:
    unload = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary  # the second is Windows'
    unload(library._handle)


def _speak(library: ctypes.CDLL, utterance: SpokenText) -> bytes:
    if library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(utterance.data), _DO_NOT_EXIT) != SAMPLE_RATE:
        raise RuntimeError(f"espeak finds no voices under {utterance.data}")
    pieces = []

    def collect(wave: object, count: int, events: object) -> int:
        """Append one block of samples; 0 tells espeak to continue."""
        if wave and count > 0:
            pieces.append(ctypes.string_at(wave, 2 * count))
        return 0

    callback = _Callback(collect)  # referenced until the end: the library keeps a bare pointer
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(utterance.voice.encode()):
        raise RuntimeError(f"espeak knows no voice '{utterance.voice}'")
    library.espeak_ng_SetRandSeed(utterance.seed)
    # after the voice, which sets its own; pitch 50 leaves pitch and formants to the voice file
    settings = {_RATE: utterance.rate, _VOLUME: _VOLUME_PERCENT, _PITCH: 50, _RANGE: 50, _WORD_GAP: utterance.gap}
    for parameter, value in settings.items():
        library.espeak_SetParameter(parameter, value, 0)
    text = utterance.text.encode()
    library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
    return b"".join(pieces)


def as_json(utterance: SpokenText) -> str:
    """Return an utterance as JSON, the input of :func:`main`."""
    return json.dumps(asdict(utterance))


def main() -> None:
    """Read one utterance as JSON from standard input, and write its samples to standard output."""
    sys.stdout.buffer.write(utter(SpokenText(**json.load(sys.stdin))))


if __name__ == "__main__":
    main()
