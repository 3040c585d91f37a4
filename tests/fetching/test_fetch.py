import json
import shutil

import pytest

from finser import layout
from finser.config.sections.fetch import Local, Synthetic
from finser.corpora import local
from finser.corpora.folders import audio_files
from finser.errors import FinserError
from finser.fetching.fetch import fetch


@pytest.fixture
def source(project):
    """A local source of SAVEE in from/."""
    (project / "local.yaml").write_text(f"corpora: {{savee: {project}/from}}\n")
    return Local(allow_partial=True)


def test_a_local_corpus(project, write_wav, params_with, source):
    write_wav(project / "from/ALL/DC_a01.wav")
    fetch(params_with("savee", source), "savee")
    root = layout.raw("savee")
    assert (root / "ALL/DC_a01.wav").read_bytes() == (project / "from/ALL/DC_a01.wav").read_bytes()
    said = json.loads((root / "SOURCE.json").read_text())
    assert (said["corpus"], said["title"], said["source"]) == ("savee", "SAVEE", "local")
    assert "address" not in said and str(project) not in json.dumps(said), "the path is no property of the corpus"
    assert {name: said[name] for name in ("files", "bytes", "digest")} == local.describe(project / "from", "savee")


def test_a_folder_that_has_changed_since_the_last_fetch_is_said(project, write_wav, params_with, source, capsys):
    write_wav(project / "from/ALL/DC_a01.wav")
    for _ in range(2):
        fetch(params_with("savee", source), "savee")
    assert "has changed" not in capsys.readouterr().err
    write_wav(project / "from/ALL/DC_a02.wav")
    shutil.rmtree(layout.raw("savee"))  # as DVC does before it runs the stage
    fetch(params_with("savee", source), "savee")
    assert f"{project}/from has changed since the last run: 2 files of" in capsys.readouterr().err
    fetch(params_with("savee", source), "savee")
    assert "has changed" not in capsys.readouterr().err


def test_nothing_is_left_of_a_failure_and_what_was_there_stays(project, write_wav, params_with, source):
    write_wav(project / "from/ALL/DC_a01.wav")
    write_wav(layout.raw("savee") / "ALL/JE_a01.wav")
    with pytest.raises(FinserError, match="incomplete"):
        fetch(params_with("savee", Local()), "savee")
    assert [path.name for path in layout.raw("savee").parent.iterdir()] == ["savee"]
    assert (layout.raw("savee") / "ALL/JE_a01.wav").exists() and not layout.found("fetch", "savee").exists()


def test_a_synthetic_corpus(project, params_with):
    fetch(params_with("savee", Synthetic(speakers=1, clips_per_emotion=1)), "savee")
    assert audio_files(layout.raw("savee"))
    said = json.loads((layout.raw("savee") / "SOURCE.json").read_text())
    assert said["source"] == "synthetic"
    assert "synthesizer" in said["licence"]
