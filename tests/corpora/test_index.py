import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from finser import layout
from finser.audio.resample import resample
from finser.audio.shards import read_audio
from finser.config.sections.fetch import Local, Synthetic
from finser.config.sections.index import Index
from finser.corpora import index
from finser.corpora.clips import CLIPS_SCHEMA, read_clips
from finser.errors import FinserError
from finser.fetching.fetch import fetch


def rows_of(corpus):
    return {row["path"]: row for row in read_clips(corpus).to_pylist()}


def test_a_row_says_what_the_file_holds(project, write_wav, params_with, capsys):
    samples = np.stack([np.linspace(-0.5, 0.25, 3200), np.zeros(3200)], axis=1)
    path = write_wav(layout.raw("ravdess") / "Actor_02/03-01-05-02-01-01-02.wav", samples=samples, sr=48_000)
    index.index(params_with("ravdess"), "ravdess")
    (row,) = read_clips("ravdess").to_pylist()
    stored = np.round(samples * 32768) / 32768
    assert row.pop("peak") == pytest.approx(0.5)
    assert row.pop("rms") == pytest.approx(np.sqrt(np.mean(stored**2)), rel=1e-4)
    assert row.pop("seconds") == pytest.approx(3200 / 48_000)
    assert row == {
        "clip_id": "ravdess/Actor_02/03-01-05-02-01-01-02", "corpus": "ravdess", "path": "Actor_02/03-01-05-02-01-01-02.wav",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "speaker": "ravdess/02", "sex": "female", "language": "en",
        "emotion": "angry", "publisher_label": "05", "intensity": "strong", "sentence": "Kids are talking by the door",
        "sample_rate": 48_000, "channels": 2, "n_samples": 3200, "status": "ok", "reason": "",
        "start": None, "end": None, "part": "", "fold": None,
    }  # fmt: skip
    printed = capsys.readouterr().out
    for words in ("1 files, 1 clips", "1440 clips"):
        assert words in printed


def test_rows_are_sorted_by_path_and_do_not_depend_on_workers(project, write_wav, params_with, monkeypatch):
    for number, man in enumerate(("KL", "DC", "JE", "JK")):
        for take in range(1, 6):
            write_wav(layout.raw("savee") / f"AudioData/{man}/a{take:02d}.wav", hertz=100 + 10 * number + take)
    index.index(params_with("savee"), "savee")
    once = layout.clips("savee").read_bytes()
    paths = [row["path"] for row in read_clips("savee").to_pylist()]
    assert paths == sorted(paths)
    monkeypatch.setenv("FINSER_CORES", "2")
    index.index(params_with("savee"), "savee")
    assert layout.clips("savee").read_bytes() == once
    assert pq.read_schema(layout.clips("savee")).equals(CLIPS_SCHEMA)


def test_silence_is_excluded_and_quiet_speech_is_kept(project, write_wav, params_with):
    root = layout.raw("crema_d") / "AudioWAV"
    write_wav(root / "1076_MTI_SAD_XX.wav", samples=np.zeros(1600))
    write_wav(root / "1076_MTI_ANG_XX.wav", gain=2 / 32768)
    index.index(params_with("crema_d"), "crema_d")
    rows = rows_of("crema_d")
    assert rows["AudioWAV/1076_MTI_SAD_XX.wav"]["reason"] == "silent: peak 0"
    assert rows["AudioWAV/1076_MTI_ANG_XX.wav"]["status"] == "ok"
    index.index(params_with("crema_d", index=Index(silence_peak=0.01)), "crema_d")
    assert {row["status"] for row in rows_of("crema_d").values()} == {"excluded"}


SILENT_AS_USED = "silent as 22050 Hz, mono, 16 bit"


@pytest.mark.parametrize(
    ("samples", "options", "reason"),
    [
        (np.outer(np.rint(9999 * np.sin(np.arange(3000) / 9)), [1, -1]).astype(np.int16), {"sr": 48_000}, SILENT_AS_USED),
        (np.full(3000, 2.0**-23), {"subtype": "PCM_24"}, SILENT_AS_USED),
        (np.full(3000, 1e-30), {"subtype": "FLOAT"}, SILENT_AS_USED),
        (0.5 * np.hanning(9600) * np.sin(np.arange(9600) * 2 * np.pi * 30 / 96), {"sr": 96_000, "subtype": "FLOAT"}, SILENT_AS_USED),
        (np.array([0.5]), {"sr": 48_000}, "too short: no sample is left at 22050 Hz"),
        (np.array([0.5, 0.5]), {"sr": 96_000}, "too short: no sample is left at 22050 Hz"),
        (np.array([0.5]), {"sr": 22_050}, ""),
        (np.full(100, 1 / 32768), {"sr": 22_050}, ""),
        (np.outer(np.sin(np.arange(3000) / 9), [0.5, 0.0]), {}, ""),
    ],
)
def test_what_is_silent_once_it_is_used_is_excluded(project, write_wav, params_with, samples, options, reason):
    """Nothing that index keeps stops resample, or is digital silence after it."""
    write_wav(layout.raw("savee") / "DC/a01.wav", samples=samples, **options)
    write_wav(layout.raw("savee") / "DC/a02.wav")
    params = params_with("savee")
    index.index(params, "savee")
    row = rows_of("savee")["DC/a01.wav"]
    assert (row["status"], row["reason"]) == ("excluded" if reason else "ok", reason)
    resample(params, "savee")
    kept = [clip.audio for clip in read_audio(layout.audio("savee"))]
    assert len(kept) == 2 - bool(reason) and all(audio.any() for audio in kept)


def test_all_files_that_cannot_be_used_are_named_by_the_users_own_path(project, write_wav, params_with, capsys):
    own = Local(allow_partial=True)
    (project / "local.yaml").write_text("corpora: {savee: /home/me/SAVEE}\n")
    for take in range(1, 7):
        write_wav(layout.raw("savee") / f"DC/a{take:02d}.wav", hertz=100 * take)
    for take in range(1, 6):
        path = layout.raw("savee") / f"DC/a{take:02d}.wav"
        path.write_bytes([b"", b"no audio" * 9, b"<html>" * 9, b"version https://git-lfs", path.read_bytes()[:-9]][take - 1])
    with pytest.raises(FinserError, match=r"^/home/me/SAVEE: 5 files cannot be used; found .*a01.*a02.*a03.*\(2 more: all are") as raised:
        index.index(params_with("savee", own), "savee")
    logged = capsys.readouterr().err.splitlines()
    names = [f"/home/me/SAVEE/DC/a{take:02d}.wav: " for take in range(1, 6)]
    assert all(any(line.startswith(name) for line in logged) for name in names)
    assert "data/raw" not in str(raised.value) + "".join(logged)
    assert not layout.clips("savee").exists()


def test_all_clips_with_two_contents_are_named(project, write_wav, params_with):
    for take in (1, 2):
        write_wav(layout.raw("savee") / f"ALL/DC_a{take:02d}.wav", hertz=100)
        write_wav(layout.raw("savee") / f"AudioData/DC/a{take:02d}.wav", hertz=200 + take)
    with pytest.raises(FinserError, match=r"2 files cannot be used; found .*DC/a01.wav: another file.*DC/a02.wav: another file"):
        index.index(params_with("savee"), "savee")


def test_duplicates(project, write_wav, params_with, capsys):
    root = layout.raw("crema_d") / "AudioWAV"
    for name in ("1006_TIE_HAP_XX", "1006_TIE_NEU_XX"):
        write_wav(root / f"{name}.wav", hertz=300)
    for name in ("1007_IEO_SAD_HI", "1007_IEO_SAD_LO", "1007_IEO_SAD_MD"):
        write_wav(root / f"{name}.wav", hertz=400)
    write_wav(root / "1008_IEO_SAD_HI.wav", hertz=500)
    index.index(params_with("crema_d"), "crema_d")
    assert index.excluded(read_clips("crema_d")) == [
        ("crema_d/AudioWAV/1006_TIE_HAP_XX", "byte-identical to crema_d/AudioWAV/1006_TIE_NEU_XX, conflicting labels"),
        ("crema_d/AudioWAV/1006_TIE_NEU_XX", "byte-identical to crema_d/AudioWAV/1006_TIE_HAP_XX, conflicting labels"),
        ("crema_d/AudioWAV/1007_IEO_SAD_LO", "byte-identical to crema_d/AudioWAV/1007_IEO_SAD_HI, same label"),
        ("crema_d/AudioWAV/1007_IEO_SAD_MD", "byte-identical to crema_d/AudioWAV/1007_IEO_SAD_HI, same label"),
    ]
    printed = capsys.readouterr().out
    assert "2  byte-identical to another, conflicting labels: " in printed
    assert "2  byte-identical to another, same label: " in printed


def test_which_of_equal_clips_is_kept_does_not_depend_on_the_layout(project, write_wav, params_with):
    """Sorted by path, a02 comes first here; by clip_id, a01 does."""
    write_wav(layout.raw("savee") / "AudioData/DC/a02.wav")
    write_wav(layout.raw("savee") / "more/DC_a01.wav")
    index.index(params_with("savee"), "savee")
    assert index.excluded(read_clips("savee")) == [("savee/AudioData/DC/a02", "byte-identical to savee/AudioData/DC/a01, same label")]


@pytest.mark.parametrize(
    ("corpus", "path", "clip"),
    [
        ("tess", "OAF_neutral/OA_bite_neutral.wav", "tess/OAF_neutral/OAF_bite_neutral"),
        ("crema_d", "AudioWAV/1040_ITH_SAD_X.wav", "crema_d/AudioWAV/1040_ITH_SAD_XX"),
    ],
)
def test_a_misnamed_file_is_mapped_and_reported(project, write_wav, params_with, capsys, corpus, path, clip):
    write_wav(layout.raw(corpus) / path)
    index.index(params_with(corpus), corpus)
    assert rows_of(corpus)[path]["clip_id"] == clip
    assert rows_of(corpus)[path]["status"] == "ok"
    assert f"misnamed       1  {path} is {clip}\n" in capsys.readouterr().out


RIGHT_NAMES = {
    "ravdess": ["Actor_01/03-01-05-01-01-01-01.wav", "audio_speech_actors_01-24/Actor_02/03-01-05-01-01-01-02.WAV"],
    "savee": ["AudioData/DC/a01.wav", "ALL/JE_sa01.wav", "KL_n30.wav"],
    "esd": ["0011/Angry/0011_000351.wav", "Emotion Speech Dataset/0001/生气/train/0001_000351.wav", "0012/Sad/evaluation/0012_001051.wav"],
    "tess": ["OAF_Fear/OAF_food_fear.wav", "YAF_pleasant_surprised/YAF_food_ps.wav", "OAF_food_sad.wav"],
}


@pytest.mark.parametrize("corpus", RIGHT_NAMES)
def test_other_layouts_are_not_called_misnamed(project, write_wav, params_with, capsys, corpus):
    for number, path in enumerate(RIGHT_NAMES[corpus]):
        write_wav(layout.raw(corpus) / path, hertz=100 + 50 * number)
    index.index(params_with(corpus), corpus)
    assert "misnamed" not in capsys.readouterr().out
    assert [row["status"] for row in rows_of(corpus).values()] == ["ok"] * len(RIGHT_NAMES[corpus])


@pytest.mark.parametrize(
    ("corpus", "first", "second", "clip"),
    [
        ("savee", "ALL/DC_a01.wav", "AudioData/DC/a01.wav", "savee/AudioData/DC/a01"),
        ("esd", "0001/Angry/0001_000351.wav", "0001/Angry/test/0001_000351.wav", "esd/0001/Angry/0001_000351"),
        ("tess", "OAF_Sad/OAF_back_sad.wav", "TESS data/OAF_Sad/OAF_back_sad.wav", "tess/OAF_Sad/OAF_back_sad"),
        ("crema_d", "AudioWAV/1001_DFA_ANG_XX.wav", "CREMA-D/1001_DFA_ANG_XX.wav", "crema_d/AudioWAV/1001_DFA_ANG_XX"),
    ],
)
def test_two_layouts_in_one_copy(project, write_wav, params_with, capsys, corpus, first, second, clip):
    for path in (first, second):
        write_wav(layout.raw(corpus) / path)
    index.index(params_with(corpus), corpus)
    assert index.excluded(read_clips(corpus)) == [(clip, f"second copy of {clip}")]
    printed = capsys.readouterr().out
    assert "2 files, 1 clips" in printed
    assert f"1  second copy of another: {clip}" in printed


def test_odd_files_reach_the_shards(project, write_wav, params_with):
    """Stereo is mixed, AIFF under .wav is read, and 96 kHz is taken as it is, by index and resample."""
    n = 9_600
    left, right = 0.4 * np.sin(np.arange(n) / 30), 0.2 * np.sin(np.arange(n) / 50)
    write_wav(layout.raw("tess") / "OAF_Fear/OAF_food_fear.wav", samples=left, sr=96_000)
    write_wav(layout.raw("tess") / "YAF_angry/YAF_germ_angry.wav", samples=right, sr=22_050, format="AIFF")
    write_wav(layout.raw("tess") / "YAF_fear/YAF_neat_fear.wav", samples=np.stack([left, right], axis=1), sr=22_050)
    params = params_with("tess")
    index.index(params, "tess")
    assert [(row["sample_rate"], row["channels"]) for row in rows_of("tess").values()] == [(96_000, 1), (22_050, 1), (22_050, 2)]
    resample(params, "tess")
    fast, aiff, stereo = [row.audio / 32_768 for row in read_audio(layout.audio("tess"))]
    assert len(fast) == pytest.approx(n * 22_050 / 96_000, abs=1)
    assert aiff == pytest.approx(right, abs=2 / 32_768)
    assert stereo == pytest.approx((left + right) / 2, abs=2 / 32_768)


def test_a_repack_that_holds_the_tree_twice(project, write_wav, params_with):
    root = layout.raw("ravdess")
    for take in (1, 2):
        for top in ("", "audio_speech_actors_01-24/"):
            write_wav(root / f"{top}Actor_01/03-01-05-01-01-{take:02d}-01.wav", hertz=100 * take)
    index.index(params_with("ravdess"), "ravdess")
    table = read_clips("ravdess")
    clips = [f"ravdess/Actor_01/03-01-05-01-01-{take:02d}-01" for take in (1, 2)]
    assert index.excluded(table) == [(clip, f"second copy of {clip}") for clip in clips]
    assert all(row["path"].startswith("Actor_01") for row in table.to_pylist() if row["status"] == "ok")


def test_the_same_clip_with_other_bytes_is_refused(project, write_wav, params_with):
    write_wav(layout.raw("savee") / "ALL/DC_a01.wav", hertz=100)
    write_wav(layout.raw("savee") / "AudioData/DC/a01.wav", hertz=200)
    with pytest.raises(FinserError, match=r"AudioData/DC/a01.wav: another file is the same clip with other bytes: ALL/DC_a01.wav"):
        index.index(params_with("savee"), "savee")
    assert not layout.clips("savee").exists()


def test_aiff_under_a_wav_name(project, write_wav, params_with):
    path = layout.raw("tess") / "YAF_angry/YAF_germ_angry.wav"
    write_wav(path, sr=24_414, format="AIFF")
    assert path.read_bytes()[:4] == b"FORM"
    index.index(params_with("tess"), "tess")
    (row,) = read_clips("tess").to_pylist()
    assert (row["n_samples"], row["sample_rate"], row["status"]) == (1600, 24_414, "ok")


@pytest.mark.parametrize("container", ["WAV", "AIFF"])
@pytest.mark.parametrize("keep", [0.9, 0.5, 0.02])
def test_a_truncated_file_stops_the_stage(project, write_wav, params_with, container, keep):
    write_wav(layout.raw("savee") / "DC/a01.wav")
    cut = write_wav(layout.raw("savee") / "DC/a02.wav", hertz=300, format=container)
    cut.write_bytes(cut.read_bytes()[: int(keep * cut.stat().st_size)])
    assert keep == 0.02 or len(soundfile.read(cut)[0]) < 1600  # libsndfile alone reads what is there
    with pytest.raises(FinserError, match="DC/a02.wav: (truncated audio|not readable as audio)"):
        index.index(params_with("savee"), "savee")
    assert not layout.clips("savee").exists()


@pytest.mark.parametrize("tail", [b"\0", b"LIST\x04\0\0\0INFO", b"id3 \x10\0\0\0cut"])
def test_what_follows_the_audio_is_no_truncation(project, write_wav, params_with, tail):
    path = write_wav(layout.raw("savee") / "DC/a01.wav", n=1601, samples=np.full(1601, 0.1), subtype="PCM_U8")
    path.write_bytes(path.read_bytes() + tail)
    index.index(params_with("savee"), "savee")
    assert rows_of("savee")["DC/a01.wav"]["n_samples"] == 1601


def test_a_padded_chunk_before_the_audio(project, write_wav, params_with):
    path = write_wav(layout.raw("savee") / "DC/a01.wav")
    plain = path.read_bytes()
    at = plain.index(b"data")
    longer = plain[:at] + b"note\x03\0\0\0abc\0" + plain[at:]
    path.write_bytes(longer[:4] + (len(longer) - 8).to_bytes(4, "little") + longer[8:])
    index.index(params_with("savee"), "savee")
    assert rows_of("savee")["DC/a01.wav"]["n_samples"] == 1600
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(FinserError, match="truncated audio"):
        index.index(params_with("savee"), "savee")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<html>not found</html>" * 100, "an HTML page in place of audio"),
        (b"no audio either" * 100, "not readable as audio"),
    ],
)
def test_a_file_that_is_no_audio_stops_the_stage(project, write_wav, params_with, content, message):
    write_wav(layout.raw("savee") / "DC/a01.wav")
    (layout.raw("savee") / "DC/a02.wav").write_bytes(content)
    with pytest.raises(FinserError, match=f"DC/a02.wav: .*{message}"):
        index.index(params_with("savee"), "savee")
    assert not layout.clips("savee").exists()


def test_no_samples_and_no_numbers(project, write_wav, params_with):
    path = write_wav(layout.raw("savee") / "DC/a01.wav", samples=np.zeros(0))
    with pytest.raises(FinserError, match="truncated audio"):
        index.index(params_with("savee"), "savee")
    write_wav(path, samples=np.array([0.1, np.nan]), subtype="FLOAT")
    with pytest.raises(FinserError, match="no numbers"):
        index.index(params_with("savee"), "savee")


def test_an_unknown_code_and_an_empty_folder(project, write_wav, params_with):
    with pytest.raises(FinserError, match="finser fetch savee"):
        index.index(params_with("savee"), "savee")
    layout.raw("savee").mkdir(parents=True)
    with pytest.raises(FinserError, match="no audio file"):
        index.index(params_with("savee"), "savee")
    write_wav(layout.raw("savee") / "DC/x01.wav")
    with pytest.raises(FinserError, match="unknown emotion code"):
        index.index(params_with("savee"), "savee")


def whole_savee(root, write_wav):
    noise = np.random.default_rng(0)
    for man in ("DC", "JE", "JK", "KL"):
        for label in ("a", "d", "f", "h", "n", "sa", "su"):
            for take in range(1, 31 if label == "n" else 16):
                write_wav(root / f"{man}/{label}{take:02d}.wav", samples=noise.normal(0, 0.1, 20))


def test_a_partial_corpus_needs_permission(project, write_wav, params_with, capsys):
    whole_savee(layout.raw("savee"), write_wav)
    strict = Local()
    index.index(params_with("savee", strict), "savee")
    assert read_clips("savee").num_rows == 480
    layout.clips("savee").unlink()
    (layout.raw("savee") / "JK/n30.wav").unlink()
    with pytest.raises(FinserError, match=r"expected 480 clips; found 479 clips, 1 missing: savee/AudioData/JK/n30;.*allow_partial"):
        index.index(params_with("savee", strict), "savee")
    assert not layout.clips("savee").exists()
    for path in (layout.raw("savee") / "KL").iterdir():
        path.unlink()
    with pytest.raises(FinserError, match=r"121 missing: none of savee/KL; savee/AudioData/JK/n30; complete"):
        index.index(params_with("savee", strict), "savee")
    index.index(params_with("savee", strict.model_copy(update={"allow_partial": True})), "savee")
    assert read_clips("savee").num_rows == 359


def test_texts_come_from_transcripts_and_emotions_from_folders(project, write_wav, params_with, capsys):
    root = layout.raw("esd")
    write_wav(root / "0001/Angry/train/0001_000351.wav", hertz=200)
    write_wav(root / "0001/Angry/train/0001_000352.wav", hertz=300)
    (root / "0001/0001.txt").write_text("﻿0001_000351\t你好\t快乐\n", encoding="utf-8")
    index.index(params_with("esd"), "esd")
    rows = rows_of("esd")
    assert rows["0001/Angry/train/0001_000351.wav"]["sentence"] == "你好"
    assert rows["0001/Angry/train/0001_000351.wav"]["emotion"] == "angry"
    assert rows["0001/Angry/train/0001_000352.wav"]["sentence"] == "002"
    assert "contradict the folders of 1 files, e.g. 0001/Angry/train/0001_000351.wav" in capsys.readouterr().err


def test_transcripts_with_a_mark_and_chinese_labels_agree_with_the_folders(project, write_wav, params_with, capsys):
    root = layout.raw("esd")
    labels = {"Angry": "生气", "Happy": "快乐", "Neutral": "中立", "Sad": "伤心", "Surprise": "惊喜"}
    lines = [f"0001_{350 * number + 1:06d}\t你好\t{chinese}" for number, chinese in enumerate(labels.values())]
    for number, label in enumerate(labels):
        write_wav(root / f"0001/{label}/0001_{350 * number + 1:06d}.wav", hertz=200 + 40 * number)
    (root / "0001/0001.txt").write_text("\n".join(lines), encoding="utf-8-sig")
    index.index(params_with("esd"), "esd")
    assert [row["sentence"] for row in rows_of("esd").values()] == ["你好"] * 5
    assert {row["emotion"] for row in rows_of("esd").values()} == {"angry", "happy", "neutral", "sad", "surprise"}
    assert "contradict" not in capsys.readouterr().err


def test_a_synthetic_corpus(project, params_with):
    params = params_with("crema_d", Synthetic(speakers=1, clips_per_emotion=1))
    fetch(params, "crema_d")
    index.index(params, "crema_d")
    assert "ok" in read_clips("crema_d")["status"].to_pylist()
