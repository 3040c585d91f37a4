"""Whole params.yaml files by name: what `finser preset NAME` writes."""

from pathlib import Path

from finser.config.schema import (
    Ast,
    Classifier,
    CompareFin,
    Download,
    EvaluateClassifier,
    EvaluateFin,
    Fin,
    FinData,
    FinEnsemble,
    Fusion,
    Initialise,
    Local,
    Mlp,
    NoiseCurve,
    Params,
    Pretrain,
    ReferenceFin,
    Resnet18,
    ShallowCnn,
    SmallCnn,
    Source,
    Split,
    Summarise,
    Svm,
    Synthetic,
    TrainFin,
    TrainFrontEnd,
    begins,
)
from finser.errors import FinserError, nearest
from finser.progress import say

# what runs on corpora of any size; ResNet-18, AST and arms whose FINs learn would take a CPU days, and wait in train_classifier
LIGHT = ("svm", "mlp", "shallow_cnn", "small_cnn", "fin_librosa", "fin_ensemble")
LIGHT_PAIRS = (("fin_ensemble", "fin_librosa"),)
# what FINs learn from: no classifier is tested on it, so that they have heard no test speaker of any fold and protocol
TEACHER = Synthetic(speakers=4, clips_per_emotion=20)


def demo() -> Params:
    """Five small synthetic corpora, every stage, minutes on two cores; params.yaml as committed."""
    short = {"variants": ("original",), "channels": 64, "epochs": 8}
    return Params(
        preset="demo",
        fetch={
            "ravdess": Synthetic(speakers=6, clips_per_emotion=8),
            "crema_d": Synthetic(speakers=8, clips_per_emotion=8),
            "tess": Synthetic(speakers=2, clips_per_emotion=24),
            "savee": Synthetic(speakers=4, clips_per_emotion=8),
            "esd": TEACHER,
        },
        folds=(1,),
        evaluate_fin=EvaluateFin(frames=10_000),
        reference_fin=ReferenceFin(steps=1000),
        **_classifiers(
            svm=Svm(),
            svm_half=Svm(speakers=0.5),
            mlp=Mlp(variants=("original",)),
            shallow_cnn=ShallowCnn(epochs=5),
            small_cnn=SmallCnn(epochs=4),
            small_cnn_taught=SmallCnn(epochs=4, init="imitation", trunk="small_cnn"),
            resnet18=Resnet18(epochs=3, width=16),
            ast=Ast(model_size="nano", frequency_stride=16, time_stride=16, epochs=2, learning_rate=0.002),
            fin_librosa=FinEnsemble(arm="librosa", fins=(), **short),
            fin_ensemble=FinEnsemble(**short),
        ),
        pretrain=Pretrain(trunks=("small_cnn",), epochs=3),
        fusions=("fused",),
        fuse_classifiers={"fused": Fusion(members=("svm", "mlp", "small_cnn", "fin_ensemble"), method="stacked")},
        evaluate_classifier=EvaluateClassifier(noise=NoiseCurve(snr_db=(10.0, 0.0), clips=24)),
        summarise=Summarise(pairs=(("fin_ensemble", "fin_librosa"), ("small_cnn_taught", "small_cnn"))),
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
        evaluate_classifier=EvaluateClassifier(noise=NoiseCurve(kinds=())),
    )


def full() -> dict[str, Classifier]:
    """Every model and every arm at the size and length that real recordings want (docs/classifiers.md)."""
    # the ZCR net would take half of all the time: that feature stays librosa's in every arm
    fins = {"fins": ("rms", "chroma", "mfcc", "mel")}
    below = {"epochs": 20, "mixup": 0.5, "band_masks": 2, "time_masks": 2, "crop_frames": 80}
    wide = {"channels": 116}  # where the FINs do not learn, the head has as many weights more as they have: within 0.5 %
    return {
        "svm": Svm(),
        "mlp": Mlp(hidden=(256, 128), epochs=100, mixup=0.3, dropout=0.4),
        "shallow_cnn": ShallowCnn(epochs=60),
        "small_cnn": SmallCnn(epochs=80),
        "resnet18": Resnet18(epochs=30),
        "ast": Ast(epochs=30, frequency_stride=16, time_stride=16),
        "fin_librosa": FinEnsemble(arm="librosa", fins=(), **wide, **below),
        "fin_ensemble": FinEnsemble(**fins, **wide, **below),
        "fin_tuned": FinEnsemble(arm="tuned", fin_learning_rate=0.001, **fins, **below),
        "fin_formula": FinEnsemble(arm="formula", fin_learning_rate=0.001, **fins, **below),
        "fin_uninitialised": FinEnsemble(arm="uninitialised", fin_learning_rate=0.005, **fins, **below),
    }


def taught(section: SmallCnn | Resnet18 | Ast, trunk: str) -> Classifier:
    """The same section, begun from a trunk of the section `trunk` that has imitated librosa's features."""
    return section.model_copy(update={"init": "imitation", "trunk": trunk})


def shares(name: str, section: Classifier) -> dict[str, Classifier]:
    """NAME_10, NAME_20, NAME_50: the same section on so many per cent of the training speakers, the points of a learning curve."""
    return {f"{name}_{share}": section.model_copy(update={"speakers": share / 100}) for share in (10, 20, 50)}


def ravdess(folder: Path | None = None, *, allow_partial: bool = False) -> Params:
    """Classifiers on RAVDESS alone, as in the published comparisons: the five published folds, and a random 80/20; three seeds.

    FINs learn from a synthesised corpus. Every model and arm, learning curves, and what imitation gives as a pretraining, with the
    labels of all training speakers and of a fifth of them.
    Made for a GPU or a cluster: on a CPU, ResNet-18, AST and the arms whose FINs learn take hours; leave them out of `models`.
    """
    pooled = ("ravdess",)
    here = _found(folder, pooled, allow_partial=allow_partial) if folder else {}
    if folder and not here:
        raise FinserError("no RAVDESS here", where=folder, expected="a folder RAVDESS")
    sections = full() | shares("svm", Svm()) | shares("small_cnn", full()["small_cnn"])
    trunks = {"small_cnn": "small_cnn", "small_cnn_20": "small_cnn", "resnet18": "resnet18", "ast": "ast"}
    arms = (
        ("fin_tuned", "fin_formula"),
        ("fin_formula", "fin_uninitialised"),
        ("fin_tuned", "fin_uninitialised"),
        ("fin_tuned", "fin_ensemble"),
        ("fin_ensemble", "fin_librosa"),
    )
    sections |= {f"{name}_taught": taught(sections[name], trunk) for name, trunk in trunks.items()}
    return Params(
        preset="ravdess",
        folds=(1, 2, 3, 4, 5),
        seeds=(0, 1, 2),
        **_with_teacher({"ravdess": here.get("ravdess", Download(source="download"))}),
        split=Split(random_test=0.2, random_validation=0.08, speaker_validation=0.15),
        reference_fin=ReferenceFin(features=("rms", "zcr", "chroma", "mfcc", "mel")),
        **_classifiers(**sections),
        pretrain=Pretrain(trunks=tuple(dict.fromkeys(trunks.values()))),
        fusions=("small_cnn_seeds", "fused"),
        fuse_classifiers={
            "small_cnn_seeds": Fusion(members=("small_cnn",)),
            "fused": Fusion(members=("svm", "mlp", "small_cnn", "fin_ensemble"), method="stacked"),
        },
        summarise=Summarise(pairs=(*arms, *((f"{name}_taught", name) for name in trunks))),
    )


def open_corpora() -> Params:
    """RAVDESS, CREMA-D and TESS from their publishers: no registration. Three folds, so that each corpus is once left out."""
    return Params(
        preset="open",
        protocols=("speaker", "random", "cross_corpus"),
        folds=(1, 2, 3),
        **_with_teacher({corpus: Download(source="download") for corpus in ("ravdess", "crema_d", "tess")}),
        **_light(),
    )


def paper(folder: Path | None = None, *, allow_partial: bool = False) -> Params:
    """The published experiment's corpora: classifiers learn from four (12,162 clips), FINs from ESD; five folds.

    In the published experiment FINs learned from the four, and ESD was unseen. There, the FINs had heard the classifiers' test clips.

    Published are 12,161 clips, less the silent one; the index also excludes the byte-identical ones, so that 12,154 are kept.
    Those that lie in `folder` are taken from there. SAVEE and ESD have no open download: without them fetch says what to sign.
    """
    here = _found(folder, allow_partial=allow_partial) if folder else {}
    corpora = ("ravdess", "crema_d", "tess", "savee", "esd")
    return Params(
        preset="paper",
        folds=(1, 2, 3, 4, 5),
        fetch={corpus: here.get(corpus, Download(source="download")) for corpus in corpora},
        **_light(),
    )


def local(folder: Path, *, allow_partial: bool) -> Params:
    """Classifiers on whatever corpora lie in `folder`, FINs as :func:`_with_teacher` says.

    Raises
    ------
    FinserError
        No corpus lies there, one of them holds no audio, or fewer clips than published without `allow_partial`.
    """
    from finser.corpora.local import speakers

    fetch = _found(folder, allow_partial=allow_partial)
    if all(len(speakers(source.path, corpus)) < 3 for corpus, source in fetch.items()):
        expected = "a corpus of three or more speakers, to train, validate and test on"
        raise FinserError("too few speakers", where=folder, expected=expected, do="add another corpus")
    made = _with_teacher(fetch)
    (teacher,) = made["train_fin"].data.corpora
    if teacher in fetch and len(speakers(fetch[teacher].path, teacher)) < 3:
        expected = "three or more, since FINs learn from it here"
        raise FinserError(f"too few speakers of {teacher}", where=fetch[teacher].path, expected=expected, do=f"leave {teacher} out")
    return Params(preset="local", **made, **_light())


def _found(folder: Path, wanted: tuple[str, ...] | None = None, *, allow_partial: bool) -> dict[str, Local]:
    """Those of the `wanted` corpora (all by default) that lie in `folder`, counted; says what it took and what it left out."""
    from finser.corpora.local import check_complete, clips, describe, find, unknown

    found, ignored = {}, unknown(folder)
    for corpus, path in find(folder).items():
        if wanted and corpus not in wanted:
            ignored.append(path.name)
            continue  # what nobody reads need not be complete
        whole = Local(source="local", path=path.resolve(), **describe(path, corpus))
        partial = whole.model_copy(update={"allow_partial": allow_partial})
        expected = check_complete(path, partial, corpus, do="complete it, or accept it: --allow-partial")
        distinct = len(clips(path, corpus))  # a repack may hold every clip twice
        found[corpus] = partial if distinct < expected else whole
        accepted = ", accepted as partial" if distinct < expected else ""
        say(f"{corpus}: {path}: {whole.files:,} files, {distinct:,} of {expected:,} clips{accepted}")
    if ignored:
        say(f"{folder}: left out, because this preset takes no such corpus: {', '.join(sorted(ignored))}")
    return found


def _with_teacher(fetch: dict[str, Source]) -> dict:
    """Classifiers pool all corpora of `fetch`, FINs learn from a synthesised one under a free name.

    TESS's two speakers cannot teach. If the other four names are taken, FINs learn from the ESD that is there, and classifiers do not.
    """
    free = [name for name in ("esd", "savee", "crema_d", "ravdess") if name not in fetch]
    teacher = free[0] if free else "esd"
    if not free:
        say("FINs learn from esd, so that they hear no test speaker; classifiers learn from the others")
    sources = fetch if not free else {**fetch, teacher: TEACHER}
    return {
        "fetch": sources,
        "corpora": tuple(sources),
        "pooled": tuple(name for name in sources if name != teacher),
        "train_fin": TrainFin(data=FinData(corpora=(teacher,))),
    }


def _light() -> dict:
    """What runs on corpora of any size."""
    return {**_classifiers(LIGHT, **full()), "summarise": Summarise(pairs=LIGHT_PAIRS)}


def _classifiers(run: tuple[str, ...] | None = None, **sections: Classifier) -> dict:
    """How classifiers are trained, which of them run (all by default), and what those begin from."""
    run = run or tuple(sections)
    return {"models": run, "train_classifier": sections, "initialise": Initialise(models=begins(sections, run))}


def make(name: str, folder: Path | None = None, allow_partial: bool = False) -> Params:
    """The preset called `name`.

    Raises
    ------
    FinserError
        An unknown name, or a folder where none belongs, or none where one does.
    """
    plain, in_folder = {"demo": demo, "tiny": tiny, "open": open_corpora}, {"ravdess": ravdess, "paper": paper, "local": local}
    if name not in (*plain, *in_folder):
        raise FinserError(f"unknown preset '{name}'", do=nearest(name, (*plain, *in_folder)))
    if name in plain and folder is not None:
        raise FinserError(f"the preset {name} takes no folder", do="finser preset local PATH, or ravdess PATH, or paper PATH")
    if allow_partial and folder is None:
        raise FinserError("--allow-partial is about a folder, and there is none", do="finser preset local PATH --allow-partial")
    if name == "local" and folder is None:
        raise FinserError("the preset local needs a folder", do="finser preset local PATH")
    return plain[name]() if name in plain else in_folder[name](folder, allow_partial=allow_partial)
