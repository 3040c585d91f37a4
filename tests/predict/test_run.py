"""`finser predict` and `finser bundle`, as commands."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from finser.audio.frames import SR


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    """Two clips, one long recording, and a file that is no sound."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for name, seconds in (("a.wav", 1), ("b.flac", 1), ("long.wav", 7)):
        time = np.arange(seconds * SR) / SR
        soundfile.write(
            folder / name, 0.2 * np.sin(2 * np.pi * 450 * time) * (np.sin(31 * time) > 0) + 0.003 * rng.standard_normal(len(time)), SR
        )
    (folder / "bad.wav").write_text("no sound")
    return folder


@pytest.fixture
def predict(project_of_bundles, tmp_path):
    """Run `finser predict` in an empty folder, with the bundle of the SVM."""

    def run(*arguments: object, expected: int = 0, stdin: str = "") -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "finser", "predict", "--bundle", str(project_of_bundles / "bundles/svm"), *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, input=stdin, capture_output=True, text=True, env=os.environ)
        assert done.returncode == expected, done.stderr
        return done

    return run


def test_a_bad_file_is_one_line_and_the_others_are_predicted(predict, sounds):
    done = predict(sounds, "--format", "jsonl", expected=1)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(one["path"]).name for one in found] == ["a.wav", "b.flac", "long.wav"]
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert "bad.wav: not readable as audio" in line and "Traceback" not in done.stderr


def test_strict_ends_at_the_first_bad_file(predict, sounds, tmp_path):
    done = predict(sounds / "a.wav", sounds / "bad.wav", "--strict", "--format", "csv", "--output", "out.csv", expected=1)
    assert "bad.wav: not readable as audio" in done.stderr and not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("form", ["table", "csv", "jsonl", "rttm", "audformat", "parquet"])
@pytest.mark.parametrize("target", ["a.wav", "../sounds/a.wav", "new.FLAC"])
def test_predictions_never_replace_a_recording(predict, sounds, tmp_path, form, target):
    shutil.copytree(sounds, tmp_path / "sounds")
    output = tmp_path / "sounds" / target
    done = predict("sounds", "--format", form, "--output", output, expected=1)
    assert "is a recording or a source, which the predictions would replace; name another file" in done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "sounds").iterdir()} == {
        path.name: path.read_bytes() for path in sounds.iterdir()
    }


@pytest.mark.parametrize("name", ["odd.dat", "list.txt"])
def test_a_source_of_any_name_is_not_replaced(predict, sounds, tmp_path, name):
    """A recording whose suffix is none of a sound, and a list of paths."""
    content = (sounds / "a.wav").read_bytes() if name == "odd.dat" else f"{sounds / 'a.wav'}\n".encode()
    (tmp_path / name).write_bytes(content)
    done = predict(name, "--output", tmp_path / name, expected=1)
    assert "is a recording or a source" in done.stderr and (tmp_path / name).read_bytes() == content


def test_the_suffix_of_the_output_chooses_the_format(predict, sounds, tmp_path):
    for name, begin in (("a.csv", b"path,start,end"), ("a.jsonl", b'{"path"'), ("a.rttm", b"SPEAKER"), ("a.parquet", b"PAR1")):
        predict(sounds / "a.wav", "--output", name)
        assert (tmp_path / name).read_bytes().startswith(begin)
    predict(sounds / "a.wav", "--output", "b.csv", "--format", "jsonl")
    assert json.loads((tmp_path / "b.csv").read_text())["start"] == 0


def test_an_output_in_no_folder_is_one_line_and_makes_none(predict, sounds, tmp_path):
    done = predict(sounds / "a.wav", "--output", "new/a.csv", expected=1)
    assert "new: no such folder" in done.stderr and not (tmp_path / "new").exists()


def test_segments_of_a_long_recording(predict, sounds):
    done = predict(sounds / "long.wav", "--window", 2, "--hop", 1, "--segments", "--format", "jsonl")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[0]["start"] == 0 and found[-1]["end"] == 7
    assert all(a["end"] == b["start"] for a, b in zip(found, found[1:], strict=False))


def test_a_list_on_standard_input_to_a_file(predict, sounds, tmp_path):
    predict("-", "--format", "parquet", "--output", "out.parquet", stdin=f"{sounds}/a.wav\n{sounds}/b.flac\n")
    assert (tmp_path / "out.parquet").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--segments"], "--segments is for windows; give their length, too: --window 3"),
        (["--hop", "1"], "--hop is for windows; give their length, too: --window 3"),
        (["--format", "parquet"], "Parquet is no text; name a file: --output FILE"),
        (["--window", "1", "--hop", "2"], "a hop of 2 s and windows of 1 s; expected 0.01 <= hop <= window"),
    ],
)
def test_options_that_do_not_fit_are_one_line(predict, sounds, arguments, said):
    done = predict(sounds / "a.wav", *arguments, expected=1)
    assert done.stderr.splitlines()[-1] == f"error: {said}" or said in done.stderr


@pytest.mark.parametrize("form", ["table", "csv", "jsonl", "rttm", "audformat", "parquet"])
def test_a_name_that_is_no_text_stops_nothing(predict, sounds, tmp_path, form):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (b"caf\xe9.wav", b"last.wav"):
        shutil.copy(sounds / "a.wav", folder / os.fsdecode(name))
    done = predict(folder, "--format", form, *(("--output", "out.parquet") if form == "parquet" else ()))
    said = str(pq.read_table(tmp_path / "out.parquet")["path"].to_pylist()) if form == "parquet" else done.stdout
    assert "caf" in said and "last" in said


def test_a_bar_is_not_drawn_over_rows_on_a_terminal(project_of_bundles, sounds):
    command = f"{sys.executable} -m finser predict --bundle {project_of_bundles / 'bundles/svm'} {sounds / 'a.wav'} {sounds / 'b.flac'}"
    done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, env=os.environ)
    assert "predicting" not in done.stdout and len(done.stdout.strip().splitlines()) >= 2
