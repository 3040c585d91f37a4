"""Sections `evaluate_fin`, `compare_fin` and `reference_fin`: how well FINs imitate, and other FINs to compare with."""

from typing import ClassVar, Literal

from pydantic import Field

from finser.config.base import Count, Feature, LearningRate, Probability, Section, Seed
from finser.config.sections.train_fin import FinSection

Way = Literal["closed_form", "staged", "end_to_end"]


class EvaluateFin(Section):
    """R2 in the feature's own unit, on test speakers and on unseen corpora."""

    frames: Count = Field(20_000, ge=2, description="frames per corpus, evenly spread over its clips")
    conditions: bool = Field(True, description="test also at other levels, in noise and at lower sampling rates")
    speed: bool = Field(True, description="measure the time per frame, of FIN and librosa")


class Staged(Section):
    """The mel FIN inside the MFCC FIN of `staged`. A change of train_fin.mel does not rerun the comparison of MFCC."""

    mel: FinSection = FinSection(steps=1500, batch_size=128, learning_rate=0.005)


class EndToEnd(FinSection):
    """Training of all weights of a FIN at once, from random initialisation, on the feature alone."""

    steps: Count = Field(6000, description="maximum number of steps, over which the learning rate decays")
    batch_size: Count = 128
    learning_rate: LearningRate = Field(0.04, description="of Adam; decays by 3 decades over the last four fifths of the steps")
    front_end: Literal["narrow", "wide"] = Field("wide", description="wide: 144,576 weights, easier to train; narrow: as in train_fin")
    excitation: Probability = Field(
        0.5, description="fraction of the frames that are synthetic (tones and bands of noise), with librosa's feature of these as target"
    )


class CompareFin(Section):
    """FINs with other initialisations and seeds, to measure what training contributes; no classifier uses them (docs/fins.md)."""

    in_files: ClassVar[tuple[str, ...]] = ("features", "ways", "seeds", "closed_form", "staged", "end_to_end")

    features: tuple[Feature, ...] = Field(("rms", "zcr", "chroma", "mfcc", "mel"), min_length=1, description="features to compare")
    ways: tuple[Way, ...] = Field(
        ("closed_form",),
        min_length=1,
        description="closed_form: initial weights from the formula; staged: as train_fin; end_to_end: random, all weights trained at once",
    )
    seeds: tuple[Seed, ...] = Field((0,), min_length=1, description="seeds of initial weights and draws, one FIN per seed")
    closed_form: FinSection = FinSection(steps=300, batch_size=64, learning_rate=0.001)
    staged: Staged = Staged()
    end_to_end: EndToEnd = EndToEnd()


class ReferenceFin(FinSection):
    """The published networks, trained by the same code on the same frames (docs/fins.md)."""

    in_files: ClassVar[tuple[str, ...]] = ("features", "seeds", "steps", "patience", "batch_size", "learning_rate")

    features: tuple[Feature, ...] = Field(
        ("rms", "zcr"), min_length=1, description="features; for chroma, mfcc and mel use a GPU: on a CPU a step takes seconds"
    )
    seeds: tuple[Seed, ...] = Field((0,), min_length=1, description="seeds of initial weights and draws, one network per seed")
    steps: Count = Field(2000, description="maximum number of steps, over which the learning rate decays")
    batch_size: Count = 128
    learning_rate: LearningRate = Field(0.001, description="of Adam; decays by 3 decades over the last four fifths of the steps")
