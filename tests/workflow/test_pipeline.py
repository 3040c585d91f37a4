"""What dvc.yaml becomes for Snakemake, without running anything."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from finser import params, presets

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """The pipeline of a preset, by its name."""
    source = importlib.util.spec_from_file_location("pipeline", ROOT / "workflow/pipeline.py")
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)

    def of(preset: str):
        Path("params.yaml").write_text(params.dump(presets.make(preset)))
        return module.Pipeline()

    return of


@pytest.mark.parametrize(
    ("preset", "cores", "threads"), [("demo", 2, 1), ("demo", 8, 2), ("demo", None, 1), ("paper", 40, 8), ("tiny", 2, 1), ("tiny", 8, 1)]
)
def test_a_job_has_its_share_of_the_cores(pipeline, preset, cores, threads):
    """Five corpora share them; 40 clips are not worth a second worker."""
    assert pipeline(preset).threads("augment", cores) == threads


def test_outputs_of_a_folder_dependency_are_named(pipeline):
    deps = pipeline("demo").deps("split", {"protocol": "speaker"})
    assert {f"data/clips/{corpus}.parquet" for corpus in ("ravdess", "crema_d", "tess", "savee", "esd")} <= set(deps)


def test_every_output_has_one_maker(pipeline):
    made = pipeline("demo")
    outs = [out for name in made.stages for item in made.items(name) for out in made._paths(name, item, "outs", "metrics", "plots")]
    assert len(outs) == len(set(outs)) == len(made.makers)
