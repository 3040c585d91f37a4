"""`finser listen` with raw PCM on standard input: the windows of the same file, each as soon as it is complete."""

import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import soundfile

from finser.audio.frames import SR
from finser.errors import FinserError
from finser.predict.hub import Predictor
from finser.predict.live import Piece, as_text, heard, is_file, pieces_of, warm_up, write
from finser.predict.sound import Windows


def wave(seconds: float, sr: int) -> np.ndarray:
    """A tone that comes and goes, in noise, int16."""
    at = np.arange(round(seconds * sr)) / sr
    y = 0.2 * np.sin(2 * np.pi * 450 * at) * (np.sin(11 * at) > 0) + 0.003 * np.random.default_rng(0).standard_normal(len(at))
    return np.round(32767 * y).astype("<i2")


@pytest.fixture
def svm(project_of_bundles):
    return project_of_bundles / "bundles/svm"


@pytest.fixture
def command(svm):
    return [sys.executable, "-m", "finser", "listen", "--bundle", str(svm), "-"]


def answer(command: list[str], sound: bytes, expected: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run(command, input=sound, capture_output=True, env=os.environ)
    assert done.returncode == expected, done.stderr.decode()
    return done


@pytest.mark.parametrize("sr", [16_000, SR])
def test_a_pipe_gives_the_windows_of_the_file(command, svm, tmp_path, sr):
    """The reference reads the same samples from a FLAC file; an odd last byte is said, and changes nothing."""
    sound = wave(4.3, sr)
    soundfile.write(tmp_path / "a.flac", sound, sr)
    expected = list(Predictor(svm).predict_windows(tmp_path / "a.flac", length=2, hop=1))
    rate = [] if sr == 16_000 else ["--rate", str(sr)]
    done = answer([*command, "--window", "2", "--format", "jsonl", *rate], sound.tobytes() + b"\x01")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["start"], one["end"]) for one in found] == [(one.start, one.end) for one in expected] and len(found) == 4
    for one, other in zip(found, expected, strict=True):
        assert one["emotion"] == other.emotion and one["probabilities"] == pytest.approx(other.probabilities, abs=1e-3)
        assert one["warnings"] == list(other.warnings) and one["latency_ms"] > 0 and "path" not in one
    assert "the last byte is half a sample, and is left out" in done.stderr.decode()


def test_a_line_comes_as_soon_as_its_window_is_complete(command):
    """Two seconds, and not a byte more, while the stream stays open; then Ctrl-C ends it in one line."""
    wakes = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests that run in the background would ignore it
    process = subprocess.Popen([*command, "--window", "2", "--rate", str(SR)], stdin=-1, stdout=-1, stderr=-1, preexec_fn=wakes)
    try:
        sound = wave(2, SR).tobytes()
        for first in range(0, len(sound), 9999):
            process.stdin.write(sound[first : first + 9999])
            process.stdin.flush()
        assert select.select([process.stdout], [], [], 300)[0], "no line before the end of the stream"
        line = process.stdout.readline().decode()
        assert line.startswith("0-2 s  ") and " ms" in line
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130 and said.decode().splitlines()[-1] == "error: interrupted"


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (b"", "error: standard input: no sound; expected raw 16-bit little-endian mono PCM"),
        (b"\x01", "error: standard input: no sound"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "error: standard input: begins as a sound file; expected raw"),
        (b"\xff\xfb\x90\x64" + bytes(20), "error: standard input: begins as a sound file; expected raw"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(20), "error: standard input: begins as a sound file; expected raw"),
    ],
)
def test_what_is_no_pcm_is_one_line(command, sound, said):
    done = answer(command, sound, expected=1)
    assert done.stderr.decode().startswith(said) and len(done.stderr.splitlines()) == 1 and not done.stdout


class Dripping(io.BytesIO):
    """A pipe that gives one byte at a time."""

    def read1(self, size: int = -1) -> bytes:
        return super().read1(min(size, 1))


def of_format(kind: str) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, wave(0.5, SR), SR, format=kind)
    return target.getvalue()


FILES = {
    **{kind: of_format(kind) for kind in ("WAV", "FLAC", "OGG", "AIFF", "RF64")},
    "MP3 of lame": b"\xff\xfb\x90\x64" + bytes(8),
    "MP3 at 22,050 Hz": of_format("MP3"),
    "MP3 with CRC": b"\xff\xfa\x90\x64" + bytes(8),
    "MP3 at 8 kHz": b"\xff\xe3\x18\xc4" + bytes(8),
    **{f"ID3v2.{n}": b"ID3" + bytes([n]) + bytes(8) for n in (2, 3, 4)},
    "M4A": b"\x00\x00\x00\x20ftypM4A ",
    "WebM": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81",
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("stream", [io.BytesIO, Dripping])
def test_a_sound_file_is_no_pcm_even_if_it_drips(kind, stream):
    piece = next(pieces_of(stream(FILES[kind])))
    with pytest.raises(FinserError, match="standard input: begins as a sound file; expected raw 16-bit") as said:
        piece.read1(4096)
    assert "\n" not in str(said.value)


def test_pcm_is_no_sound_file():
    """Every first sample passes beside others near it, but for those that are the header of an MP3 frame."""
    refused = [first for first in range(-(2**15), 2**15) if is_file(np.array([first, first + 1, 0, 0, 0, 0]).astype("<i2").tobytes())]
    assert all(first & 0xFF == 0xFF and first < -1024 for first in refused) and len(refused) <= 6
    assert not is_file(b"") and not is_file(b"\xff") and not is_file(b"\xff" * 12) and not is_file(bytes(12))


def test_what_drips_is_read_whole():
    sound = wave(0.01, SR).tobytes()
    piece = next(pieces_of(Dripping(sound)))
    assert b"".join(iter(lambda: piece.read1(4096), b"")) == sound and piece.size == len(sound)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-", "--device", "3", "--bundle", "x"], "listens to a microphone, or to - alone"),
        (["a.wav", "--bundle", "x"], "listens to a microphone, or to - alone; found a.wav; for files: finser predict"),
        (["-", "--bundle", "x", "--hop", "4"], "a hop of 4 s and windows of 3 s"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, said):
    done = answer([sys.executable, "-m", "finser", "listen", *arguments], b"", expected=1)
    assert said in done.stderr.decode() and len(done.stderr.splitlines()) == 1


def test_a_terminal_sends_no_sound():
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

    with pytest.raises(FinserError, match="standard input is a terminal"):
        next(pieces_of(Terminal()))


def test_latency_begins_when_the_last_sample_of_a_window_arrives(svm):
    """Blocks of half a second with clocks of their own: the window's last sample is in the block that completes it."""
    predictor, sound, begin = Predictor(svm), wave(2.25, SR), time.monotonic()
    warm_up(predictor, 1)
    half = SR // 2
    blocks = [
        (sound[first : first + half].tobytes(), begin - 1000 + 100 * number) for number, first in enumerate(range(0, len(sound), half))
    ]
    blocks.append((b"", begin - 200))
    taken = iter(blocks)
    found = list(heard(predictor, [Piece(lambda _: next(taken), start=60)], SR, Windows(1, 0.5)))
    spent = time.monotonic() - begin
    assert [(one.prediction.start, one.prediction.end) for one in found] == [(60, 61), (60.5, 61.5), (61, 62), (61.25, 62.25)]
    for one, moment in zip(found, (900, 800, 700, 200), strict=True):  # the last one waits for the end of the stream
        assert moment < one.latency < moment + spent + 1


def test_text_names_the_kinds_of_warnings(svm):
    predictor = Predictor(svm)
    taken = iter([(wave(1, SR).tobytes(), time.monotonic()), (b"", time.monotonic())])
    (one,) = heard(predictor, [Piece(lambda _: next(taken))], SR, Windows(3, 1))
    assert one.prediction.warnings, "a second of a tone is long and noisy beside the training clips"
    shown = as_text(one)
    assert all(line.split(":")[0].split(" (")[0] in shown for line in one.prediction.warnings)
    assert len(shown) < 160 and "%" not in shown
    with pytest.raises(FinserError, match="no sound"):
        write([], "table", io.StringIO())
