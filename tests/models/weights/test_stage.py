"""The stage in both engines: none, one, and what a classifier that begins from it depends on."""

import subprocess
import sys
from pathlib import Path

import pytest

from finser.config.schema import Ast, Params, Synthetic, Weights, begins, dump, load

ROOT = Path(__file__).parents[3]
CORPORA = ("ravdess", "crema_d", "tess", "savee", "esd")
GIVEN = Weights(source="local", kind="ast", model_size="nano", path=Path("a.safetensors"), sha256="0" * 64)


def some(**weights: Weights) -> Params:
    models = {"ast": Ast(model_size="nano", init="weights", weights=next(iter(weights))) if weights else Ast(model_size="nano")}
    chosen = {"models": tuple(models), "train_classifier": models, "initialise": {"models": begins(models, models)}}
    return Params(fetch=dict.fromkeys(CORPORA, Synthetic()), fetch_weights=weights, **chosen)


@pytest.fixture
def project(tmp_path, monkeypatch, copy_stages):
    copy_stages(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "workflow")
    return tmp_path


@pytest.mark.parametrize("weights", [{}, {"given": GIVEN}])
def test_params_with_and_without_weights_are_read_as_written(project, weights):
    (project / "params.yaml").write_text(dump(some(**weights)))
    assert load() == some(**weights)


@pytest.mark.parametrize("weights", [{}, {"given": GIVEN}])
def test_both_engines_know_the_stage(project, weights):
    from pipeline import Pipeline

    (project / "params.yaml").write_text(dump(some(**weights)))
    pipeline = Pipeline()
    assert pipeline.items("fetch_weights") == [{"key": name} for name in weights]
    assert ("models/weights/given" in pipeline.deps("initialise", {"key": "ast"})) == bool(weights)
    assert pipeline.outs("fetch_weights") == ["models/weights/{key}"]
    dvc = [Path(sys.executable).parent / "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], check=True, capture_output=True)
    listed = subprocess.run([*dvc, "stage", "list", "--name-only"], check=True, capture_output=True, text=True).stdout.split()
    assert [name for name in listed if name.startswith("fetch_weights")] == [f"fetch_weights@{name}" for name in weights]
    upstream = subprocess.run([*dvc, "dag", "--dot", "initialise@ast"], check=True, capture_output=True, text=True).stdout
    assert ("fetch_weights@given" in upstream) == bool(weights)
