"""From nothing to labels, twice with one worker and twice with two: the same bytes."""

import hashlib

import pytest

from finser.audio import augment, resample
from finser.config import presets
from finser.config.params import validate
from finser.config.sections.fetch import Synthetic
from finser.corpora import index
from finser.features import labels
from finser.fetching import fetch

KINDS = ["noise", "noise_snr", "speed_pitch", "reverberation", "gain", "band_limit", "babble"]


@pytest.fixture(scope="module")
def settings():
    values = presets.tiny().model_dump(mode="json")
    values["corpora"].append("esd")
    values["fetch"]["esd"] = Synthetic(speakers=3, clips_per_emotion=3).model_dump(mode="json")
    values["augment"]["variants"] = KINDS
    return validate(values)


def run_in(folder, settings, monkeypatch, cores) -> dict[str, str]:
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FINSER_CORES", cores)
    for step in (fetch.fetch, index.index, resample.resample, augment.augment, labels.label):
        step(settings, "esd")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_whatever_the_number_of_workers(tmp_path, settings, monkeypatch):
    runs = [run_in(tmp_path / f"{cores}{turn}", settings, monkeypatch, cores) for cores in "12" for turn in "ab"]
    assert {name.split("/")[1] for name in runs[0]} == {"raw", "clips", "audio", "shards", "labels"}
    assert runs[0] == runs[1] == runs[2] == runs[3]
