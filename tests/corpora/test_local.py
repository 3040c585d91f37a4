import os
import shutil

import pytest

from finser.config.sections.fetch import Local
from finser.corpora import local
from finser.errors import FinserError


def small_savee(root, write_wav):
    for man in ("DC", "JE"):
        for number in (1, 2):
            write_wav(root / f"AudioData/{man}/a{number:02d}.wav", hertz=100 * number)
    write_wav(root / "AudioData/KL/n30.WAV")
    (root / "notes.csv").write_text("man,age\n")
    (root / "._a01.wav").write_bytes(b"resource fork")
    (root / "__MACOSX/DC").mkdir(parents=True)
    (root / "__MACOSX/DC/a01.wav").write_bytes(b"litter")
    (root / "film.avi").write_bytes(b"not copied")
    return root


PARTIAL = Local(allow_partial=True)


def test_a_survey_counts_audio_only(tmp_path, write_wav):
    root = small_savee(tmp_path, write_wav)
    assert local.survey(root, "savee") == (5, 5 * (44 + 2 * 1600))


def test_a_copy_keeps_the_layout_and_leaves_litter(tmp_path, write_wav):
    root = small_savee(tmp_path / "from", write_wav)
    found = local.copy(root, PARTIAL, "savee", tmp_path / "to")
    assert found == local.describe(root, "savee") and found["files"] == 5
    copied = {path.relative_to(tmp_path / "to").as_posix() for path in (tmp_path / "to").rglob("*") if path.is_file()}
    assert copied == {
        "AudioData/DC/a01.wav",
        "AudioData/DC/a02.wav",
        "AudioData/JE/a01.wav",
        "AudioData/JE/a02.wav",
        "AudioData/KL/n30.WAV",
        "notes.csv",
    }
    assert all((tmp_path / "to" / name).read_bytes() == (root / name).read_bytes() for name in copied)


@pytest.mark.parametrize("change", ["one more", "one less", "longer", "renamed", "text"])
def test_a_folder_that_has_changed_is_described_otherwise(tmp_path, write_wav, change):
    root = small_savee(tmp_path / "from", write_wav)
    before = local.describe(root, "savee")
    if change == "one more":
        write_wav(root / "AudioData/JK/a01.wav")
    elif change == "one less":
        (root / "AudioData/DC/a01.wav").unlink()
    elif change == "longer":
        write_wav(root / "AudioData/DC/a01.wav", n=1700)
    elif change == "renamed":  # relabelled
        (root / "AudioData/DC/a01.wav").rename(root / "AudioData/DC/a03.wav")
    else:
        (root / "notes.csv").write_text("man,sex,age\n")
    assert local.describe(root, "savee") != before


def test_a_description_is_of_names_and_sizes_alone(tmp_path, write_wav):
    """Copies of a corpus on two machines are the same corpus."""
    root = small_savee(tmp_path / "from", write_wav)
    before = local.describe(root, "savee")
    os.utime(root / "AudioData/DC/a01.wav", ns=(2 * 10**18, 2 * 10**18))
    shutil.copytree(root, tmp_path / "copy")
    assert local.describe(root, "savee") == local.describe(tmp_path / "copy", "savee") == before


def test_a_corpus_lies_where_local_yaml_says_or_in_the_folder_of_the_environment(project, monkeypatch):
    for name in ("data/RAVDESS", "data/SAVEE", "elsewhere"):
        (project / name).mkdir(parents=True)
    with pytest.raises(
        FinserError, match=r"local.yaml: contains no path of SAVEE; expected `corpora: \{savee: PATH\}`, or FINSER_DATA_HOME"
    ):
        local.folder_of("savee")
    monkeypatch.setenv("FINSER_DATA_HOME", str(project / "data"))
    assert local.folder_of("savee") == project / "data/SAVEE"
    (project / "local.yaml").write_text(f"corpora: {{savee: {project}/elsewhere}}\n")
    assert (local.folder_of("savee"), local.folder_of("ravdess")) == (project / "elsewhere", project / "data/RAVDESS")
    with pytest.raises(FinserError, match="local.yaml: contains no path of TESS"):
        local.folder_of("tess")


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(FinserError, match="no such folder"):
        local.survey(tmp_path / "nowhere", "tess")
    with pytest.raises(FinserError, match="no TESS audio here"):
        local.survey(tmp_path, "tess")


def test_a_file_of_no_corpus_is_named(tmp_path, write_wav):
    write_wav(tmp_path / "AudioData/DC/x01.wav")
    with pytest.raises(FinserError, match=r"AudioData/DC/x01.wav: unknown emotion code.*'x'"):
        local.survey(tmp_path, "savee")


def test_an_lfs_pointer_gets_the_command_that_helps(tmp_path, write_wav):
    write_wav(tmp_path / "AudioWAV/1001_DFA_ANG_XX.wav")
    pointer = tmp_path / "AudioWAV/1001_DFA_DIS_XX.wav"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(FinserError, match=r"1001_DFA_DIS_XX.wav: a Git LFS pointer.*git lfs pull"):
        local.survey(tmp_path, "crema_d")


def test_an_empty_file_and_a_dangling_link(tmp_path):
    (tmp_path / "DC").mkdir()
    (tmp_path / "DC/a01.wav").touch()
    with pytest.raises(FinserError, match="a01.wav: empty file"):
        local.survey(tmp_path, "savee")
    (tmp_path / "DC/a01.wav").unlink()
    (tmp_path / "DC/a01.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(FinserError, match=r"cannot be read \(No such file"):
        local.survey(tmp_path, "savee")


def test_an_unreadable_folder(open_folder, as_nobody, write_wav):
    write_wav(open_folder / "DC/a01.wav")
    (open_folder / "DC").chmod(0)
    with as_nobody(), pytest.raises(FinserError, match=r"/DC: cannot be read \(Permission denied\)"):
        local.survey(open_folder, "savee")
    (open_folder / "DC").chmod(0o755)
    assert local.survey(open_folder, "savee")[0] == 1


def test_find_takes_whichever_corpora_exist(tmp_path):
    for folder in ("CREMA-D", "ESD", "music"):
        (tmp_path / folder).mkdir()
    assert local.find(tmp_path) == {"crema_d": tmp_path / "CREMA-D", "esd": tmp_path / "ESD"}


@pytest.mark.parametrize(
    ("corpus", "names"),
    {
        "ravdess": ["Ravdess", "ravdess", "RAVDESS Emotional speech audio", "ravdess-emotional-speech-audio", "audio_speech_actors_01-24"],
        "crema_d": ["Crema", "CREMA", "cremad", "CremaD", "crema_d", "Crema-D", "CREMA D"],
        "tess": [
            "Tess",
            "TESS Toronto emotional speech set data",
            "toronto-emotional-speech-set-tess",
            "Toronto emotional speech set (TESS)",
        ],
        "savee": ["Savee", "savee", "surrey-audiovisual-expressed-emotion-savee"],
        "esd": ["esd", "Emotional Speech Dataset (ESD)", "Emotion Speech Dataset", "emotional-speech-dataset-esd"],
    }.items(),
)
def test_find_knows_the_names_of_repacks_in_any_case(tmp_path, corpus, names):
    for number, name in enumerate(names):
        (tmp_path / str(number) / name).mkdir(parents=True)
        assert local.find(tmp_path / str(number)) == {corpus: tmp_path / str(number) / name}


def test_two_folders_of_one_corpus_are_refused_and_the_others_named(tmp_path):
    for name in ("RAVDESS", "Crema", "music", ".git", "__MACOSX", "savee2"):
        (tmp_path / name).mkdir()
    assert local.unknown_folders(tmp_path) == ["music", "savee2"]
    (tmp_path / "again").symlink_to(tmp_path / "RAVDESS")
    assert list(local.find(tmp_path)) == ["ravdess", "crema_d"]
    (tmp_path / "cremad").mkdir()
    with pytest.raises(FinserError, match="two folders of CREMA-D; found Crema and cremad; move one"):
        local.find(tmp_path)


def test_a_folder_without_any_corpus_says_what_lies_there(tmp_path):
    (tmp_path / "Actor_01").mkdir()
    with pytest.raises(FinserError, match="no corpus here; expected .*; found Actor_01"):
        local.find(tmp_path)


def test_all_files_that_are_no_audio_of_the_corpus_are_named_at_once(tmp_path, write_wav, capsys):
    write_wav(tmp_path / "AudioData/DC/x01.wav")
    write_wav(tmp_path / "AudioData/DC/a01.wav")
    (tmp_path / "AudioData/DC/a02.wav").touch()
    (tmp_path / "AudioData/DC/a03.wav").write_text("version https://git-lfs.github.com/spec/v1")
    (tmp_path / "AudioData/DC/a04.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(FinserError, match=r"4 files cannot be used; found .*a02.wav: empty.*a03.wav: a Git LFS.*a04.wav: cannot.*1 more"):
        local.survey(tmp_path, "savee")
    assert f"{tmp_path}/AudioData/DC/x01.wav: unknown emotion code" in capsys.readouterr().err


def test_find_says_what_it_looked_for(tmp_path):
    with pytest.raises(FinserError, match="RAVDESS, CREMA-D, TESS, SAVEE, ESD"):
        local.find(tmp_path)
    with pytest.raises(FinserError, match="no such folder"):
        local.find(tmp_path / "nowhere")


def test_missing_clips_are_named_before_anything_is_copied(tmp_path, write_wav):
    root = small_savee(tmp_path / "from", write_wav)
    with pytest.raises(FinserError, match=r"from: SAVEE is incomplete; expected 480 clips; found 5 clips, 475 missing: none of savee/JK"):
        local.copy(root, Local(), "savee", tmp_path / "to")
    assert not (tmp_path / "to").exists()
