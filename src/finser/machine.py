"""Machine settings that affect the rounding of a training: threads, vector instructions, device and library versions.

The same settings give the same bytes. Other settings round differently and give other weights (docs/reproducibility.md).
"""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from finser.errors import FinserError

ALWAYS = ("numpy", "scipy", "finser")  # of every training
SETTINGS = ("threads", "cpu_capability", "blas", "cpu", "device", "gpu", "versions")  # keys of settings()


def training_threads() -> int:
    """Threads of torch in training and prediction: environment variable FINSER_THREADS, else 1.

    Their number does not depend on the cores of the job, because a sum over more threads is rounded differently.
    """
    given = os.environ.get("FINSER_THREADS", "1")
    if not given.isdigit() or int(given) < 1:
        raise FinserError("not a number of threads", where="environment variable FINSER_THREADS", expected="1 or more", found=given)
    return int(given)


def settings(libraries: Iterable[str], *, torch: bool = True) -> dict:
    """The settings that this process trains under.

    Parameters
    ----------
    libraries : iterable of str
        Distributions that take part, beside numpy, scipy and finser.
    torch : bool
        Whether torch takes part.

    Returns
    -------
    dict
        Of the keys `SETTINGS`: ``threads``; ``cpu_capability`` of torch (``AVX512``, ``AVX2``, ...) and ``blas``, the kernels of
        OpenBLAS (``SkylakeX``, ...), None where the one or the other takes no part; ``cpu``, the model's name; ``device``, ``cpu``
        or ``cuda``; ``gpu``, its name or None; ``versions`` by distribution.
    """
    names = sorted({*libraries, *ALWAYS})
    return {**(_of_torch() if torch else _of_numpy()), "cpu": cpu_model(), "versions": {name: version(name) for name in names}}


def key(libraries: Iterable[str]) -> str:
    """What a checkpoint of a training with torch belongs to, beside its data and settings: all of :func:`settings`."""
    return repr(sorted(settings(libraries).items()))


def cpu_model() -> str:
    """The CPU's name, from /proc/cpuinfo if that file exists."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()


def _of_torch() -> dict:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "blas": None,
        "device": "cuda" if gpu else "cpu",
        "gpu": gpu,
    }


def _of_numpy() -> dict:
    from threadpoolctl import threadpool_info

    kernels = sorted({pool["architecture"] for pool in threadpool_info() if pool.get("internal_api") == "openblas"})
    return {"threads": 1, "cpu_capability": None, "blas": ", ".join(kernels) or None, "device": "cpu", "gpu": None}
