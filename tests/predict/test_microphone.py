"""Microphones, with a stand-in for sounddevice that delivers known samples: no machine that runs tests has a microphone."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from finser.audio.frames import SR
from finser.cli import main
from finser.errors import FinserError
from finser.predict.hub import Predictor
from finser.predict.live import heard
from finser.predict.microphone import BLOCK, MOST, Microphone, devices
from finser.predict.sound import Windows

from .test_live import wave

SIZE = round(BLOCK * SR)


class PortAudioError(Exception):
    """As sounddevice's."""


@pytest.fixture
def sounddevice(monkeypatch):
    """A module with a loudspeaker and two microphones; its stream delivers ``module.sound`` at once, and ends."""
    module = ModuleType("sounddevice")
    module.PortAudioError, module.sound, module.overflow_at, module.opened = PortAudioError, np.zeros(0, np.int16), None, {}
    names = (("Loudspeaker", 0), ("Built-in", 1), ("USB", 2))
    module.known = [
        {"index": number, "name": name, "max_input_channels": channels, "default_samplerate": float(SR)}
        for number, (name, channels) in enumerate(names)
    ]

    def query_devices(device=None, kind=None):
        if kind is None:
            return module.known
        found = [one for one in module.known if device in (None, one["index"]) or (isinstance(device, str) and device in one["name"])]
        found = [one for one in found if one["max_input_channels"]]
        if not found:
            raise ValueError(f"No input device matching {device!r}")
        return found[0]

    class RawInputStream:
        def __init__(self, **options):
            if options["samplerate"] > 96_000:
                raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")
            module.opened = options
            self.closed = False

        def start(self):
            size = module.opened["blocksize"]
            for number, first in enumerate(range(0, len(module.sound), size)):
                block = module.sound[first : first + size]
                status = SimpleNamespace(input_overflow=number == module.overflow_at)
                module.opened["callback"](memoryview(block.tobytes()), len(block), None, status)
            module.opened["finished_callback"]()

        def close(self):
            module.closed = True

    module.query_devices, module.RawInputStream = query_devices, RawInputStream
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.fixture
def predictor(project_of_bundles):
    return Predictor(project_of_bundles / "bundles/svm")


def predictions(predictor, microphone):
    """All predictions until the microphone delivers no more sound."""
    found = []
    with pytest.raises(FinserError, match="the microphone delivers no more sound; connect it again"):
        for one in heard(predictor, microphone.pieces(), microphone.sr, Windows(1, 1)):
            found.append(one.prediction)  # noqa: PERF402
    return found


def assert_equal(found, expected):
    """Several windows in one product are rounded differently."""
    pairs = zip(found, expected, strict=True)
    assert all(list(one.probabilities.values()) == pytest.approx(list(other.probabilities.values()), abs=1e-9) for one, other in pairs)


def test_predictions_are_those_of_the_sound(sounddevice, predictor):
    sounddevice.sound = wave(2.5, SR)
    found = predictions(predictor, Microphone())
    expected = list(predictor.predict_windows(sounddevice.sound, SR, length=1, hop=1))
    assert [(one.start, one.end) for one in found] == [(one.start, one.end) for one in expected]
    assert_equal(found, expected)
    options = sounddevice.opened
    assert (options["samplerate"], options["device"], options["channels"], options["dtype"]) == (SR, 1, 1, "int16")
    assert sounddevice.closed


def test_sound_that_nobody_takes_is_dropped_and_said(sounddevice, predictor, capsys):
    """Twelve seconds at once: the first ten make room, and the rest is predicted, at its place."""
    sounddevice.sound = wave(MOST + 2, SR)
    kept = int(MOST * SR / SIZE) * SIZE  # whole blocks
    found = predictions(predictor, Microphone("USB"))
    assert f"{kept / SR:.1f} s of sound were lost: predictions take longer than the sound" in capsys.readouterr().err
    expected = list(predictor.predict_windows(sounddevice.sound[kept:], SR, length=1, hop=1))
    assert [one.start for one in found] == pytest.approx([kept / SR + one.start for one in expected], abs=1e-3)
    assert_equal(found, expected)
    assert sounddevice.opened["device"] == 2


def test_losses_of_losses_add_up(sounddevice, predictor, capsys):
    sounddevice.sound = wave(2 * MOST + 1.5, SR)
    predictions(predictor, Microphone("1"))
    assert capsys.readouterr().err.startswith(f"{2 * MOST:.1f} s of sound were lost")


def test_an_overflow_of_portaudio_is_said_and_no_window_spans_it(sounddevice, predictor, capsys):
    sounddevice.sound, sounddevice.overflow_at = wave(3, SR), 60
    found = predictions(predictor, Microphone())
    border = 60 * SIZE
    parts = (sounddevice.sound[:border], sounddevice.sound[border:])
    assert_equal(found, [one for part in parts for one in predictor.predict_windows(part, SR, length=1, hop=1)])
    assert capsys.readouterr().err == "sound was lost before it reached finser, PortAudio does not say how much: the machine is busy\n"


def test_devices_are_listed_and_chosen(sounddevice):
    assert devices() == ["  1  Built-in, 22050 Hz", "  2  USB, 22050 Hz"]
    with pytest.raises(FinserError, match=r"--device Loud: records nothing \(No input device.*choose one of: 1 Built-in.*2 USB"):
        Microphone("Loud")
    with pytest.raises(FinserError, match="--device 9: records nothing"):
        Microphone("9")
    with pytest.raises(FinserError, match=r"Built-in: cannot record at 192000 Hz \(Invalid sample rate.*choose another --rate"):
        next(Microphone("Built", 192_000).pieces())


def test_no_device_no_portaudio_no_sounddevice_are_one_line_each(sounddevice, monkeypatch, capsys, tmp_path):
    def said():
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["finser", "listen", "--bundle", "x"])
    sounddevice.known = sounddevice.known[:1]
    assert said().startswith("error: PortAudio finds no device that records; connect a microphone, or send sound to standard input")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert 'a microphone needs sounddevice; pip install "finser[listen]"' in said()
    monkeypatch.delitem(sys.modules, "sounddevice")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "a microphone needs the system's library PortAudio; install it" in said()
