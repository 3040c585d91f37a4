"""The inner loops of labels, compiled by numba: apart from them, so that only the stage `label` imports numba.

The compiled code is kept in __pycache__, so that a second process need not compile again.
"""

import numba
import numpy as np

TOGETHER = 4  # always: so many frames or pitch classes are summed side by side, so that no addition waits for the one before


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


# reassoc: a sum may be taken in several parts at once; in the same parts for every frame
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
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

    A power is the squared magnitude of the spectrum rounded to complex64, as librosa's is.

    Parameters
    ----------
    spectrum : np.ndarray
        complex128, shape (block, 1025); block is a multiple of 4.
    edges : np.ndarray
        int64, shape (130,): band m rises over bins ``edges[m] : edges[m + 1]`` and falls over the next.
    rising, falling : np.ndarray
        float32, shape (1025,): weight of a bin in the band that rises there, and in the band before, which falls there.
    pitches : np.ndarray
        float32, shape (12, 1025).
    mel, chroma : np.ndarray
        float32, shapes (block, 128) and (block, 12), overwritten.
    """
    power = np.empty((TOGETHER, spectrum.shape[1]), np.float32)  # stays in the first cache
    for row in range(0, len(spectrum), TOGETHER):
        for i in range(TOGETHER):
            for k in range(spectrum.shape[1]):
                real, imag = np.float32(spectrum[row + i, k].real), np.float32(spectrum[row + i, k].imag)
                power[i, k] = real * real + imag * imag
        _mel(power, edges, rising, falling, mel[row : row + TOGETHER])
        _chroma(power, pitches, chroma[row : row + TOGETHER])


@numba.njit(inline="always")
def _mel(power: np.ndarray, edges: np.ndarray, rising: np.ndarray, falling: np.ndarray, out: np.ndarray) -> None:
    zero, last = np.float32(0), len(edges) - 2
    p, q, r, s = power[0], power[1], power[2], power[3]
    for m in range(last + 1):
        up_p, up_q, up_r, up_s, down_p, down_q, down_r, down_s = zero, zero, zero, zero, zero, zero, zero, zero
        for k in range(edges[m], edges[m + 1]):
            up, down = rising[k], falling[k]
            up_p, up_q, up_r, up_s = up_p + up * p[k], up_q + up * q[k], up_r + up * r[k], up_s + up * s[k]
            down_p, down_q, down_r, down_s = down_p + down * p[k], down_q + down * q[k], down_r + down * r[k], down_s + down * s[k]
        if m < last:
            out[0, m], out[1, m], out[2, m], out[3, m] = up_p, up_q, up_r, up_s
        if m > 0:
            out[0, m - 1] += down_p
            out[1, m - 1] += down_q
            out[2, m - 1] += down_r
            out[3, m - 1] += down_s


@numba.njit(inline="always")
def _chroma(power: np.ndarray, pitches: np.ndarray, out: np.ndarray) -> None:
    zero = np.float32(0)
    for i in range(TOGETHER):
        p = power[i]
        for c in range(0, len(pitches), TOGETHER):
            one, two, three, four = pitches[c], pitches[c + 1], pitches[c + 2], pitches[c + 3]
            a, b, d, e = zero, zero, zero, zero
            for k in range(len(p)):
                a += one[k] * p[k]
                b += two[k] * p[k]
                d += three[k] * p[k]
                e += four[k] * p[k]
            out[i, c], out[i, c + 1], out[i, c + 2], out[i, c + 3] = a, b, d, e


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
