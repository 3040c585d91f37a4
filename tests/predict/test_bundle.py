"""Bundles that are incomplete, damaged, or of another version."""

import json
import shutil

import pytest

from finser.errors import FinserError
from finser.files import read_json
from finser.predict import bundle
from finser.predict.hub import Predictor


@pytest.fixture
def folder(project_of_bundles, tmp_path):
    shutil.copytree(project_of_bundles / "bundles/svm", tmp_path / "b")
    return tmp_path / "b"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "a bundle of another format; expected 1; found 2"),
        ({"classes": ["sad"]}, "classes: Tuple should have at least 2 items"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"temperature": 0}, "temperature: Input should be greater than 0"),
        ({"sr": 16_000}, "sr: Input should be greater than or equal to 22050"),
        ({"definition": "x"}, "definition: Input should be"),
        ({"ranges": {}}, "ranges.seconds: Field required"),
        ({"members": []}, "members: Tuple should have at least 1 item"),
        ({"members": [{"folder": "members/../..", "weight": 1}]}, "members.0.folder: String should match pattern"),
        ({"members": [{"folder": "members/svm", "weight": 0.5}]}, "the weights of the members do not add up to 1"),
        ({"members": [{"folder": "members/other", "weight": 1}]}, "a file of the bundle is missing"),
        ({"classes": [*"abcdefgh"]}, "a member of other classes; expected a, b"),
    ],
)
def test_a_faulty_config_is_one_line(folder, change, said):
    values = read_json(folder / bundle.CONFIG) | change
    (folder / bundle.CONFIG).write_text(json.dumps(values))
    with pytest.raises(FinserError) as error:
        Predictor(folder)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"no tensors"])
def test_a_damaged_member_is_one_line_with_advice_on_bundles(folder, content):
    path = folder / "members/svm/model.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(FinserError) as error:
        Predictor(folder)
    said = str(error.value)
    assert "members/svm/model.safetensors: " in said and "copy the bundle again" in said and "dvc repro" not in said and "\n" not in said


@pytest.mark.parametrize("model", ["encoder_probe", "encoder"])
@pytest.mark.parametrize("missing", ["encoders", "encoders/byol_s/config.json", "encoders/byol_s/model.safetensors"])
def test_a_bundle_without_its_encoder_is_one_line(project_of_bundles, tmp_path, model, missing):
    shutil.copytree(project_of_bundles / "bundles" / model, tmp_path / "b")
    path = tmp_path / "b" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(FinserError) as error:
        Predictor(tmp_path / "b")
    said = str(error.value)
    assert f"b/{missing}" in said and "a file of the bundle is missing; copy the bundle again" in said and "\n" not in said


def test_another_folder_is_one_line(tmp_path):
    with pytest.raises(FinserError, match="no bundle; expected a folder with config.json"):
        Predictor(tmp_path)


def test_what_is_written_can_be_read(folder):
    made = bundle.read(folder)
    assert bundle.Bundle.model_validate_json(made.model_dump_json()) == made and made.name == "svm"
