"""Sound of a microphone, by the optional library sounddevice (PortAudio)."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from threading import Condition
from types import ModuleType
from typing import Any

from finser.errors import FinserError
from finser.files import why
from finser.predict.live import Piece
from finser.progress import say

BLOCK = 0.02  # seconds of sound per call of PortAudio
MOST = 10.0  # seconds of sound that may wait for predictions
SILENT = 5.0  # seconds without a block after which the microphone counts as gone: it delivers silence, too
OTHERWISE = "or send sound to standard input: finser listen -"


def library() -> ModuleType:
    """Import sounddevice.

    Raises
    ------
    FinserError
        It or PortAudio is not installed.
    """
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise FinserError("a microphone needs sounddevice", do=f'pip install "finser[listen]", {OTHERWISE}') from None
    except OSError:  # PortAudio is no part of sounddevice on Linux
        do = f"install it (Debian and Ubuntu: libportaudio2; Fedora and conda: portaudio), {OTHERWISE}"
        raise FinserError("a microphone needs the system's library PortAudio", do=do) from None
    return sounddevice


def devices() -> list[str]:
    """Return a line for each device that records: number, name, and its rate.

    Raises
    ------
    FinserError
        There is none.
    """
    found = [device for device in library().query_devices() if device["max_input_channels"]]
    if not found:
        raise FinserError("PortAudio finds no device that records", do=f"connect a microphone, {OTHERWISE}")
    return [f"{device['index']:>3}  {device['name']}, {device['default_samplerate']:.0f} Hz" for device in found]


class Microphone:
    """A device that records.

    Parameters
    ----------
    device : str
        Its number, or a part of its name that no other has; "": the system's default.
    sr : int, optional
        Rate in Hz; default: the device's own.

    Attributes
    ----------
    sr : int
        Rate in Hz.

    Raises
    ------
    FinserError
        There is no such device, or sounddevice or PortAudio is missing.
    """

    def __init__(self, device: str = "", sr: int | None = None) -> None:
        self._library = library()
        facts = self._facts(device)
        self._name, self._index = facts["name"], facts["index"]
        self.sr = sr or round(facts["default_samplerate"])
        self._changed = Condition()
        self._blocks: deque[tuple[bytes, float] | int] = deque()  # a number: so many samples are lost here, 0 if it is not known
        self._ended = False
        self._place = 0  # samples that were delivered before the next block
        self._lost: int | None = None  # of the gap that ended the last piece

    def _facts(self, device: str) -> Mapping[str, Any]:
        known = devices()
        try:
            return self._library.query_devices(int(device) if device.isdigit() else device or None, "input")
        except (ValueError, self._library.PortAudioError) as error:
            where = f"--device {device}" if device else "the default device"
            raise FinserError(f"records nothing ({why(error)})", where=where, do=f"choose one of: {'; '.join(known)}") from None

    def pieces(self) -> Iterator[Piece]:
        """Record, and yield pieces without a gap; one ends where sound is lost, which is then said on standard error.

        Raises
        ------
        FinserError
            The device cannot be opened, or delivers no more sound.
        """
        stream = self._opened()
        try:
            while True:
                self._lost = None
                yield Piece(self._take, self._place / self.sr)
                if self._lost is None:
                    raise FinserError("the microphone delivers no more sound", where=self._name, do="connect it again")
                say(_loss(self._lost / self.sr))
        finally:
            stream.close()

    def _opened(self) -> Any:
        options = {"samplerate": self.sr, "blocksize": round(BLOCK * self.sr), "device": self._index, "channels": 1, "dtype": "int16"}
        try:
            stream = self._library.RawInputStream(**options, callback=self._arrive, finished_callback=self._end)
            stream.start()
        except (ValueError, self._library.PortAudioError) as error:
            do = "choose another --rate or --device; finser listen --devices lists them"
            raise FinserError(f"cannot record at {self.sr} Hz ({why(error)})", where=self._name, do=do) from None
        return stream

    def _arrive(self, data: Any, frames: int, _: Any, status: Any) -> None:
        """Keep a block, in PortAudio's thread; if too much waits, drop what waits, so that predictions are of the present."""
        with self._changed:
            held = sum(len(block[0]) // 2 for block in self._blocks if isinstance(block, tuple))
            if held + frames > MOST * self.sr:
                earlier = sum(block for block in self._blocks if isinstance(block, int))
                self._blocks.clear()
                self._blocks.append(held + earlier)
            if status.input_overflow:  # PortAudio itself had to drop samples, and does not say how many
                self._blocks.append(0)
            self._blocks.append((bytes(data), time.monotonic()))
            self._changed.notify()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _take(self, _: int) -> tuple[bytes, float]:
        """Return the next block and its time; nothing at a gap, and when the microphone is gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._ended, SILENT)
            block = self._blocks.popleft() if self._blocks else b""
        if isinstance(block, tuple):
            self._place += len(block[0]) // 2
            return block
        if isinstance(block, int):
            self._lost = block
            self._place += block
        return b"", time.monotonic()


def _loss(seconds: float) -> str:
    if seconds:
        return f"{seconds:.1f} s of sound were lost: predictions take longer than the sound; a longer --hop needs fewer of them"
    return "sound was lost before it reached finser, PortAudio does not say how much: the machine is busy"
