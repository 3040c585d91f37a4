"""The table of known weights, sections that use it by name alone, and what initial weights they are."""

import re
from pathlib import Path

import pytest
import yaml

from finser.config.params import Params, validate
from finser.config.sections.fetch import Synthetic
from finser.config.sections.fetch_weights import COMMIT, Weights
from finser.config.sections.known_weights import AST_FAMILIES, KNOWN, SPEECH_FAMILIES
from finser.encoders.reading import MODEL_TYPES
from finser.encoders.tensors import LAYOUTS
from finser.errors import FinserError

CORPORA = ("ravdess", "crema_d", "tess", "savee", "esd")
REST = {"fetch": {corpus: Synthetic().model_dump() for corpus in CORPORA}, "models": ["svm"]}


def params(**sections: dict) -> Params:
    return validate({**REST, "fetch_weights": sections})


@pytest.mark.parametrize("name", KNOWN)
def test_every_entry_is_whole_and_is_found_by_its_name(name):
    known, made = KNOWN[name], params(**{name: {}}).weights_of(name)
    assert {key: value for key, value in made.model_dump().items() if value} == known.weights.model_dump(exclude_none=True)
    assert made.licence and known.title and known.megabytes > 0 and re.search(r"\b20\d\d\b", known.citation)
    assert made.source == "hub" or made.sha256, "an address is pinned by a checksum"
    assert made.revision is None or COMMIT.fullmatch(made.revision)
    assert (known.rate is None) == (made.family == "deit") and known.rate in (None, 16_000)


def test_families_are_the_same_everywhere():
    assert {known.weights.family for known in KNOWN.values()} == {*SPEECH_FAMILIES, *AST_FAMILIES}
    assert set(LAYOUTS) == set(SPEECH_FAMILIES) and set(MODEL_TYPES) == {*SPEECH_FAMILIES, *AST_FAMILIES} - {"byol_s"}


def test_another_revision_takes_no_pin_of_the_table():
    known = KNOWN["wav2vec2_base"].weights
    made = params(wav2vec2_base={"revision": "v2"}).weights_of("wav2vec2_base")
    assert (made.repo, made.family, made.revision, made.file, made.sha256) == (known.repo, known.family, "v2", None, None)
    made = params(wav2vec2_base={"sha256": "0" * 64}).weights_of("wav2vec2_base")
    assert (made.revision, made.file, made.sha256) == (known.revision, known.file, "0" * 64)


def test_another_file_has_another_checksum():
    known = KNOWN["wav2vec2_base"].weights
    made = params(wav2vec2_base={"file": "model.safetensors"}).weights_of("wav2vec2_base")
    assert (made.revision, made.file, made.sha256) == (known.revision, "model.safetensors", None)
    assert params(wav2vec2_base={"file": known.file}).weights_of("wav2vec2_base").sha256 == known.sha256 is not None


def test_a_section_with_a_source_takes_nothing_of_the_table():
    own = {"source": "local", "family": "whisper"}
    assert params(wav2vec2_base=own).weights_of("wav2vec2_base") == Weights(**own)


def refused(**values) -> str:
    with pytest.raises(FinserError) as caught:
        validate({**REST, **values})
    return str(caught.value)


@pytest.mark.parametrize(
    ("weights", "ast", "said"),
    [
        ({"hubert_bas": {}}, None, "'hubert_bas' is no name of known weights; did you mean 'hubert_base'? `finser weights` lists them"),
        ({"byol_s": {"revision": "1"}}, None, "fetched from the address in the table of known weights, which has no other revision"),
        ({}, {"init": "deit_base_384"}, "write `init: models/weights/deit_base_384`, and `fetch_weights: {deit_base_384: {}}`"),
        ({}, {"init": "models/weights/deit_base_384"}, "is no section of fetch_weights; add `deit_base_384: {}` to fetch_weights"),
        ({"hubert_base": {}}, {"init": "models/weights/hubert_base"}, "of the family hubert; an AST starts from deit or ast"),
        ({"ast_audioset": {}}, {"init": "models/weights/ast_audioset", "model_size": "tiny"}, "has weights of 'base'"),
        ({"wrong": {}}, {"init": "models/weights/wrong"}, "fetch_weights.wrong has no source"),
    ],
)
def test_what_does_not_fit_is_one_line(weights, ast, said):
    sections = {"fine_tune": {"mine": {"model": "ast", "model_size": "base", **ast}}} if ast else {}
    lines = refused(fetch_weights=weights, **sections).splitlines()
    assert len(lines) == 1 and said in lines[0], lines


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.weights.family in AST_FAMILIES])
def test_an_ast_starts_from_known_weights_by_name(name):
    section = {"model": "ast", "model_size": "base", "init": f"models/weights/{name}"}
    values = {**REST, "fetch_weights": {name: {}}, "fine_tune": {"mine": section}}
    assert validate(values).fine_tune["mine"].init == f"models/weights/{name}"


@pytest.mark.parametrize("page", ["encoders", "classifiers"])
def test_examples_of_the_pages_are_valid(page):
    text = (Path(__file__).parents[2] / f"docs/{page}.md").read_text().replace("COMMIT", "ab" * 20).replace("SHA256", "a" * 64)
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    examples = [block for block in blocks if "fetch_weights" in block]
    assert len(examples) > 1
    for block in examples:
        assert validate({**REST, **block, "models": ["svm", *block.get("models", ())]}).fetch_weights
