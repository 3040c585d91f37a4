from pathlib import Path

import pytest

from finser import synthetic
from finser.config.params import Params
from finser.config.sections.fetch import Synthetic
from finser.config.sections.train_fin import TrainFin


@pytest.fixture(scope="session")
def params_for():
    def build(corpus: str, speakers: int, clips_per_emotion: int, seed: int = 0) -> Params:
        return Params(
            corpora=(corpus,),
            seed=seed,
            fetch={corpus: Synthetic(speakers=speakers, clips_per_emotion=clips_per_emotion)},
            train_fin=TrainFin(data={"corpora": (corpus,)}),
            pooled=(corpus,),
        )

    return build


SIZES = {"ravdess": (1, 2), "crema_d": (2, 1), "tess": (2, 1), "savee": (1, 2), "esd": (2, 2)}


@pytest.fixture(scope="session")
def made(params_for, tmp_path_factory) -> dict[str, tuple[Path, list]]:
    """Each corpus at its smallest useful size: folder and plan."""
    corpora = {}
    for corpus, size in SIZES.items():
        params, folder = params_for(corpus, *size), tmp_path_factory.mktemp(corpus)
        synthetic.make(params, corpus, folder)
        corpora[corpus] = folder, synthetic.plan(params.fetch[corpus], corpus)
    return corpora
