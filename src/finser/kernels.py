"""The inner loops of labels, compiled by numba: apart from them, so that only the stage `label` imports numba.

The compiled code is kept in __pycache__, so that a second process need not compile again.
"""

import numba
import numpy as np

TOGETHER = 4  # frames or pitch classes summed side by side, so that no addition waits for the one before


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


@numba.njit(cache=True, nogil=True)
def power(spectrum: np.ndarray, out: np.ndarray) -> None:
    """Squared magnitude: complex128 (block, 1025) -> float32, of the spectrum rounded to complex64 as librosa's is."""
    for row in range(len(out)):
        values, target = spectrum[row], out[row]
        for k in range(len(values)):
            real, imag = np.float32(values[k].real), np.float32(values[k].imag)
            target[k] = real * real + imag * imag


@numba.njit(cache=True, nogil=True)
def mel(power: np.ndarray, edges: np.ndarray, rising: np.ndarray, falling: np.ndarray, out: np.ndarray) -> None:
    """Powers under the triangles of a mel filter bank.

    Parameters
    ----------
    power : np.ndarray
        float32, shape (block, 1025); block is a multiple of 4.
    edges : np.ndarray
        int64, shape (130,): band m rises over bins ``edges[m] : edges[m + 1]`` and falls over the next.
    rising, falling : np.ndarray
        float32, shape (1025,): weight of a bin in the band that rises there, and in the band before, which falls there.
    out : np.ndarray
        float32, shape (block, 128), overwritten.
    """
    zero, last = np.float32(0), len(edges) - 2
    for row in range(0, len(power), TOGETHER):
        p, q, r, s = power[row], power[row + 1], power[row + 2], power[row + 3]
        for m in range(last + 1):
            up_p, up_q, up_r, up_s, down_p, down_q, down_r, down_s = zero, zero, zero, zero, zero, zero, zero, zero
            for k in range(edges[m], edges[m + 1]):
                up, down = rising[k], falling[k]
                up_p, up_q, up_r, up_s = up_p + up * p[k], up_q + up * q[k], up_r + up * r[k], up_s + up * s[k]
                down_p, down_q, down_r, down_s = down_p + down * p[k], down_q + down * q[k], down_r + down * r[k], down_s + down * s[k]
            if m < last:
                out[row, m], out[row + 1, m], out[row + 2, m], out[row + 3, m] = up_p, up_q, up_r, up_s
            if m > 0:
                out[row, m - 1] += down_p
                out[row + 1, m - 1] += down_q
                out[row + 2, m - 1] += down_r
                out[row + 3, m - 1] += down_s


# reassoc: a sum may be taken in several parts at once; in the same parts for every frame
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def chroma(power: np.ndarray, bank: np.ndarray, out: np.ndarray) -> None:
    """Powers under a chroma filter bank: float32 (block, 1025) and (12, 1025) -> float32 (block, 12)."""
    zero = np.float32(0)
    for row in range(len(power)):
        p = power[row]
        for c in range(0, len(bank), TOGETHER):
            one, two, three, four = bank[c], bank[c + 1], bank[c + 2], bank[c + 3]
            a, b, d, e = zero, zero, zero, zero
            for k in range(len(p)):
                a += one[k] * p[k]
                b += two[k] * p[k]
                d += three[k] * p[k]
                e += four[k] * p[k]
            out[row, c], out[row, c + 1], out[row, c + 2], out[row, c + 3] = a, b, d, e


@numba.njit(cache=True, nogil=True)
def hops(padded: np.ndarray, squares: np.ndarray, changes: np.ndarray) -> None:
    """Per hop of 512 samples: sum of squares, and how many samples differ in sign from the one before (zero is positive).

    Parameters
    ----------
    padded : np.ndarray
        int16, shape (512 n,).
    squares, changes : np.ndarray
        int64, shape (n,), overwritten.
    """
    hop = len(padded) // len(squares)
    for n in range(len(squares)):
        total, count = np.int64(0), np.int64(0)
        for k in range(n * hop, (n + 1) * hop):
            sample = np.int64(padded[k])
            total += sample * sample
        for k in range(max(1, n * hop), (n + 1) * hop):
            count += (padded[k] < 0) != (padded[k - 1] < 0)
        squares[n], changes[n] = total, count
