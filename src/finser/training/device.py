"""How torch runs in every training and prediction: threads, device, and operations that give the same bits each time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from finser.machine import training_threads


def start_torch() -> str:
    """Prepare torch, and return its device: ``"cuda"`` where there is a GPU, else ``"cpu"``.

    Call this before the first operation on a GPU. torch gets :func:`finser.machine.training_threads`, and flushes denormal numbers
    to zero, because convolutions on them take many times as long. On a GPU, products stay in float32 (no TF32), and torch prefers
    operations that are deterministic; :func:`deterministic` insists on them.
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
    """Refuse operations that could give other bits the next time; as before at the end."""
    enabled, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a guard against reading such memory, at the cost of writing it twice
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warns)
        torch.utils.deterministic.fill_uninitialized_memory = fills
