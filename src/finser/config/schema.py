"""The schema of params.yaml under one name, for modules that still import its parts from here."""

# ruff: noqa: F401

from finser.config.base import (
    UNSEEN_BY_DVC,
    AstSize,
    CorpusName,
    Count,
    DecibelRange,
    Decibels,
    Feature,
    FloatRange,
    Fraction,
    LearningRate,
    Made,
    Name,
    Probability,
    Protocol,
    Seconds,
    SecondsRange,
    Section,
    Seed,
    Speed,
    SpeedRange,
    Variant,
    as_written,
    required,
    whole,
    with_defaults,
)
from finser.config.checks import (
    comparisons,
    contradictions,
    cross_corpus_folds,
    initial_weights,
    known_classifiers,
    known_corpora,
    known_fusions,
    known_pairs,
    labels_of_disturbed_frames,
    members,
    nothing_twice,
    trained_on,
    trunks,
)
from finser.config.dump import LINE, dump, resolved
from finser.config.fields import Fields, every_model, init_kind
from finser.config.params import Params, json_schema, load, validate
from finser.config.reading import DEEPEST, flow, read, shown
from finser.config.sections.augment import Augment, Babble, BandLimit, Gain, Noise, NoiseFile, NoiseSnr, Reverberation, SpeedPitch
from finser.config.sections.classifiers import (
    DEFAULT_VARIANTS,
    FINS,
    KINDS,
    PRETRAINED,
    PUBLISHED,
    WITH_FINS,
    AnyClassifier,
    Ast,
    Classifier,
    Classifiers,
    FinEnsemble,
    LogMel,
    Mlp,
    Network,
    Pooling,
    Resnet18,
    ShallowCnn,
    SmallCnn,
    SpectrogramAugment,
    SpectrogramNetwork,
    Svm,
    by_map,
    with_init,
)
from finser.config.sections.evaluate_classifier import EvaluateClassifier, NoiseCurve
from finser.config.sections.evaluate_fin import CompareFin, EndToEnd, EvaluateFin, ReferenceFin, Staged, Way
from finser.config.sections.fetch import CHECKSUM, SOURCES, Download, Local, Source, Synthetic
from finser.config.sections.fetch_weights import SUFFIX, Weights
from finser.config.sections.index import Index
from finser.config.sections.label import Label
from finser.config.sections.masks import Masks
from finser.config.sections.pretrain import Pretrain
from finser.config.sections.resample import Resample
from finser.config.sections.results import Fusion, Report, Summarise
from finser.config.sections.split import Split
from finser.config.sections.train_fin import Disturbance, Fin, FinData, TrainFin, TrainFrontEnd
