"""The Python code of docs/predict.md runs."""

import re
import shutil
from pathlib import Path

import numpy as np
import soundfile

from finser.audio.frames import SR

PAGE = Path(__file__).parents[2] / "docs/predict.md"


def test_the_code_of_the_page_runs(project_of_bundles, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(project_of_bundles / "bundles/small_cnn", "mine")
    for name, seconds in (("speech.wav", 1), ("other.flac", 1), ("long.flac", 8)):
        time = np.arange(seconds * SR) / SR
        soundfile.write(name, 0.2 * np.sin(2 * np.pi * 450 * time) * (np.sin(31 * time) > 0), SR)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    known: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
    said = capsys.readouterr().out
    assert "other.flac" in said and "low=" in said
