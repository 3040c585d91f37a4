"""A speech synthesizer whose output depends on its arguments alone: espeak-ng with a data folder of its own.

eSpeak NG (GPL v3 or later) is in the PyPI package ``espeakng-loader``; nothing of it is part of this project.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finser.errors import FinserError
from finser.synthetic import espeak

LONGEST_DATA_PATH = 159  # bytes; espeak_Initialize fails beyond
_DATA_FILES = ("phondata", "phonindex", "phontab", "intonations", "en_dict", "cmn_dict", "lang/gmw/en-US", "lang/sit/cmn")
_LANGUAGES = {"en": "en-us", "zh": "cmn"}
_VARIANT = "u"  # voices/!v/u; names of 30 characters or more crash espeak
_DO = "install the Python package espeakng-loader, or use recordings of your own: finser preset local PATH"


@dataclass(frozen=True)
class Engine:
    """Synthesizer of any voice description; :func:`open_engine` makes one.

    Parameters
    ----------
    library, data : Path
        espeak's shared library, and a data folder that only this engine uses.
    in_child : bool
        Whether every utterance runs in a process of its own (same samples, slower).
    """

    library: Path
    data: Path
    in_child: bool

    def say(self, text: str, language: str, variant: str, *, rate: int, gap: int, seed: int) -> np.ndarray:
        """Speak one sentence.

        Parameters
        ----------
        text : str
            One sentence with its final mark.
        language : {"en", "zh"}
        variant : str
            A voice description in espeak's format: pitch, formants and so on.
        rate : int
            Words per minute.
        gap : int
            Extra pause between words, in 10 ms.
        seed : int
            Seed of espeak's own noise.

        Returns
        -------
        ndarray of int16, shape (n,)
            At 22,050 Hz.

        Raises
        ------
        FinserError
            espeak cannot be loaded, fails, or returns no samples.
        """
        voice_file = self.data / "voices" / "!v" / _VARIANT
        voice_file.write_text(variant, encoding="ascii")
        voice = f"{_LANGUAGES[language]}+{_VARIANT}"
        utterance = espeak.SpokenText(str(self.library), str(self.data), voice, text, rate, gap, seed)
        try:
            samples = np.frombuffer(self._bytes(utterance), "<i2")
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            raise FinserError(f"espeak-ng does not speak ({error})", where=self.library, do=_DO) from None
        if not samples.any():
            raise FinserError("espeak-ng said nothing", where=self.library, found=f"silence for '{text}'", do=_DO)
        return samples

    def _bytes(self, utterance: espeak.SpokenText) -> bytes:
        if not self.in_child:
            return espeak.utter(utterance)
        command = [sys.executable, "-I", "-S", espeak.__file__]
        return subprocess.run(command, input=espeak.as_json(utterance).encode(), capture_output=True, timeout=60, check=True).stdout


@contextmanager
def open_engine(*, in_child: bool) -> Iterator[Engine]:
    """Open an :class:`Engine` with a temporary data folder, which is removed afterwards.

    Raises
    ------
    FinserError
        espeakng-loader is not installed, or the temporary folder's path is too long for espeak.
    """
    library, source = find_library()
    with tempfile.TemporaryDirectory(prefix="espeak") as name:
        data = Path(name)
        if len(os.fsencode(name)) > LONGEST_DATA_PATH:
            limit = f"at most {LONGEST_DATA_PATH} bytes"
            raise FinserError("path too long for espeak-ng", where=name, expected=limit, do="set TMPDIR to the path of a short folder")
        _copy_data(source, data)
        yield Engine(library, data, in_child)


def find_library() -> tuple[Path, Path]:
    """Return the shared library and the voice data of the package espeakng-loader.

    Raises
    ------
    FinserError
        The package is not installed, or lacks them.
    """
    try:
        import espeakng_loader

        found = Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    except (ImportError, RuntimeError) as error:
        raise FinserError(f"no speech synthesizer ({error})", do=_DO) from None
    if not found[0].is_file():
        raise FinserError("no such file", where=found[0], expected="the library of espeak-ng", do=_DO)
    return found


def _copy_data(source: Path, data: Path) -> None:
    """Copy the 2.4 MB of espeak's 20 MB of data that US English and Mandarin need."""
    for name in _DATA_FILES:
        if not (source / name).is_file():
            raise FinserError("no such file", where=source / name, expected="the data of espeak-ng 1.52", do=_DO)
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, data / name)
    (data / "voices" / "!v").mkdir(parents=True)


def needs_child() -> bool:
    """Return whether unloading the library fails to reset its state, so that every utterance needs a process of its own."""
    variant = "language variant\nname u\npitch 100 140\nroughness 2\n"
    with open_engine(in_child=False) as probe:
        first, _, again = (probe.say(text, "en", variant, rate=300, gap=0, seed=1) for text in ("One, two.", "And between?", "One, two."))
    return not np.array_equal(first, again)
