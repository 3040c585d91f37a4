"""Whole params.yaml files by name: what `finser preset NAME` writes."""

from pathlib import Path

from finser.errors import FinserError, nearest
from finser.params import (
    ClassifierData,
    Download,
    EvaluateClassifier,
    EvaluateFin,
    Fin,
    FinData,
    FinEnsemble,
    Local,
    Mlp,
    Params,
    Synthetic,
    TrainClassifier,
    TrainFin,
    TrainFrontEnd,
)


def demo() -> Params:
    """Five small synthetic corpora, every stage, minutes on two cores; params.yaml as committed."""
    return Params(
        preset="demo",
        fetch={
            "ravdess": Synthetic(speakers=6, clips_per_emotion=8),
            "crema_d": Synthetic(speakers=8, clips_per_emotion=8),
            "tess": Synthetic(speakers=2, clips_per_emotion=24),
            "savee": Synthetic(speakers=4, clips_per_emotion=8),
            "esd": Synthetic(speakers=4, clips_per_emotion=20),
        },
    )


def tiny() -> Params:
    """The same stages on next to nothing: for tests of the whole. Its figures mean nothing."""
    seen = ("ravdess",)
    short = {feature: Fin(steps=60, learning_rate=0.01) for feature in ("rms", "zcr", "chroma", "mel", "mfcc")}
    return Params(
        preset="tiny",
        corpora=(*seen, "esd"),
        protocols=("speaker",),
        folds=(1,),
        fetch={"ravdess": Synthetic(speakers=5, clips_per_emotion=2), "esd": Synthetic(speakers=2, clips_per_emotion=2)},
        train_front_end=TrainFrontEnd(adam_steps=100),
        train_fin=TrainFin(data=FinData(corpora=seen, frames=2_000), **short),
        evaluate_fin=EvaluateFin(frames=500),
        train_classifier=TrainClassifier(
            data=ClassifierData(corpora=seen),
            mlp=Mlp(epochs=3, variants=("original",)),
            fin_ensemble=FinEnsemble(epochs=2, channels=16, variants=("original",)),
        ),
        evaluate_classifier=EvaluateClassifier(bootstrap=100),
    )


def open_corpora() -> Params:
    """RAVDESS, CREMA-D and TESS from their publishers: no registration; five folds."""
    corpora = ("ravdess", "crema_d", "tess")
    return Params(preset="open", fetch={corpus: Download(source="download") for corpus in corpora}, **_on(corpora))


def paper() -> Params:
    """The published experiment: four corpora to learn from (12,161 clips, 36,483 rows), ESD unseen.

    SAVEE and ESD need a signature, so they come from folders that the user fills; fetch says how to get them.
    """
    open_ones = {corpus: Download(source="download") for corpus in ("ravdess", "crema_d", "tess")}
    signed = {corpus: Download(source="download") for corpus in ("savee", "esd")}
    return Params(preset="paper", folds=(1, 2, 3, 4, 5), fetch={**open_ones, **signed})


def local(folder: Path, *, allow_partial: bool) -> Params:
    """Whatever corpora lie in `folder`; FINs learn from RAVDESS where it is there, and meet the others as unseen.

    Raises
    ------
    FinserError
        No corpus lies there, one of them holds no audio, or fewer clips than published without `allow_partial`.
    """
    from finser.corpora.local import find, survey
    from finser.corpora.registry import CORPORA

    fetch = {}
    for corpus, path in find(folder).items():
        files, size = survey(path, corpus)
        if files < CORPORA[corpus].clips and not allow_partial:
            raise FinserError(
                "a partial corpus",
                where=path,
                expected=f"{CORPORA[corpus].clips:,} clips",
                found=f"{files:,}",
                do="accept it: --allow-partial",
            )
        fetch[corpus] = Local(source="local", path=path.resolve(), files=files, bytes=size, allow_partial=allow_partial)
    return Params(preset="local", fetch=fetch, **_on(tuple(fetch)))


def _on(corpora: tuple[str, ...]) -> dict:
    """Classifiers pool all of `corpora`; FINs learn from the first (RAVDESS where it is there) and meet the others as unseen."""
    return {
        "corpora": corpora,
        "train_fin": TrainFin(data=FinData(corpora=corpora[:1])),
        "train_classifier": TrainClassifier(data=ClassifierData(corpora=corpora)),
    }


def make(name: str, folder: Path | None = None, allow_partial: bool = False) -> Params:
    """The preset called `name`.

    Raises
    ------
    FinserError
        An unknown name, or a folder where none belongs, or none where one does.
    """
    plain = {"demo": demo, "tiny": tiny, "open": open_corpora, "paper": paper}
    if name not in (*plain, "local"):
        raise FinserError(f"unknown preset '{name}'", do=nearest(name, (*plain, "local")))
    if (folder is not None) != (name == "local"):
        raise FinserError("only the preset local takes a folder, and it needs one", do="finser preset local PATH")
    return local(folder, allow_partial=allow_partial) if name == "local" else plain[name]()
