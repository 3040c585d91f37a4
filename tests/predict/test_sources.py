"""Files, folders, globs and lists."""

import io

import pytest

from finser.errors import FinserError
from finser.predict.sources import paths_of


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "d/b.FLAC", "d/e/c.mp3", "d/notes.doc", "d/.hidden.wav", "x[1].wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["a.wav"], ["a.wav"]),
        (["missing.wav"], ["missing.wav"]),  # reading it says so
        (["d"], ["d/b.FLAC", "d/e/c.mp3"]),
        (["d/*", "a.wav"], ["d/b.FLAC", "a.wav"]),
        (["d/**/*.mp3"], ["d/e/c.mp3"]),
        (["x[1].wav"], ["x[1].wav"]),  # a file of this name, no glob
    ],
)
def test_what_is_asked_for(asked, found):
    assert [str(path) for path in paths_of(asked)] == found


def test_a_list_is_relative_to_its_folder(place, monkeypatch):
    (place / "d/list.txt").write_text("\ufeffb.FLAC\r\n\n../a.wav\n#1.wav\n 2.wav \n", encoding="utf-8")
    assert [str(path) for path in paths_of(["d/list.txt"])] == ["d/b.FLAC", "d/../a.wav", "d/#1.wav", "d/ 2.wav "]
    monkeypatch.setattr("sys.stdin", io.StringIO("a.wav\nd/b.FLAC\n"))
    assert [str(path) for path in paths_of(["-"])] == ["a.wav", "d/b.FLAC"]


@pytest.mark.parametrize("asked", ["*.ogg", "empty", "none.txt"])
def test_nothing_is_one_line(place, asked):
    (place / "empty").mkdir()
    (place / "none.txt").write_text("\n\n")
    with pytest.raises(FinserError, match="no sound file; expected files that end in"):
        list(paths_of([asked]))
