import json

import pytest

from finser import layout
from finser.config.schema import Local, Synthetic
from finser.corpora import local
from finser.corpora.folders import audio_files
from finser.errors import FinserError
from finser.fetching.fetch import fetch


def test_a_local_corpus(project, write_wav, params_with):
    write_wav(project / "from/SAVEE/ALL/DC_a01.wav")
    noted = local.describe(project / "from/SAVEE", "savee")
    fetch(params_with("savee", Local(source="local", path=project / "from/SAVEE", allow_partial=True, **noted)), "savee")
    root = layout.raw("savee")
    assert (root / "ALL/DC_a01.wav").read_bytes() == (project / "from/SAVEE/ALL/DC_a01.wav").read_bytes()
    said = json.loads((root / "SOURCE.json").read_text())
    assert (said["corpus"], said["title"], said["source"]) == ("savee", "SAVEE", "local")
    assert "address" not in said


def test_nothing_is_left_of_a_failure_and_what_was_there_stays(project, write_wav, params_with):
    write_wav(project / "from/ALL/DC_a01.wav")
    write_wav(layout.raw("savee") / "ALL/JE_a01.wav")
    with pytest.raises(FinserError, match="changed"):
        fetch(params_with("savee", Local(source="local", path=project / "from", files=2, bytes=1, digest="sha256:" + "0" * 64)), "savee")
    assert [path.name for path in layout.raw("savee").parent.iterdir()] == ["savee"]
    assert (layout.raw("savee") / "ALL/JE_a01.wav").exists()


def test_a_synthetic_corpus(project, params_with):
    fetch(params_with("savee", Synthetic(speakers=1, clips_per_emotion=1)), "savee")
    assert audio_files(layout.raw("savee"))
    said = json.loads((layout.raw("savee") / "SOURCE.json").read_text())
    assert said["source"] == "synthetic"
    assert "synthesizer" in said["licence"]
