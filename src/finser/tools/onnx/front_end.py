"""The front end of the networks on log-mel spectrograms as ONNX operators: waveform -> mel powers and RMS -> normalised spectrogram.

Each function is the counterpart of one in NumPy, which training uses; tests compare them.
"""

import numpy as np

from finser.audio.frames import FULL_SCALE, HOP_LENGTH, INT16, N_FFT
from finser.config.sections.classifiers import LogMel
from finser.features.log_mel import FLOOR_DB, MARGIN, ROUND_TO
from finser.features.mel_scale import mel_bank
from finser.tools.onnx.builder import Builder, Name


def rounded(graph: Builder, waveform: Name) -> Name:
    """Scale a waveform down if it exceeds full scale, and round to 16 bits: ``to_float(to_int16(waveform))``, shape (n,)."""
    high, low = (graph.Max(peak, 0.0) for peak in (graph.ReduceMax(waveform, keepdims=0), graph.ReduceMax(graph.Neg(waveform), keepdims=0)))
    gain = graph.Min(graph.Div(FULL_SCALE, graph.Max(high, FULL_SCALE)), graph.Div(1.0, graph.Max(low, 1.0)))
    return graph.Div(graph.Round(graph.Mul(waveform, graph.Mul(gain, float(INT16)))), float(INT16))


def mel_and_rms(graph: Builder, waveform: Name) -> tuple[Name, Name]:
    """Return librosa's mel powers (t, 128) and RMS (t,) of samples (n,) at 22,050 Hz; t = n // 512 + 1."""
    padded = graph.Pad(waveform, np.array([N_FFT // 2, N_FFT // 2]))  # (n + 2048,)
    window = np.hanning(N_FFT + 1)[:-1]
    spectrum = graph.STFT(graph.Unsqueeze(padded, np.array([0, 2])), HOP_LENGTH, window, N_FFT, onesided=1)  # (1, t, 1025, 2)
    power = graph.ReduceSumSquare(graph.Squeeze(spectrum, np.array([0])), np.array([2]), keepdims=0)  # (t, 1025)
    squares = graph.Unsqueeze(graph.Mul(padded, padded), np.array([0, 1]))  # (1, 1, n + 2048)
    means = graph.AveragePool(squares, kernel_shape=[N_FFT], strides=[HOP_LENGTH])  # (1, 1, t)
    return graph.MatMul(power, mel_bank().T), graph.Squeeze(graph.Sqrt(means), np.array([0, 1]))


def log_mel(graph: Builder, mel: Name, rms: Name, options: LogMel) -> Name:
    """Return the spectrogram in dB without silent ends, shape (t, bands): ``finser.features.log_mel.log_mel``."""
    if options.trim_db:
        mel = _sounding(graph, mel, rms, options.trim_db)
    if options.bands < mel_bank().shape[0]:
        groups = np.array([0, options.bands, -1])  # 0: the length stays
        mel = graph.ReduceMean(graph.Reshape(mel, groups), np.array([2]), keepdims=0)
    found = graph.Mul(graph.Log(graph.Max(mel, 10 ** (FLOOR_DB / 10))), 10 / np.log(10))
    return graph.Max(found, graph.Sub(graph.ReduceMax(found), options.range_db)) if options.range_db else found


def _sounding(graph: Builder, mel: Name, rms: Name, trim_db: float) -> Name:
    """Return the frames from the first to the last within `trim_db` of the loudest, with two more on either side; all if none is."""
    loud = graph.Greater(rms, graph.Mul(graph.ReduceMax(rms, keepdims=1), 10 ** (-trim_db / 20)))  # (t,) bool
    length = graph.Shape(rms)  # (1,)
    places = graph.Range(0, graph.Squeeze(length), 1)
    first, last = graph.ReduceMin(graph.Where(loud, places, length)), graph.ReduceMax(graph.Where(loud, places, -1))  # (1,) each
    start = graph.Max(graph.Sub(first, np.array([MARGIN])), np.array([0]))
    stop = graph.Add(last, np.array([1 + MARGIN]))
    silent = graph.Less(last, np.array([0]))
    return graph.Slice(mel, graph.Where(silent, np.array([0]), start), graph.Where(silent, length, stop), np.array([0]))


def normalised(graph: Builder, spectrogram: Name, mean: np.ndarray, scale: np.ndarray, center: str) -> tuple[Name, Name]:
    """Return what ``CollateFrames`` makes of one clip: a padded spectrogram (1, T, bands), and the number of its frames (1,)."""
    scaled = graph.Mul(graph.Sub(spectrogram, mean), 1 / scale)
    axes = np.array([0, 1] if center == "clip" else [0])
    centred = graph.Sub(scaled, graph.ReduceMean(scaled, axes, keepdims=1))
    length = graph.Gather(graph.Shape(spectrogram), np.array([0]))  # (1,)
    missing = graph.Mod(graph.Neg(length), np.array([ROUND_TO]))  # frames up to the next multiple of 32
    amounts = graph.Concat(np.array([0, 0]), missing, np.array([0]), axis=0)
    return graph.Unsqueeze(graph.Pad(centred, amounts), np.array([0])), length
