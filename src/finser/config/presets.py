"""Presets: complete params.yaml files by name, as `finser preset NAME` writes them."""

from collections.abc import Mapping

from finser.config.params import Params
from finser.config.sections.classifiers import (
    FINS,
    PRETRAINED,
    PUBLISHED,
    Ast,
    ClassifierSection,
    EncoderHead,
    EncoderProbe,
    EncoderTuned,
    FinEnsemble,
    Mlp,
    Resnet18,
    ShallowCnn,
    SmallCnn,
    Svm,
    by_map,
)
from finser.config.sections.evaluate_classifier import EvaluateClassifier, NoiseCurve
from finser.config.sections.evaluate_fin import CompareFin, EvaluateFin, ReferenceFin
from finser.config.sections.features import Features
from finser.config.sections.fetch import Download, Local, Source, Synthetic
from finser.config.sections.fetch_weights import Weights
from finser.config.sections.pretrain import Pretrain
from finser.config.sections.results import Fusion, Summarise
from finser.config.sections.split import Split
from finser.config.sections.train_fin import FinData, FinSection, TrainFin, TrainFrontEnd
from finser.errors import FinserError, nearest
from finser.progress import say

Found = Mapping[str, Local]  # corpora in a folder of the user
IN_FOLDER = {
    "ravdess": False,
    "encoders": False,
    "finetune": False,
    "paper": False,
    "local": True,
}  # presets that take corpora of a folder, and whether they need some
# classifiers that a CPU trains on corpora of any size; ResNet-18, AST and the arms whose FINs are trained would take days
LIGHT = ("svm", "mlp", "shallow_cnn", "small_cnn", "fin_librosa", "fin_ensemble")
FROZEN = ("byol_s", "wav2vec2_base", "hubert_base", "wavlm_base_plus", "whisper_base")  # of the preset `encoders`
TUNED = ("wav2vec2_base", "wavlm_base_plus", "wavlm_large")  # of the preset `finetune`
LIGHT_PAIRS = (("fin_ensemble", "fin_librosa"),)
# the corpus that FINs are trained on: no classifier is tested on it, so FINs see no test speaker of any fold and protocol
FIN_CORPUS = Synthetic(speakers=4, clips_per_emotion=20)


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
            "esd": FIN_CORPUS,
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
            small_cnn_pretrained=SmallCnn(epochs=4, init=f"{PRETRAINED}small_cnn"),
            resnet18=Resnet18(epochs=3, width=16),
            ast=Ast(model_size="nano", frequency_stride=16, time_stride=16, epochs=2, learning_rate=0.002),
            fin_librosa=FinEnsemble(arm="librosa", fins=(), **short),
            fin_ensemble=FinEnsemble(init=FINS, **short),
        ),
        pretrain=Pretrain(trunks=("small_cnn",), epochs=3),
        fusions=("fused",),
        fuse_classifiers={"fused": Fusion(members=("svm", "mlp", "small_cnn", "fin_ensemble"), method="stacked")},
        evaluate_classifier=EvaluateClassifier(noise=NoiseCurve(snr_db=(10.0, 0.0), clips=24)),
        summarise=Summarise(pairs=(("fin_ensemble", "fin_librosa"), ("small_cnn_pretrained", "small_cnn"))),
    )


def tiny() -> Params:
    """The same stages on 40 clips of one corpus, with two classifiers: for tests of the whole workflow. Its results mean nothing."""
    corpora = ("ravdess",)
    short = {feature: FinSection(steps=30, learning_rate=0.01) for feature in ("rms", "zcr", "chroma", "mel", "mfcc")}
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
        **_classifiers(svm=Svm(), fin_ensemble=FinEnsemble(init=FINS, epochs=2, channels=16, variants=("original",))),
        evaluate_classifier=EvaluateClassifier(noise=NoiseCurve(kinds=())),
    )


def full() -> dict[str, ClassifierSection]:
    """Every model and every arm in the size and length for real recordings (docs/classifiers.md)."""
    # the ZCR net would take half of all the time: librosa computes this feature in every arm
    fins = {"fins": ("rms", "chroma", "mfcc", "mel")}
    below = {"epochs": 20, "mixup": 0.5, "band_masks": 2, "time_masks": 2, "crop_frames": 80}
    wide = {
        "channels": 116
    }  # arms without trained FINs have a larger head, so that all arms have the same number of trained weights within 0.5 %
    return {
        "svm": Svm(),
        "mlp": Mlp(hidden=(256, 128), epochs=100, mixup=0.3, dropout=0.4),
        "shallow_cnn": ShallowCnn(epochs=60),
        "small_cnn": SmallCnn(epochs=80),
        "resnet18": Resnet18(epochs=30),
        "ast": Ast(epochs=30, frequency_stride=16, time_stride=16),
        "fin_librosa": FinEnsemble(arm="librosa", fins=(), **wide, **below),
        "fin_ensemble": FinEnsemble(init=FINS, **fins, **wide, **below),
        "fin_tuned": FinEnsemble(init=FINS, arm="tuned", fin_learning_rate=0.001, **fins, **below),
        "fin_formula": FinEnsemble(init=FINS, arm="formula", fin_learning_rate=0.001, **fins, **below),
        "fin_uninitialised": FinEnsemble(arm="uninitialised", fin_learning_rate=0.005, **fins, **below),
    }


def pretrained(section: SmallCnn | Resnet18 | Ast, trunk: str) -> ClassifierSection:
    """The same section, started from the pretrained encoder of the section `trunk`."""
    return section.model_copy(update={"init": f"{PRETRAINED}{trunk}"})


def fractions(name: str, section: ClassifierSection) -> dict[str, ClassifierSection]:
    """NAME_10, NAME_20, NAME_50: the same section on this percentage of the training speakers, the points of a learning curve."""
    return {f"{name}_{percent}": section.model_copy(update={"speakers": percent / 100}) for percent in (10, 20, 50)}


def ravdess(found: Found | None = None) -> Params:
    """Classifiers on RAVDESS alone, as in the published comparisons: the five published folds, and a random 80/20; three seeds.

    FINs are trained on a synthetic corpus. The preset has every model and arm, learning curves, and networks with a pretrained encoder
    beside the same networks from random weights, with all training speakers and with a fifth of them.
    It needs a GPU or a cluster: on a CPU, ResNet-18, AST and the arms whose FINs are trained take hours; leave them out of `models`.
    """
    sections = full() | fractions("svm", Svm()) | fractions("small_cnn", full()["small_cnn"])
    trunks = {"small_cnn": "small_cnn", "small_cnn_20": "small_cnn", "resnet18": "resnet18", "ast": "ast"}
    arms = (
        ("fin_tuned", "fin_formula"),
        ("fin_formula", "fin_uninitialised"),
        ("fin_tuned", "fin_uninitialised"),
        ("fin_tuned", "fin_ensemble"),
        ("fin_ensemble", "fin_librosa"),
    )
    sections |= {f"{name}_pretrained": pretrained(sections[name], trunk) for name, trunk in trunks.items()}
    return Params(
        preset="ravdess",
        folds=(1, 2, 3, 4, 5),
        seeds=(0, 1, 2),
        **_with_fin_corpus({"ravdess": (found or {}).get("ravdess", Download())}),
        split=Split(random_test=0.2, random_validation=0.08, speaker_validation=0.15),
        reference_fin=ReferenceFin(features=("rms", "zcr", "chroma", "mfcc", "mel")),
        **_classifiers(**sections),
        pretrain=Pretrain(trunks=tuple(dict.fromkeys(trunks.values()))),
        fusions=("small_cnn_seeds", "fused"),
        fuse_classifiers={
            "small_cnn_seeds": Fusion(members=("small_cnn",)),
            "fused": Fusion(members=("svm", "mlp", "small_cnn", "fin_ensemble"), method="stacked"),
        },
        summarise=Summarise(pairs=(*arms, *((f"{name}_pretrained", name) for name in trunks))),
    )


def encoders(found: Found | None = None) -> Params:
    """Frozen encoders on RAVDESS, the five published folds, beside the baseline, `small_cnn` and frozen FINs.

    Each encoder has a probe and a dense network on its layers. The dense network is fused with frozen FINs and `small_cnn`.
    """
    heads = {}
    for name in FROZEN:
        heads[f"{name}_probe"] = EncoderProbe(init=f"{PUBLISHED}{name}")
        heads[f"{name}_mlp"] = EncoderHead(init=f"{PUBLISHED}{name}")
    from_scratch = {name: full()[name] for name in ("svm", "small_cnn", "fin_ensemble")}
    fusions = {f"{name}_fused": Fusion(members=(f"{name}_mlp", "fin_ensemble", "small_cnn")) for name in FROZEN}
    return Params(
        preset="encoders",
        **_published_folds(found),
        features=Features(representations=("statistics",), encoders=FROZEN),
        fetch_weights={name: Weights() for name in FROZEN},
        **_classifiers(**from_scratch, **heads),
        fusions=tuple(fusions),
        fuse_classifiers=fusions,
        summarise=Summarise(pairs=tuple((f"{name}_mlp", "small_cnn") for name in FROZEN)),
    )


def finetune(found: Found | None = None) -> Params:
    """Fine-tuned encoders on RAVDESS, the five published folds, beside the same encoders frozen; for a GPU."""
    frozen = {f"{name}_mlp": EncoderHead(init=f"{PUBLISHED}{name}") for name in TUNED}
    options = {"precision": "bf16", "gradient_checkpointing": True}
    tuned = {f"{name}_tuned": EncoderTuned(init=f"{PUBLISHED}{name}", **options) for name in TUNED}
    tuned["wavlm_large_lora"] = EncoderTuned(init=f"{PUBLISHED}wavlm_large", lora_rank=8, encoder_learning_rate=0.0005, **options)
    return Params(
        preset="finetune",
        **_published_folds(found),
        features=Features(representations=("statistics",), encoders=TUNED),
        fetch_weights={name: Weights() for name in TUNED},
        **_classifiers(svm=Svm(), **frozen, **tuned),
        summarise=Summarise(pairs=tuple((f"{name}_tuned", f"{name}_mlp") for name in TUNED)),
    )


def _published_folds(found: Found | None) -> dict:
    """RAVDESS by speaker, in the five published folds; FINs are compared as little as possible, and no noise curves are computed."""
    return {
        "protocols": ("speaker",),
        "folds": (1, 2, 3, 4, 5),
        "split": Split(speaker_validation=0.15),
        "compare_fin": CompareFin(features=("rms",)),
        "reference_fin": ReferenceFin(features=("rms",)),
        "evaluate_classifier": EvaluateClassifier(noise=NoiseCurve(kinds=())),
        **_with_fin_corpus({"ravdess": (found or {}).get("ravdess", Download())}),
    }


def open_corpora() -> Params:
    """RAVDESS, CREMA-D and TESS from their publishers: no registration. Three folds, so that each corpus is once left out."""
    return Params(
        preset="open",
        protocols=("speaker", "random", "cross_corpus"),
        folds=(1, 2, 3),
        **_with_fin_corpus({corpus: Download() for corpus in ("ravdess", "crema_d", "tess")}),
        **_light(),
    )


def paper(found: Found | None = None) -> Params:
    """The published experiment's corpora: classifiers train on four (12,162 clips), FINs on ESD; five folds.

    In the published experiment FINs were trained on the four, and ESD was unseen: so they were trained on the classifiers' test clips.

    Published are 12,161 clips, less the silent one; the index also excludes the byte-identical ones, so that 12,154 are kept.
    Corpora in `found` are copied from there. SAVEE and ESD have no open download: otherwise `fetch` says how to get them.
    """
    corpora = ("ravdess", "crema_d", "tess", "savee", "esd")
    return Params(
        preset="paper",
        folds=(1, 2, 3, 4, 5),
        fetch={corpus: (found or {}).get(corpus, Download()) for corpus in corpora},
        **_light(),
    )


def local(found: Found) -> Params:
    """Classifiers on the corpora that were found, FINs on the corpus that :func:`_with_fin_corpus` chooses."""
    return Params(preset="local", **_with_fin_corpus(dict(found)), **_light())


def _with_fin_corpus(fetch: dict[str, Source]) -> dict:
    """Classifiers pool all corpora of `fetch`; FINs are trained on a synthetic corpus under a name that is free.

    TESS has two speakers, too few for FINs. If the other four names are taken, FINs are trained on ESD, and classifiers are not.
    """
    free = [name for name in ("esd", "savee", "crema_d", "ravdess") if name not in fetch]
    fin_corpus = free[0] if free else "esd"
    if not free:
        say("FINs are trained on esd, which no classifier is tested on; classifiers are trained on the others")
    sources = fetch if not free else {**fetch, fin_corpus: FIN_CORPUS}
    return {
        "fetch": sources,
        "corpora": tuple(sources),
        "pooled": tuple(name for name in sources if name != fin_corpus),
        "train_fin": TrainFin(data=FinData(corpora=(fin_corpus,))),
    }


def _light() -> dict:
    """Return the classifiers that a CPU trains on corpora of any size, and the pairs to compare."""
    return {**_classifiers(LIGHT, **full()), "summarise": Summarise(pairs=LIGHT_PAIRS)}


def _classifiers(run: tuple[str, ...] | None = None, **sections: ClassifierSection) -> dict:
    """The sections of classifiers, and which of them run: all by default."""
    return {"models": run or tuple(sections), **by_map(sections)}


def make(name: str, found: Found | None = None) -> Params:
    """The preset called `name`.

    Parameters
    ----------
    name : str
        demo, tiny, open, ravdess, encoders, finetune, paper or local.
    found : mapping of str to Local, optional
        Corpora in a folder of the user, for ravdess, encoders, finetune, paper and local.

    Raises
    ------
    FinserError
        An unknown name, or corpora for a preset that takes none, or none for one that needs them.
    """
    plain = {"demo": demo, "tiny": tiny, "open": open_corpora}
    in_folder = {"ravdess": ravdess, "encoders": encoders, "finetune": finetune, "paper": paper, "local": local}
    check_name(name, folder=found is not None)
    return plain[name]() if name in plain else in_folder[name](found)


def check_name(name: str, *, folder: bool) -> None:
    """Refuse an unknown preset, and one with a folder that takes none or without a folder that needs one."""
    known = ("demo", "tiny", "open", *IN_FOLDER)
    if name not in known:
        raise FinserError(f"unknown preset '{name}'", do=nearest(name, known))
    if folder and name not in IN_FOLDER:
        raise FinserError(f"the preset {name} takes no folder", do="finser preset local PATH, or ravdess PATH, or paper PATH")
    if not folder and IN_FOLDER.get(name):
        raise FinserError(f"the preset {name} needs a folder", do=f"finser preset {name} PATH")
