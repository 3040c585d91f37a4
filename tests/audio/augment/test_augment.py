"""Augmentation as a whole: the draw is recorded and makes the row again, whatever the order, the workers and the variants beside it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from finser import layout
from finser.audio import augment
from finser.audio.augment import Sounds
from finser.audio.shards import AudioRow, read_audio
from finser.config import locations, presets
from finser.config.sections.augment import Augment, SpeedPitch
from finser.errors import FinserError

PLAIN = ("noise", "noise_snr", "speed_pitch", "reverberation", "gain", "band_limit")


def with_settings(settings: Augment, seed: int = 0):
    return presets.demo().model_copy(update={"augment": settings, "seed": seed})


def test_as_published_there_are_three_rows_in_order(row):
    rows = augment.variants(row("DC", 1), Augment(), seed=0)
    assert [made.variant for made in rows] == ["original", "noise", "speed_pitch"]
    assert {(made.clip_id, made.speaker, made.emotion) for made in rows} == {("savee/DC/a01", "savee/DC", "angry")}


def test_every_variant_that_params_can_name_can_be_made(settings):
    assert set(augment.ALONE) | set(augment.WITH_OTHERS) == set(settings.variants)


def test_every_row_of_a_shard_is_made_again_from_the_original_and_its_draw(project, settings):
    augment.augment(with_settings(settings), "savee")
    rows = list(read_audio(layout.shards("savee")))
    assert [made.variant for made in rows] == ["original", *settings.variants] * 45
    sounds = Sounds.of(settings, layout.audio("savee"), locations.noise())
    for number, made in enumerate(rows):
        original = rows[number - number % 9]
        if made.variant == "original":
            continue
        assert made.clip_id == original.clip_id and made.draw == json.loads(json.dumps(made.draw))
        np.testing.assert_array_equal(augment.apply(original.audio, made.variant, made.draw, sounds), made.audio)
        assert made.draw.get("level", 1) < 1e-4 or not np.array_equal(made.audio, original.audio)


def test_bytes_do_not_depend_on_the_workers(project, settings, monkeypatch):
    parts = {}
    for cores in ("1", "2"):
        monkeypatch.setenv("FINSER_CORES", cores)
        augment.augment(with_settings(settings), "savee")
        parts[cores] = (layout.shards("savee") / "part-00000.parquet").read_bytes()
    assert parts["1"] == parts["2"]


def test_draws_do_not_depend_on_order_or_on_other_variants(project, settings):
    sounds = Sounds.of(settings, layout.audio("savee"), locations.noise())
    rows = list(read_audio(layout.audio("savee")))[:6]
    draws = {(made.clip_id, made.variant): made for row in rows for made in augment.variants(row, settings, 0, sounds)}
    fewer = settings.model_copy(update={"variants": settings.variants[::-2]})
    for row in reversed(rows):
        for made in augment.variants(row, fewer, 0, Sounds.of(fewer, layout.audio("savee"), locations.noise())):
            known = draws[made.clip_id, made.variant]
            assert (made.seed, made.draw) == (known.seed, known.draw) and np.array_equal(made.audio, known.audio)


def test_another_seed_or_clip_or_variant_draws_something_else(project, settings):
    sounds = Sounds.of(settings, layout.audio("savee"), locations.noise())
    one, two = list(read_audio(layout.audio("savee")))[:2]
    drawn = [augment.variants(row, settings, seed, sounds)[1:] for row, seed in ((one, 0), (one, 1), (two, 0))]
    for first, other_seed, other_clip in zip(*drawn, strict=True):
        assert len({made.seed for made in (first, other_seed, other_clip)}) == 3
        if first.variant not in ("speed_pitch", "band_limit"):  # nothing random in these
            assert first.draw not in (other_seed.draw, other_clip.draw)
            assert not np.array_equal(first.audio, other_seed.audio)
    assert len({made.seed for made in drawn[0]}) == len(drawn[0])


@pytest.mark.parametrize("size", [1, 3, 2047])
def test_very_short_clips_work(size):
    audio = np.resize(np.array([100, -100, 50], np.int16), size)
    short = AudioRow("tess/x", "tess", "tess/OAF", "sad", "original", 1, {}, audio)
    rows = augment.variants(short, Augment(variants=PLAIN), seed=0)
    assert [len(made.audio) for made in rows] == [round(size / 0.8) if made.variant == "speed_pitch" else size for made in rows]


def test_a_silent_clip_stays_silent():
    silent = AudioRow("tess/x", "tess", "tess/OAF", "sad", "original", 1, {}, np.zeros(3000, np.int16))
    for made in augment.variants(silent, Augment(variants=PLAIN), seed=0):
        assert not made.audio.any()


def test_no_variant_clips(row):
    loud = replace(row("DC", 1), audio=np.where(row("DC", 1).audio > 0, 32767, -32768).astype(np.int16))
    for made in augment.variants(loud, Augment(variants=PLAIN, gain={"db": (6.0, 6.0)}), seed=0):
        assert np.mean(np.abs(made.audio.astype(int)) >= 32767) <= (1 if made.variant in ("original", "gain") else 0.001), made.variant


def test_a_missing_package_is_said_before_anything_is_read(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    settings = Augment(speed_pitch=SpeedPitch(method="signalsmith"))
    with pytest.raises(FinserError, match=r"python-stretch is not installed; pip install .*choose phase_vocoder"):
        augment.augment(with_settings(settings), "savee")
    augment.augment(with_settings(settings.model_copy(update={"variants": ("noise",)})), "savee")


def python(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, check=True, capture_output=True, text=True, timeout=120
    ).stdout


def test_import_is_light():
    heavy = ("librosa", "numba", "scipy.signal", "torch")
    assert python(f"import sys, finser.audio.augment; print([name for name in {heavy} if name in sys.modules])").strip() == "[]"


def test_noise_that_has_changed_is_said_and_noise_that_nothing_locates_is_one_line(project, settings, noise_folder, tmp_path, capsys):
    folder = tmp_path / "noise"
    shutil.copytree(noise_folder, folder)
    (project / "local.yaml").write_text(f"noise: {folder}\n")
    params = with_settings(settings.model_copy(update={"variants": ("noise_file",)}))
    augment.augment(params, "savee")
    said = capsys.readouterr().err
    assert f"noise of {folder}: 3 files of" in said and "has changed" not in said
    soundfile.write(folder / "audio/1-1-A-0.wav", np.full(2000, 0.1), 22050)
    augment.augment(params, "savee")
    assert f"{folder} has changed since the last run: 3 files of" in capsys.readouterr().err
    (project / "local.yaml").unlink()
    with pytest.raises(
        FinserError, match="local.yaml: contains no path of the recordings of noise for augment.variants; add a line `noise: PATH`"
    ):
        augment.augment(params, "savee")
