"""Settings of torch for every training and prediction: threads, device and deterministic operations."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from finser.machine import training_threads


def start_torch() -> str:
    """Configure torch, and return its device: ``"cuda"`` if there is a GPU, else ``"cpu"``.

    Call this before the first operation on a GPU. The number of threads is :func:`finser.machine.training_threads`. Denormal numbers are
    flushed to zero, because convolutions are many times slower on them. On a GPU, TF32 is disabled, so that products stay in float32, and
    torch prefers deterministic operations; :func:`deterministic` requires them.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it once, at its first call
    torch.set_num_threads(training_threads())
    torch.set_flush_denormal(True)
    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    return "cuda"


@contextmanager
def deterministic() -> Iterator[None]:
    """Raise an error for nondeterministic operations within the context; restore the previous settings on exit."""
    enabled, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a debugging aid that writes such memory twice
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warns)
        torch.utils.deterministic.fill_uninitialized_memory = fills
