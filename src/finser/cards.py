"""NVIDIA cards of this machine, and one of them for each process."""

import fcntl
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import IO


def cards() -> list[str]:
    """Names of the cards that this machine shows to its jobs; CUDA_VISIBLE_DEVICES restricts them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [card.strip() for card in visible.split(",") if card.strip() and card.strip() != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))] if listed.returncode == 0 else []


def take_one() -> IO | None:
    """Restrict this process to a card that no other finser process of this user has.

    Returns
    -------
    file or None
        The lock, to be kept open while the card is used. None where there is no choice: one card or none, or all are taken.
    """
    found = cards()
    for card in found if len(found) > 1 else []:
        lock = open(Path(tempfile.gettempdir(), f"finser-{os.getuid()}-card-{re.sub(r'[^A-Za-z0-9-]', '_', card)}.lock"), "a")  # noqa: PTH123, SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        os.environ["CUDA_VISIBLE_DEVICES"] = card
        return lock
    return None
