"""The real corpora under $FINSER_CORPORA (RAVDESS/, CREMA-D/, TESS/, whole or in part): what is known to be odd in them."""

import os
from pathlib import Path

import pytest

from finser import layout
from finser.config.sections.fetch import Local
from finser.corpora import index, local
from finser.corpora.clips import read_clips
from finser.corpora.known import crema_d

ROOT = os.environ.get("FINSER_CORPORA", "")
pytestmark = pytest.mark.skipif(not ROOT, reason="FINSER_CORPORA is not set")


@pytest.fixture
def indexed(project, params_with, monkeypatch):
    """Index a real corpus where it lies, by a link in place of a copy."""

    def run(corpus, folder):
        path = Path(ROOT) / folder
        noted = local.describe(path, corpus)
        layout.raw(corpus).parent.mkdir(parents=True)
        layout.raw(corpus).symlink_to(path)
        index.index(params_with(corpus, Local(allow_partial=True)), corpus)
        table = read_clips(corpus)
        assert table.num_rows == noted["files"]
        return {row["clip_id"]: row for row in table.to_pylist()}, dict(index.excluded(table))

    return run


def test_ravdess(indexed):
    rows, excluded = indexed("ravdess", "RAVDESS")
    assert len(rows) == 1440
    twin = "ravdess/Actor_07/03-01-03-01-02"
    assert excluded == {f"{twin}-02-07": f"byte-identical to {twin}-01-07, same label"}
    assert sum(row["seconds"] for row in rows.values()) == pytest.approx(5328.96, abs=0.01)
    assert sum(row["channels"] == 2 for row in rows.values()) == 5
    quiet = [row for row in rows.values() if row["rms"] < 1e-3]
    assert len(quiet) == 12
    assert {row["status"] for row in quiet} == {"ok"}


def test_crema_d(indexed):
    rows, excluded = indexed("crema_d", "CREMA-D")
    pairs = [("1006_TIE_HAP_XX", "1006_TIE_NEU_XX"), ("1013_WSI_DIS_XX", "1013_WSI_SAD_XX"), ("1017_IWW_ANG_XX", "1017_IWW_FEA_XX")]
    expected = {"crema_d/AudioWAV/1076_MTI_SAD_XX": "silent: peak 0"}
    for one, other in (*pairs, *(pair[::-1] for pair in pairs)):
        expected[f"crema_d/AudioWAV/{one}"] = f"byte-identical to crema_d/AudioWAV/{other}, conflicting labels"
    assert excluded == expected
    published = crema_d.files()
    assert all(published[f"{Path(clip).name}.wav"][0] == f"sha256:{row['sha256']}" for clip, row in rows.items())


def test_tess(indexed, capsys):
    rows, excluded = indexed("tess", "TESS")
    assert excluded == {}
    assert "misnamed       1  OAF_neutral/OA_bite_neutral.wav is tess/OAF_neutral/OAF_bite_neutral\n" in capsys.readouterr().out
    assert rows["tess/OAF_Fear/OAF_food_fear"]["sample_rate"] == 96_000
    assert rows["tess/OAF_neutral/OAF_bite_neutral"]["path"].endswith("OA_bite_neutral.wav")
    aiff = {clip for clip, row in rows.items() if (layout.raw("tess") / row["path"]).read_bytes()[:4] == b"FORM"}
    assert aiff == {"tess/YAF_angry/YAF_germ_angry", "tess/YAF_fear/YAF_neat_fear"}
    others = {clip: row["path"] for clip, row in rows.items() if "bite_neutral" not in clip}
    assert all(clip == f"tess/{path.removesuffix('.wav')}" for clip, path in others.items())
