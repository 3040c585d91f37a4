"""What decides the last bits of a training: threads, vector instructions, device and library versions.

The same settings give the same bytes; other settings give other rounding, and a network trained under them is another network
(docs/reproducibility.md).
"""

import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

TRAINING_THREADS = 1  # of torch in every training, whatever the job's cores: sums over threads have other last bits
ALWAYS = ("numpy", "scipy", "finser")


def settings(libraries: Iterable[str], *, torch: bool = True) -> dict:
    """The settings that a training runs under, JSON-able.

    Parameters
    ----------
    libraries : iterable of str
        Distributions that take part, beside numpy, scipy and finser.
    torch : bool
        Whether torch takes part: then its threads, its CPU capability and the GPU are included.

    Returns
    -------
    dict
        ``threads``, ``cpu_capability`` (``AVX512``, ``AVX2``, ...; None without torch), ``cpu`` (the model's name), ``device``
        (``cpu`` or ``cuda``), ``gpu`` (its name or None) and ``versions``.
    """
    found = {"threads": 1, "cpu_capability": None, "cpu": cpu_model(), "device": "cpu", "gpu": None}
    return {**found, **(_of_torch() if torch else {}), "versions": {name: version(name) for name in (*libraries, *ALWAYS)}}


def key() -> str:
    """What a checkpoint of torch belongs to: threads, capability, device and torch's version, as text."""
    return repr(sorted(_of_torch().items())) + version("torch")


def cpu_model() -> str:
    """The CPU's name, from /proc/cpuinfo where there is one."""
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
        "device": "cuda" if gpu else "cpu",
        "gpu": gpu,
    }
