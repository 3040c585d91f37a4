import pytest

from finser.corpora.folders import audio_files, digest_of_files, size_of_audio
from finser.errors import FinserError


def test_linked_folders_are_followed(tmp_path, write_wav):
    write_wav(tmp_path / "elsewhere/a01.wav")
    (tmp_path / "SAVEE").mkdir()
    (tmp_path / "SAVEE/DC").symlink_to(tmp_path / "elsewhere")
    assert [str(name) for name in audio_files(tmp_path / "SAVEE")] == ["DC/a01.wav"]


def test_suffixes_in_any_case_and_no_litter(tmp_path, write_wav):
    for name in ("b.WAV", "a/c.wav", ".hidden.wav", "__MACOSX/d.wav"):
        write_wav(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    assert [str(name) for name in audio_files(tmp_path)] == ["a/c.wav", "b.WAV"]
    with pytest.raises(FinserError, match="gone: no such folder"):
        audio_files(tmp_path / "gone")


@pytest.mark.parametrize("change", ["name", "size"])
def test_a_digest_follows_names_and_sizes(tmp_path, write_wav, change):
    path = write_wav(tmp_path / "a.wav")
    before = digest_of_files(tmp_path, audio_files(tmp_path))
    assert before == digest_of_files(tmp_path, audio_files(tmp_path))
    if change == "name":
        path.rename(tmp_path / "b.wav")
    else:
        path.write_bytes(path.read_bytes() + b"0")
    assert digest_of_files(tmp_path, audio_files(tmp_path)) != before


def test_a_page_in_place_of_audio(tmp_path):
    (tmp_path / "a.wav").write_text("<!DOCTYPE html><title>Log in</title>")
    with pytest.raises(FinserError, match=r"a.wav: an HTML page \('Log in'\) in place of audio; download it again"):
        size_of_audio(tmp_path / "a.wav")
