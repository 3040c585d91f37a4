"""Whole params.yaml files by name: what `finser preset NAME` writes."""

from finser.params import (
    ClassifierData, EvaluateClassifier, EvaluateFin, Fin, FinData, FinEnsemble, Mlp, Params, Synthetic, TrainClassifier,
    TrainFin, TrainFrontEnd,
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
    return Params(
        preset="tiny",
        corpora=("ravdess", "savee", "esd"),
        folds=(1,),
        fetch={
            "ravdess": Synthetic(speakers=5, clips_per_emotion=2),
            "savee": Synthetic(speakers=4, clips_per_emotion=2),
            "esd": Synthetic(speakers=2, clips_per_emotion=2),
        },
        train_front_end=TrainFrontEnd(adam_steps=100, lbfgs_rounds=0),
        train_fin=TrainFin(
            data=FinData(corpora=("ravdess", "savee"), frames=5_000),
            **{feature: Fin(steps=100, learning_rate=0.01) for feature in ("rms", "zcr", "chroma", "mel", "mfcc")},
        ),
        evaluate_fin=EvaluateFin(frames=1_000),
        train_classifier=TrainClassifier(
            data=ClassifierData(corpora=("ravdess", "savee")),
            mlp=Mlp(epochs=5),
            fin_ensemble=FinEnsemble(epochs=2, channels=16, variants=("original",)),
        ),
        evaluate_classifier=EvaluateClassifier(bootstrap=100),
    )
