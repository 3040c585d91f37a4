"""Whole params.yaml files by name: what `finser preset NAME` writes."""

from pathlib import Path

from finser.errors import FinserError, nearest
from finser.params import (
    Ast,
    Classifier,
    CompareFin,
    Download,
    EvaluateClassifier,
    EvaluateFin,
    Fin,
    FinData,
    FinEnsemble,
    Initialise,
    Local,
    Mlp,
    Params,
    ReferenceFin,
    Resnet18,
    ShallowCnn,
    SmallCnn,
    Svm,
    Synthetic,
    TrainFin,
    TrainFrontEnd,
    begins,
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
        **_classifiers(
            svm=Svm(),
            mlp=Mlp(),
            shallow_cnn=ShallowCnn(epochs=8),
            small_cnn=SmallCnn(epochs=8),
            resnet18=Resnet18(epochs=6, width=16),
            ast=Ast(size="nano", frequency_stride=16, time_stride=16, epochs=3, learning_rate=0.002),
            fin_ensemble=FinEnsemble(channels=64),
        ),
    )


def tiny() -> Params:
    """The same stages on 40 clips of one corpus, with two classifiers: for tests of the whole. Its figures mean nothing."""
    corpora = ("ravdess",)
    short = {feature: Fin(steps=30, learning_rate=0.01) for feature in ("rms", "zcr", "chroma", "mel", "mfcc")}
    return Params(
        preset="tiny",
        corpora=corpora,
        pooled=corpora,
        protocols=("speaker",),
        folds=(1,),
        fetch={"ravdess": Synthetic(speakers=5, clips_per_emotion=1)},
        train_front_end=TrainFrontEnd(adam_steps=30),
        train_fin=TrainFin(data=FinData(corpora=corpora, validation_frames=400), **short),
        evaluate_fin=EvaluateFin(frames=500, conditions=False, speed=False),
        compare_fin=CompareFin(features=("rms",)),
        reference_fin=ReferenceFin(features=("rms",), steps=20, batch_size=32),
        **_classifiers(svm=Svm(), fin_ensemble=FinEnsemble(epochs=2, channels=16, variants=("original",))),
        evaluate_classifier=EvaluateClassifier(bootstrap=100),
    )


def open_corpora() -> Params:
    """RAVDESS, CREMA-D and TESS from their publishers: no registration."""
    corpora = ("ravdess", "crema_d", "tess")
    return Params(preset="open", fetch={corpus: Download(source="download") for corpus in corpora}, **_on(corpora, corpora[0]))


def paper(folder: Path | None = None, *, allow_partial: bool = False) -> Params:
    """The published experiment's corpora: four to learn from (12,162 clips), ESD unseen; five folds.

    Published are 12,161 clips, less the silent one; the index also excludes the byte-identical ones, so that 12,154 are kept.
    Those that lie in `folder` are taken from there. SAVEE and ESD have no open download: without them fetch says what to sign.
    """
    here = _found(folder, allow_partial=allow_partial) if folder else {}
    corpora = ("ravdess", "crema_d", "tess", "savee", "esd")
    return Params(
        preset="paper", folds=(1, 2, 3, 4, 5), fetch={corpus: here.get(corpus, Download(source="download")) for corpus in corpora}
    )


def local(folder: Path, *, allow_partial: bool) -> Params:
    """Whatever corpora lie in `folder`; FINs learn from RAVDESS where it is there, and meet the others as unseen.

    Raises
    ------
    FinserError
        No corpus lies there, one of them holds no audio, or fewer clips than published without `allow_partial`.
    """
    from finser.corpora.local import speakers

    fetch = _found(folder, allow_partial=allow_partial)
    able = [corpus for corpus, source in fetch.items() if len(speakers(source.path, corpus)) >= 3]
    if not able:
        expected = "a corpus of three or more speakers, to train, validate and test on"
        raise FinserError("too few speakers", where=folder, expected=expected, do="add another corpus")
    return Params(preset="local", fetch=fetch, **_on(tuple(fetch), able[0]))


def _found(folder: Path, *, allow_partial: bool) -> dict[str, Local]:
    """The corpora that lie in `folder`, counted."""
    from finser.corpora.local import check_complete, find, survey

    found = {}
    for corpus, path in find(folder).items():
        files, size = survey(path, corpus)
        whole = Local(source="local", path=path.resolve(), files=files, bytes=size)
        partial = whole.model_copy(update={"allow_partial": allow_partial})
        expected = check_complete(path, partial, corpus, do="complete it, or accept it: --allow-partial")
        found[corpus] = partial if files < expected else whole
    return found


def _on(corpora: tuple[str, ...], learned_from: str) -> dict:
    """Classifiers pool all of `corpora`; FINs learn from one, and meet the others as unseen."""
    return {
        "corpora": corpora,
        "train_fin": TrainFin(data=FinData(corpora=(learned_from,))),
        "pooled": corpora,
    }


def _classifiers(**sections: Classifier) -> dict:
    """Models, what they begin from and how they are trained."""
    return {"models": tuple(sections), "train_classifier": sections, "initialise": Initialise(models=begins(sections, sections))}


def make(name: str, folder: Path | None = None, allow_partial: bool = False) -> Params:
    """The preset called `name`.

    Raises
    ------
    FinserError
        An unknown name, or a folder where none belongs, or none where one does.
    """
    plain, in_folder = {"demo": demo, "tiny": tiny, "open": open_corpora}, {"paper": paper, "local": local}
    if name not in (*plain, *in_folder):
        raise FinserError(f"unknown preset '{name}'", do=nearest(name, (*plain, *in_folder)))
    if name in plain and folder is not None:
        raise FinserError(f"the preset {name} takes no folder", do="finser preset local PATH, or finser preset paper PATH")
    if allow_partial and folder is None:
        raise FinserError("--allow-partial is about a folder, and there is none", do="finser preset local PATH --allow-partial")
    if name == "local" and folder is None:
        raise FinserError("the preset local needs a folder", do="finser preset local PATH")
    return plain[name]() if name in plain else in_folder[name](folder, allow_partial=allow_partial)
