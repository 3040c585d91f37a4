"""Bundles of the miniature project's classifiers."""

import shutil
from pathlib import Path

import pytest

from finser.classifiers.train_final import train_final
from finser.config.params import Params
from finser.config.sections.classifiers import KINDS
from finser.summary.summarise import summarise
from finser.tools.bundling import bundle

FINAL = ("svm", "small_cnn", "fin_ensemble", "encoder_probe", "encoder", "encoder_tuned")


@pytest.fixture(scope="session")
def kept(params: Params) -> Params:
    """The miniature project's parameters, with the models to keep, on the one fold that is trained."""
    return Params.model_validate({**params.model_dump(), "protocols": ("speaker",), "folds": (1,), "final": FINAL, "models": tuple(KINDS)})


@pytest.fixture(scope="session")
def project_of_bundles(trained: Path, kept: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained project with some models trained on all speakers, and its scores; bundles/ has a bundle of each, and of all folds."""
    folder = tmp_path_factory.mktemp("bundles") / "project"
    shutil.copytree(trained, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FINSER_CORES", "1")
        summarise(kept)
        for model in FINAL:
            train_final(kept, model)
            bundle(kept, model, Path("bundles") / model)
        for model in KINDS:
            bundle(kept, model, Path("bundles/of_folds") / model, folds=True)
    return folder
