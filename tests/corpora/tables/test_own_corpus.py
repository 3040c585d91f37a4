"""An own corpus from its table to resampled clips: every format of libsndfile, parts of long files, damaged files, globs."""

import csv

import numpy as np
import pytest
import soundfile

from finser import layout
from finser.audio.resample import decode, resample
from finser.audio.shards import read_audio
from finser.config.params import Params
from finser.config.sections.fetch import Synthetic, Table
from finser.config.sections.index import Index
from finser.corpora import index
from finser.corpora.clips import read_clips, usable
from finser.corpora.tables.listing import changed_tables
from finser.errors import FinserError
from finser.fetching.fetch import fetch
from finser.files import read_json

LABELS = {"anger": "angry", "boredom": None}


def params_with(**sections) -> Params:
    section = sections.pop("section", Table(emotions=LABELS, language="de", licence="ours", title="Own"))
    return Params(corpora=("own", "esd"), pooled=("own",), fetch={"own": section, "esd": Synthetic()}, **sections)


@pytest.fixture
def folder(project, write_wav):
    """A folder of recordings outside the data folder, named by local.yaml."""
    (project / "local.yaml").write_text(f"corpora: {{own: {project}/mine/t.csv}}\n")
    (project / "mine").mkdir()
    return project / "mine"


def write_table(folder, *rows, head=("path", "speaker", "emotion", "start", "end", "split", "fold")):
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *[[*row, *[""] * (len(head) - len(row))] for row in rows]])


def prepared(params):
    fetch(params, "own")
    index.index(params, "own")
    return {row["clip_id"]: row for row in read_clips("own").to_pylist()}


def test_clips_of_a_table(folder, write_wav, capsys):
    write_wav(folder / "wav/a.wav", hertz=300)
    write_wav(folder / "wav/b.wav", hertz=310)
    write_wav(folder / "c.wav", hertz=320)
    write_table(folder, ["wav/b.wav", "1", "sad", "", "", "train"], ["wav/a.wav", "2", "anger", "", "", "test"], ["c.wav", "2", "boredom"])
    rows = prepared(params_with())
    assert list(rows) == ["own/c", "own/wav/a", "own/wav/b"]
    a, c = rows["own/wav/a"], rows["own/c"]
    assert (a["speaker"], a["emotion"], a["publisher_label"], a["language"], a["part"]) == ("own/2", "angry", "anger", "de", "test")
    assert a["path"] == "audio/wav/a.wav" and (layout.raw("own") / a["path"]).read_bytes() == (folder / "wav/a.wav").read_bytes()
    assert c["status"] == "excluded" and c["reason"] == "label 'boredom' is left out: fetch.own.emotions" and c["sample_rate"] is None
    assert usable("own")["clip_id"].to_pylist() == ["own/wav/a", "own/wav/b"]
    said = capsys.readouterr().out
    assert "found          3 files, 3 clips" in said and "expected" not in said  # nobody says how many there should be
    source = read_json(layout.raw("own") / "SOURCE.json")
    assert (source["title"], source["licence"], source["source"], source["files"]) == ("Own", "ours", "table", 3)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 1e-4),
        ("a.WAV", {"format": "WAV", "subtype": "PCM_24"}, 1e-6),
        ("a.wav", {"subtype": "FLOAT"}, 1e-6),
        ("a.wav", {"subtype": "DOUBLE"}, 1e-6),
        ("a.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("a.wav", {"format": "RF64", "subtype": "PCM_16"}, 1e-4),
        ("a.flac", {}, 1e-4),
        ("a.aiff", {}, 1e-4),
        ("a.ogg", {"subtype": "VORBIS"}, 0.1),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 0.1),
        ("a.mp3", {}, 0.1),
        ("a.mp3", {"channels": 2}, 0.1),
        ("a.wav", {"subtype": "PCM_16", "channels": 6}, 1e-4),
    ],
)
def test_whatever_libsndfile_reads(folder, name, options, tolerance):
    """The samples that the stages use are those that were written; a part of a file is a part of its samples."""
    channels, sr, (start, end) = options.pop("channels", 1), 48_000, (0.25, 1.0)
    wave = 0.4 * np.sin(2 * np.pi * 440 * np.arange(2 * sr) / sr) * np.linspace(0.1, 1, 2 * sr)
    soundfile.write(folder / name, np.stack([wave] * channels, axis=1), sr, **options)
    write_table(folder, [name, "1", "sad"])
    (whole,) = prepared(params_with()).values()
    write_table(folder, [name, "1", "sad", start, end])
    (part,) = prepared(params_with()).values()
    assert whole["status"] == part["status"] == "ok"
    assert (whole["channels"], part["seconds"], part["n_samples"]) == (channels, 0.75, 36_000)
    assert whole["seconds"] == pytest.approx(2, abs=0.1) and whole["sha256"] == part["sha256"]
    resample(params_with(), "own")
    audio = {row.clip_id: row.audio for row in read_audio(layout.audio("own"))}
    assert len(audio[part["clip_id"]]) == pytest.approx(0.75 * 22_050, abs=2)
    y, _ = decode(layout.raw("own") / whole["path"])
    cut, _ = decode(layout.raw("own") / part["path"], start, end)
    assert np.abs(cut - y[round(start * sr) : round(end * sr)]).max() < 1e-6
    assert np.abs(cut - wave[round(start * sr) : round(end * sr)]).max() < tolerance


def test_parts_must_be_in_the_file(folder, write_wav):
    write_wav(folder / "a.wav", n=16_000)  # a second
    write_table(folder, ["a.wav", "1", "sad", "0.5", "1.04"], ["a.wav", "1", "sad", "0", "0.5"])
    assert {row["status"] for row in prepared(params_with()).values()} == {"ok"}
    write_table(folder, ["a.wav", "1", "sad", "0.5", "1.5"], ["a.wav", "1", "sad", "2", ""])
    with pytest.raises(FinserError, match=r"2 files cannot be used.*the part ends after the recording; expected at most 1 s; found 1.5 s"):
        prepared(params_with())


def test_copies_of_a_file_share_their_audio(folder, write_wav):
    """A part of one copy is in the whole of the other, whoever is said to speak; the order of clip_ids decides."""
    for name in ("a", "b", "c"):
        write_wav(folder / f"{name}.wav", n=16_000)
    write_table(folder, ["a.wav", "1", "sad", "0.2", "0.6"], ["b.wav", "2", "sad"], ["c.wav", "3", "sad", "0.8", "1"])
    rows = prepared(params_with())
    assert {clip: row["reason"] for clip, row in rows.items()} == {
        "own/a@0.200-0.600": "",
        "own/b": "shares audio with own/a@0.200-0.600, same label",
        "own/c@0.800-1.000": "",  # it shares audio only with a clip that is excluded
    }
    write_table(folder, ["a.wav", "1", "sad", "0", "0.5"], ["b.wav", "2", "anger", "0.5", "1"], ["c.wav", "3", "anger", "0.4", "0.9"])
    assert {clip: row["reason"] for clip, row in prepared(params_with()).items()} == {
        "own/a@0.000-0.500": "shares audio with own/c@0.400-0.900, conflicting labels",
        "own/b@0.500-1.000": "",
        "own/c@0.400-0.900": "shares audio with own/a@0.000-0.500, conflicting labels",
    }


def test_a_part_of_a_truncated_mp3_is_refused(folder):
    """libsndfile only estimates the length of an MP3."""
    sr = 48_000
    soundfile.write(folder / "a.mp3", 0.3 * np.sin(np.arange(10 * sr) / 9), sr)
    whole = (folder / "a.mp3").read_bytes()
    (folder / "a.mp3").write_bytes(whole[: len(whole) // 2])
    write_table(folder, ["a.mp3", "1", "sad", "4", "7"])
    with pytest.raises(FinserError, match=r"truncated audio; expected 10.00 s, as the file states; found 4.9"):
        prepared(params_with())


def test_a_label_that_lost_its_emotion_is_one_line(folder, write_wav):
    write_wav(folder / "a.wav")
    write_table(folder, ["a.wav", "1", "anger"])
    fetch(params_with(), "own")
    with pytest.raises(FinserError, match=r"labels without an emotion; .*found 'anger' \(1\)"):
        index.index(params_with(section=Table()), "own")


def test_parts_of_one_file_are_no_duplicates_and_equal_files_are(folder, write_wav):
    write_wav(folder / "a.wav", n=16_000)
    write_wav(folder / "b.wav", n=16_000)
    write_table(folder, ["a.wav", "1", "sad", "0", "0.5"], ["a.wav", "1", "anger", "0.5", "1"], ["b.wav", "1", "sad", "0", "0.5"])
    rows = prepared(params_with())
    assert rows["own/a@0.500-1.000"]["status"] == "ok"
    assert rows["own/b@0.000-0.500"]["reason"] == "byte-identical to own/a@0.000-0.500, same label"
    assert {row["status"] for row in rows.values()} == {"ok", "excluded"}


@pytest.fixture
def damaged(folder, write_wav):
    """Four good files, and an empty, a truncated, a text and an LFS pointer."""
    for number in range(4):
        write_wav(folder / f"good{number}.wav", hertz=300 + number)
    (folder / "empty.wav").touch()
    (folder / "short.wav").write_bytes((folder / "good0.wav").read_bytes()[:-100])
    (folder / "text.mp3").write_text("this is no audio")
    (folder / "lfs.flac").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    names = ["empty.wav", *(f"good{number}.wav" for number in range(4)), "lfs.flac", "short.wav", "text.mp3"]
    write_table(folder, *[[name, str(number % 3), "sad"] for number, name in enumerate(names)])
    return folder


def test_damaged_files_are_refused_or_excluded(damaged, capsys):
    with pytest.raises(FinserError, match="2 files cannot be used"):  # empty and LFS are seen before anything is copied
        fetch(params_with(), "own")
    rows = prepared(params_with(index=Index(unreadable="exclude")))
    assert [clip for clip, row in rows.items() if row["status"] == "ok"] == [f"own/good{number}" for number in range(4)]
    for name, words in (
        ("empty", "empty file"),
        ("lfs", "Git LFS pointer"),
        ("short", "truncated audio"),
        ("text", "not readable as audio"),
    ):
        row = rows[f"own/{name}"]
        assert row["reason"].startswith("unreadable: ") and words in row["reason"] and row["peak"] is None
        assert str(damaged) not in row["reason"] and "again" not in row["reason"]  # the same on every machine
    assert "excluded       4" in capsys.readouterr().out
    with pytest.raises(FinserError, match=r"4 files cannot be used.*dvc repro --force --single-item fetch@own; or exclude such files"):
        index.index(params_with(), "own")


def test_globs_exclude_without_reading(damaged, capsys):
    """A glob that names the damaged files lets the others through."""
    globs = ("own/[est]*", "own/lfs.flac", "own/none*", "esd/*")
    fetch(params_with(index=Index(unreadable="exclude")), "own")
    index.index(params_with(index=Index(exclude=globs)), "own")
    rows = {row["clip_id"]: row for row in read_clips("own").to_pylist()}
    assert rows["own/short"]["reason"] == "index.exclude: own/[est]*" and rows["own/lfs"]["reason"] == "index.exclude: own/lfs.flac"
    assert sum(row["status"] == "ok" for row in rows.values()) == 4
    said = capsys.readouterr().out
    assert "index.exclude: 'own/none*' matches no file" in said and "esd" not in said


def test_a_changed_table_is_reported_when_it_is_fetched_again(folder, write_wav, capsys):
    write_wav(folder / "a.wav")
    write_table(folder, ["a.wav", "1", "sad"])
    fetch(params_with(), "own")
    assert list(changed_tables(params_with())) == []
    write_table(folder, ["a.wav", "1", "anger"])
    (notice,) = changed_tables(params_with())
    assert "has changed since own was fetched" in notice and "dvc repro --force --single-item fetch@own" in notice
    fetch(params_with(), "own")
    assert "has changed since the last run" in capsys.readouterr().err and list(changed_tables(params_with())) == []


def test_other_columns_and_unused_entries_are_said(folder, write_wav, capsys):
    write_wav(folder / "a.wav")
    write_table(folder, ["a.wav", "1", "sad", "noisy"], head=("path", "speaker", "emotion", "remark"))
    fetch(params_with(), "own")
    said = capsys.readouterr().err
    assert "columns that are not used: remark" in said and "labels of fetch.emotions that the table lacks: anger, boredom" in said


def test_no_path_in_local_yaml(project):
    with pytest.raises(FinserError, match=r"local.yaml: contains no path of the table of 'own'; add a line `corpora: \{own: PATH\}`"):
        fetch(params_with(), "own")


def test_an_excluded_file_stops_neither_fetch_nor_index(folder, write_wav):
    """An empty file cannot be used; `index.exclude` and `index.unreadable` both accept it, and keep it in the index."""
    write_wav(folder / "a.wav")
    (folder / "bad.wav").touch()
    write_table(folder, ["a.wav", "1", "sad"], ["bad.wav", "2", "sad"])
    with pytest.raises(FinserError, match="bad.wav: empty file"):
        fetch(params_with(), "own")
    reasons = {}
    for options in (Index(exclude=("own/b*",)), Index(unreadable="exclude")):
        (_, bad) = prepared(params_with(index=options)).values()
        reasons[options.unreadable] = bad["reason"]
    assert reasons == {"refuse": "index.exclude: own/b*", "exclude": "unreadable: empty file"}


def test_a_chain_of_parts_that_touch_is_whole(folder, write_wav):
    """Neighbours overlap by 20 ms, as tables round; none is excluded."""
    write_wav(folder / "a.wav", n=16_000)
    write_table(folder, *[["a.wav", "1", "sad", str(number / 10), str((number + 1) / 10 + 0.02)] for number in range(9)])
    assert {row["reason"] for row in prepared(params_with()).values()} == {""}
