"""The inner loops of labels, compiled by numba: apart from them, so that only the stage `label` imports numba.

The compiled code is kept in __pycache__, so that a second process need not compile again.
"""

import numba
import numpy as np

BLOCK = 8  # frames summed side by side, so that no addition waits for the one before; every sum is of one frame alone


@numba.njit(cache=True, nogil=True)
def windowed(padded: np.ndarray, first: int, window: np.ndarray, out: np.ndarray) -> None:
    """Frames `first`, `first` + 1, ... of a clip, times the window; rows past the last frame become zero.

    Parameters
    ----------
    padded : np.ndarray
        int16, shape (512 (n_frames + 3),).
    window : np.ndarray
        float64, shape (2048,).
    out : np.ndarray
        float64, shape (block, 2048), overwritten.
    """
    hop = len(window) // 4
    n = max(0, min(len(out), len(padded) // hop - 3 - first))
    for row in range(n):
        start = (first + row) * hop
        frame, target = padded[start : start + len(window)], out[row]
        for k in range(len(window)):
            target[k] = window[k] * frame[k]
    out[n:] = 0


# No fastmath: it would let the compiler choose the order of a sum by the width of the CPU's vectors. A product of two float32 is exact
# in float64, so that a fused multiply-add, where the CPU has one, changes no bit either.
@numba.njit(cache=True, nogil=True)
def bands(
    spectrum: np.ndarray,
    edges: np.ndarray,
    rising: np.ndarray,
    falling: np.ndarray,
    pitches: np.ndarray,
    mel: np.ndarray,
    chroma: np.ndarray,
) -> None:
    """Powers of a spectrum under the triangles of a mel filter bank and under a chroma filter bank.

    A power is the squared magnitude of the spectrum rounded to complex64, as librosa's is. Sums are in float64, over ascending bins.

    Parameters
    ----------
    spectrum : np.ndarray
        complex128, shape (block, 1025); block is a multiple of 8.
    edges : np.ndarray
        int64, shape (130,): band m rises over bins ``edges[m] : edges[m + 1]`` and falls over the next.
    rising, falling : np.ndarray
        float32, shape (1025,): weight of a bin in the band that rises there, and in the band before, which falls there.
    pitches : np.ndarray
        float32, shape (12, 1025).
    mel, chroma : np.ndarray
        float32, shapes (block, 128) and (block, 12), overwritten.
    """
    n_bins = spectrum.shape[1]
    power = np.empty((n_bins, BLOCK))  # stays in the second cache
    classes = np.empty((len(pitches), BLOCK))
    for row in range(0, len(spectrum), BLOCK):
        for i in range(BLOCK):
            for k in range(n_bins):
                real, imag = np.float32(spectrum[row + i, k].real), np.float32(spectrum[row + i, k].imag)
                power[k, i] = np.float32(np.float64(real) * real + np.float64(imag) * imag)
        _mel(power, edges, rising, falling, mel[row : row + BLOCK])
        _chroma(power, pitches, classes)
        for i in range(BLOCK):
            for c in range(len(pitches)):
                chroma[row + i, c] = np.float32(classes[c, i])


@numba.njit(cache=True, nogil=True)
def _mel(power: np.ndarray, edges: np.ndarray, rising: np.ndarray, falling: np.ndarray, out: np.ndarray) -> None:
    up, down, before = np.empty(BLOCK), np.empty(BLOCK), np.zeros(BLOCK)
    for m in range(len(edges) - 1):
        for i in range(BLOCK):
            up[i] = down[i] = 0
        for k in range(edges[m], edges[m + 1]):
            rise, fall = np.float64(rising[k]), np.float64(falling[k])
            for i in range(BLOCK):
                up[i] += rise * power[k, i]
                down[i] += fall * power[k, i]
        for i in range(BLOCK):
            if m > 0:
                out[i, m - 1] = np.float32(before[i] + down[i])
            before[i] = up[i]


@numba.njit(cache=True, nogil=True)
def _chroma(power: np.ndarray, pitches: np.ndarray, out: np.ndarray) -> None:
    for c in range(len(pitches)):
        for i in range(BLOCK):
            out[c, i] = 0
    for k in range(len(power)):
        for c in range(len(pitches)):
            weight = np.float64(pitches[c, k])
            for i in range(BLOCK):
                out[c, i] += weight * power[k, i]


# reassoc: all sums are of whole numbers below 2^53, exact in any order
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def levels(padded: np.ndarray, rms: np.ndarray, zcr: np.ndarray) -> None:
    """RMS (full scale 1) and zero-crossing rate of every frame; a frame is four hops of 512 samples, and zero is positive.

    Parameters
    ----------
    padded : np.ndarray
        int16, shape (512 (n_frames + 3),).
    rms, zcr : np.ndarray
        float32, shape (n_frames,), overwritten.
    """
    n_hops = len(rms) + 3
    hop = len(padded) // n_hops
    squares, changes = np.empty(n_hops), np.empty(n_hops, np.int32)
    for n in range(n_hops):
        part, total, count = padded[n * hop : (n + 1) * hop], 0.0, np.int32(0)
        for k in range(hop):  # whole numbers below 2^53: exact in whatever order they are added
            total += np.float64(part[k]) * np.float64(part[k])
        for k in range(1, hop):
            count += np.int32(np.int16(part[k] ^ part[k - 1]) < 0)
        squares[n], changes[n] = total, count
    for t in range(len(rms)):
        total, count = squares[t], changes[t]
        for n in range(t + 1, t + 4):  # a change into a frame's later hops is within it, one into its first is not
            total += squares[n]
            count += changes[n] + np.int32(np.int16(padded[n * hop] ^ padded[n * hop - 1]) < 0)
        rms[t] = np.sqrt(total / (4 * hop)) / 32768
        zcr[t] = count / (4 * hop)
