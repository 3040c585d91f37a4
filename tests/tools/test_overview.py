import pytest

from finser import layout
from finser.config import presets
from finser.config.sections.fetch import Local
from finser.corpora.known import registry
from finser.files import write_json
from finser.tools import overview


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(params=None):
    """The table by corpus, and the lines below it."""
    lines = list(overview.overview(params))
    return {line.split()[0]: line for line in lines[1:6]}, lines[6:]


def source(corpus, kind):
    write_json(layout.raw(corpus) / "SOURCE.json", {"source": kind})


def test_five_corpora_with_licence_and_size(project):
    table, below = told()
    assert list(table) == ["RAVDESS", "CREMA-D", "TESS", "SAVEE", "ESD"]
    for known, line in zip(registry.CORPORA.values(), table.values(), strict=True):
        assert known.licence in line
        assert f" {known.clips:,} " in line
        assert line.endswith("not fetched")
        assert ("by hand" in line) == bool(known.how_to_get)
    assert "605.9 MB" in table["CREMA-D"]
    assert "unknown" in table["TESS"]
    assert [line.split(":")[0] for line in below] == ["SAVEE", "ESD"]
    assert "register with the University of Surrey" in below[0]
    assert "sign the form" in below[1]


def test_what_is_there_is_counted(project, write_wav):
    for number in (1, 2):
        write_wav(layout.raw("savee") / f"AudioData/DC/a{number:02d}.wav")
    write_wav(layout.raw("savee") / "ALL/DC_a01.wav")  # a copy
    source("savee", "local")
    write_wav(layout.raw("esd") / "0011/Angry/0011_000351.wav")
    source("esd", "local")
    table, _ = told(presets.demo())  # whatever params.yaml says by now
    assert table["SAVEE"].endswith("fetched (local): 2/480 clips")
    assert table["ESD"].endswith("fetched (local): 1/17,500 clips")


@pytest.mark.parametrize(("params", "clips"), [(presets.demo(), "1/256 clips"), (None, "1 clips")])
def test_synthetic_corpora_are_named_so(project, write_wav, params, clips):
    write_wav(layout.raw("savee") / "AudioData/DC/a01.wav")
    source("savee", "synthetic")
    assert told(params)[0]["SAVEE"].endswith(f"fetched (synthetic): {clips}, no recordings")


def test_a_download_under_way(project):
    folder = layout.downloads("crema_d") / "AudioWAV"
    folder.mkdir(parents=True)
    for name in ("a.wav", "b.wav.part", "b.wav.part.mark", "c.wav.wrong"):
        (folder / name).write_bytes(bytes(1500))
    assert told()[0]["CREMA-D"].endswith("not fetched; 3.0 kB downloaded so far")


def test_a_corpus_that_params_do_not_name(project):
    params = presets.open_corpora()
    assert told(params)[0]["ESD"].endswith("not fetched")
    assert Local not in map(type, params.fetch.values())
