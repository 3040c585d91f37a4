"""The stage in both engines: none, one, one by name alone, and what a classifier that starts from it depends on."""

import subprocess
import sys
from pathlib import Path

import pytest

from finser.config.dump import dump
from finser.config.params import Params, load
from finser.config.sections.classifiers import Ast, by_map
from finser.config.sections.fetch import Synthetic
from finser.config.sections.fetch_weights import Weights

ROOT = Path(__file__).parents[2]
CORPORA = ("ravdess", "crema_d", "tess", "savee", "esd")
GIVEN = Weights(source="local", family="ast", model_size="nano", sha256="0" * 64)
SEVERAL = [{}, {"given": GIVEN}, {"deit_base_384": Weights()}]


def some(**weights: Weights) -> Params:
    init = f"models/weights/{next(iter(weights))}" if weights else None
    chosen = by_map({"ast": Ast(model_size="base" if "deit_base_384" in weights else "nano", init=init)})
    return Params(fetch=dict.fromkeys(CORPORA, Synthetic()), fetch_weights=weights, models=("ast",), **chosen)


@pytest.fixture
def project(tmp_path, monkeypatch, copy_stages):
    copy_stages(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "workflow")
    return tmp_path


@pytest.mark.parametrize("weights", SEVERAL)
def test_params_with_and_without_weights_are_read_as_written(project, weights):
    (project / "params.yaml").write_text(dump(some(**weights)))
    assert load() == some(**weights)


@pytest.mark.parametrize("weights", SEVERAL)
def test_both_engines_know_the_stage(project, weights):
    from pipeline import Pipeline

    (project / "params.yaml").write_text(dump(some(**weights)))
    pipeline = Pipeline()
    assert pipeline.items("fetch_weights") == [{"key": name} for name in weights]
    stage = "prepare_fine_tuning" if weights else "prepare_classifier"
    made = [f"models/weights/{name}" for name in weights]
    assert [path for path in pipeline.deps(stage, {"key": "ast"}) if path.startswith("models/weights/")] == made
    assert pipeline.outs("fetch_weights") == ["models/weights/{key}"]
    dvc = [Path(sys.executable).parent / "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], check=True, capture_output=True)
    listed = subprocess.run([*dvc, "stage", "list", "--name-only"], check=True, capture_output=True, text=True).stdout.split()
    assert [name for name in listed if name.startswith("fetch_weights")] == [f"fetch_weights@{name}" for name in weights]
    upstream = subprocess.run([*dvc, "dag", "--dot", f"{stage}@ast"], check=True, capture_output=True, text=True).stdout
    assert [name for name in ("given", "deit_base_384") if f"fetch_weights@{name}" in upstream] == list(weights)
