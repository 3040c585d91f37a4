"""`finser weights`, and what `finser doctor` says of weights to download."""

import pytest
import yaml

from finser import layout
from finser.config.params import Params, validate
from finser.config.sections.fetch import Synthetic
from finser.config.sections.known_weights import AST_FAMILIES, KNOWN
from finser.errors import FinserError
from finser.files import write_json
from finser.tools.doctor import of_inputs
from finser.tools.known_weights import details, overview

CORPORA = ("ravdess", "crema_d", "tess", "savee", "esd")
REST = {"fetch": {corpus: Synthetic().model_dump() for corpus in CORPORA}, "models": ["svm"]}


def params(**sections: dict) -> Params:
    return validate({**REST, "fetch_weights": sections})


def test_the_table_has_a_row_of_each_and_what_the_project_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(layout.weights("hubert_base") / "config.json", {})
    head, *rows = overview(params(hubert_base={}, byol_s={}))
    assert head.split()[:3] == ["name", "family", "MB"]
    assert [row.split()[0] for row in rows[:-1]] == list(KNOWN)
    states = {row.split()[0]: row.rsplit("  ", 1)[1] for row in rows[:-1]}
    assert (states.pop("hubert_base"), states.pop("byol_s")) == ("fetched", "in params.yaml, not fetched")
    assert set(states.values()) == {"not in params.yaml"}
    assert "no file was downloaded to check them" in rows[-1]
    assert len(list(overview(None))) == len(KNOWN) + 2


@pytest.mark.parametrize("name", KNOWN)
def test_the_lines_for_params_are_valid_and_use_the_weights(name):
    said = list(details(name, None))
    known = KNOWN[name]
    assert any(known.citation in line for line in said) and any(str(known.weights.sha256) in line for line in said) == bool(
        known.weights.sha256
    )
    start = said.index("# params.yaml")
    values = yaml.safe_load("\n".join(said[start : said.index("", start)]))
    made = validate({**REST, **values})
    assert made.weights_of(name).family == known.weights.family
    assert [section.init for section in made.fine_tune.values()] == [f"models/weights/{name}"]
    assert made.features.encoders == (() if known.weights.family in AST_FAMILIES else (name,))


def test_an_unknown_name_is_one_line():
    with pytest.raises(FinserError, match="no known weights are called 'hubert'; did you mean 'hubert_base'?"):
        list(details("hubert", None))


def test_doctor_says_what_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = {"source": "hub", "family": "whisper", "repo": "a/b"}
    write_json(layout.weights("byol_s") / "config.json", {})
    said = [finding.found for finding in of_inputs(params(wavlm_large={}, mine=own, byol_s={})) if finding.name == "weights"]
    assert said == [
        "fetch_weights will download wavlm_large: microsoft/wavlm-large; 1,262 MB; licence CC BY-SA 3.0 (LICENSE of microsoft/UniSpeech)",
        "fetch_weights will download mine: a/b; size unknown; licence not stated",
    ]
