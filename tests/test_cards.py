"""Several jobs on several cards: each has one of its own."""

import os
import subprocess
import sys

import pytest

from finser.cards import cards, take_one

CHILD = """
import os, sys
from finser.cards import take_one
lock = take_one()
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("visible", "found"), [("", []), ("-1", []), ("0", ["0"]), ("2, 3", ["2", "3"]), ("GPU-1a,GPU-2b", ["GPU-1a", "GPU-2b"])]
)
def test_visible_cards(monkeypatch, visible, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cards() == found


@pytest.mark.parametrize(
    ("listing", "found"),
    [
        ("exit 9", []),
        ("echo 'GPU 0: NVIDIA GeForce RTX 3060 Laptop GPU (UUID: GPU-1)'", ["0"]),
        ("echo 'GPU 0: A'; echo 'GPU 1: B'", ["0", "1"]),
    ],
)
def test_cards_are_those_of_nvidia_smi(monkeypatch, tmp_path, listing, found):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{listing}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert cards() == found


def test_every_process_has_a_card_of_its_own(tmp_path):
    """The third finds both taken and is not restricted; a card is free again when its process ends, killed or not."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "MIG-GPU-aa/1/0,7", "TMPDIR": str(tmp_path)}

    def start() -> tuple[subprocess.Popen, str]:
        child = subprocess.Popen([sys.executable, "-c", CHILD], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return child, child.stdout.readline().strip()

    (first, one), (second, two), (third, rest) = start(), start(), start()
    assert (one, two, rest) == ("MIG-GPU-aa/1/0", "7", "MIG-GPU-aa/1/0,7")
    first.kill()
    first.wait()
    fourth, again = start()
    assert again == "MIG-GPU-aa/1/0"
    for child in (second, third, fourth):
        child.kill()
        child.wait()


def test_where_there_is_no_choice_nothing_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert take_one() is None and os.environ["CUDA_VISIBLE_DEVICES"] == "0"
