"""The keys of params.yaml, and values that are derived from several of them."""

from itertools import product
from typing import Any, ClassVar

from pydantic import Field

from finser.config.base import CorpusName, Count, Feature, Name, Protocol, Section, Seed, Variant
from finser.config.sections.augment import Augment
from finser.config.sections.classifiers import FINS, KINDS, PRETRAINED, PUBLISHED, Classifiers, ClassifierSection, by_map
from finser.config.sections.evaluate_classifier import EvaluateClassifier
from finser.config.sections.evaluate_fin import CompareFin, EvaluateFin, ReferenceFin
from finser.config.sections.features import Features
from finser.config.sections.fetch import Source
from finser.config.sections.fetch_weights import Weights
from finser.config.sections.index import Index
from finser.config.sections.known_weights import KNOWN, Known
from finser.config.sections.label import Label
from finser.config.sections.pretrain import Pretrain
from finser.config.sections.resample import Resample
from finser.config.sections.results import Fusion, Report, Summarise
from finser.config.sections.split import Split
from finser.config.sections.train_fin import TrainFin, TrainFrontEnd
from finser.emotions import EMOTIONS


def every_model() -> dict[str, ClassifierSection]:
    """A section of every kind that needs no published encoder, named as its model, with its defaults."""
    return {name: kind() for name, kind in KINDS.items() if not kind.needs_encoder}


class Fields(Section):
    """All of params.yaml."""

    in_files: ClassVar[tuple[str, ...]] = (
        *("corpora", "pooled", "emotions", "models", "fusions", "final", "protocols", "folds", "seeds", "seed"),
        *("fetch", "index", "resample", "augment"),
        *(
            "label",
            "features",
            "split",
            "train_front_end",
            "train_fin",
            "evaluate_fin",
            "compare_fin",
            "reference_fin",
            "fetch_weights",
            "pretrain",
        ),
        *("train_classifier", "fine_tune", "evaluate_classifier", "fuse_classifiers", "summarise"),
    )

    preset: str = Field("demo", description="name of the preset that wrote this file")
    corpora: tuple[CorpusName, ...] = Field(
        ("ravdess", "crema_d", "tess", "savee", "esd"), min_length=1, description="corpora to fetch and prepare"
    )
    pooled: tuple[CorpusName, ...] = Field(
        ("ravdess", "crema_d", "tess", "savee"), min_length=1, description="corpora on which classifiers are trained and tested, pooled"
    )
    emotions: tuple[Name, ...] = Field(EMOTIONS, min_length=2, description="classes, in order; clips of other emotions are left out")
    models: tuple[Name, ...] = Field(
        tuple(every_model()),
        min_length=1,
        description="classifiers to run: sections of train_classifier and fine_tune; svm is the baseline. To remove one, delete its name",
    )
    fusions: tuple[Name, ...] = Field((), description="late fusions to run: sections of fuse_classifiers")
    final: tuple[Name, ...] = Field((), description="classifiers of `models` to train on all speakers, too, for `finser bundle`")
    protocols: tuple[Protocol, ...] = Field(
        ("speaker", "random"),
        min_length=1,
        description="speaker: kept apart; random: by file, LEAKY; cross_corpus: one out; own: as stated; own_leaky: LEAKY",
    )
    folds: tuple[Count, ...] = Field(
        (1, 2),
        min_length=1,
        description="folds to run, of split.folds (cross_corpus: one per corpus of `pooled`; own: those that are stated)",
    )
    seeds: tuple[Seed, ...] = Field((0,), min_length=1, description="seeds of classifiers: one training per seed")
    seed: Seed = Field(0, description="seed of all other random draws")
    fetch: dict[CorpusName, Source] = Field(description="Source of each corpus")
    index: Index = Index()
    resample: Resample = Resample()
    augment: Augment = Augment()
    label: Label = Label()
    features: Features = Features()
    split: Split = Split()
    train_front_end: TrainFrontEnd = TrainFrontEnd()
    train_fin: TrainFin = TrainFin()
    evaluate_fin: EvaluateFin = EvaluateFin()
    compare_fin: CompareFin = CompareFin()
    reference_fin: ReferenceFin = ReferenceFin()
    fetch_weights: dict[Name, Weights] = Field(
        {}, description="Published weights: initial weights of classifiers, and encoders of speech (docs/encoders.md)"
    )
    pretrain: Pretrain = Pretrain()
    train_classifier: Classifiers = Field(
        by_map(every_model())["train_classifier"],
        description="Classifiers that start from random weights. Each section lists the values that differ from the defaults",
    )
    fine_tune: Classifiers = Field(
        by_map(every_model())["fine_tune"],
        description="Classifiers that start from trained weights, which `init` names. "
        "Each section lists the values that differ from the defaults",
    )
    evaluate_classifier: EvaluateClassifier = EvaluateClassifier()
    fuse_classifiers: dict[Name, Fusion] = Field({}, description="Late fusions")
    summarise: Summarise = Summarise()
    report: Report = Report()

    @property
    def classifiers(self) -> dict[str, ClassifierSection]:
        """The sections of ``train_classifier`` and ``fine_tune`` together."""
        return {**self.train_classifier, **self.fine_tune}

    @property
    def tested(self) -> tuple[str, ...]:
        """All that is tested: ``models``, then ``fusions``."""
        return (*self.models, *self.fusions)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The comparisons of ``summarise.pairs`` of which both sides are tested."""
        return tuple(pair for pair in self.summarise.pairs if set(pair) <= set(self.tested))

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Rows of every clip in data/shards: the original, and what ``augment.variants`` names."""
        return ("original", *self.augment.variants)

    @property
    def unseen_corpora(self) -> tuple[CorpusName, ...]:
        """Corpora that no FIN is trained on."""
        return tuple(corpus for corpus in self.corpora if corpus not in self.train_fin.data.corpora)

    @property
    def main_protocol(self) -> Protocol | None:
        """The first of ``protocols`` that keeps speakers apart within a corpus: its scores are those of a bundle."""
        return next((protocol for protocol in self.protocols if protocol in ("speaker", "own")), None)

    def seeds_of(self, model: str) -> tuple[int, ...]:
        """Seeds with which a classifier is trained: the first alone if its training draws nothing."""
        return self.seeds if self.classifiers[model].seeded else self.seeds[:1]

    def members_of(self, fusion: str) -> tuple[str, ...]:
        """The members of a fusion that ``models`` names."""
        return tuple(member for member in self.fuse_classifiers[fusion].members if member in self.models)

    def weights_of(self, name: str) -> Weights:
        """Return a section of ``fetch_weights``, completed from the table of known weights."""
        return self.fetch_weights[name].completed(name)

    def known_weights_of(self, name: str) -> Known | None:
        """Return the row of the table of known weights that a section of ``fetch_weights`` names, if it names one."""
        return KNOWN[name] if self.fetch_weights[name].source is None else None

    def corpora_of(self, model: str) -> frozenset[str]:
        """Corpora that a classifier, or the members of a fusion, train and test on."""
        section = self.members_of(model)[0] if model in self.fusions else model
        return frozenset(self.classifiers[section].corpora or self.pooled)

    def n_folds(self, protocol: Protocol) -> int:
        """Folds of a protocol's split: ``split.folds``, but under cross_corpus one per corpus that classifiers train on."""
        return len(self.pooled) if protocol == "cross_corpus" else self.split.folds

    def settings_of_fin(self, feature: Feature) -> dict[str, Any]:
        """Keys and values that the training of a FIN depends on, except its front end, as its config.json records them."""
        section = getattr(self.train_fin, feature)
        return {**self._settings_of_frames(), f"train_fin.{feature}": section.model_dump(mode="json")}

    def _settings_of_frames(self) -> dict[str, Any]:
        return {
            "augment.variants": list(self.augment.variants),
            "label": self.label.model_dump(mode="json"),
            "seed": self.seed,
            "train_fin.data": self.train_fin.data.model_dump(mode="json"),
        }

    @property
    def compared_fins(self) -> list[tuple[Feature, str, int]]:
        """Feature, way and seed of every FIN of ``compare_fin``, then of ``reference_fin``, whose way is ``reference``."""
        own, published = self.compare_fin, self.reference_fin
        return [*product(own.features, own.ways, own.seeds), *product(published.features, ["reference"], published.seeds)]

    def settings_of_compared(self, feature: Feature, way: str) -> dict[str, Any]:
        """Keys and values that the training of a FIN for comparison depends on, as its config.json records them."""
        if way == "reference":
            section = self.reference_fin.model_dump(mode="json", exclude={"features", "seeds"})
            return {**self._settings_of_frames(), "reference_fin": section}
        own = {f"compare_fin.{way}": getattr(self.compare_fin, way), "train_front_end": self.train_front_end}
        return {**self.settings_of_fin(feature), **{key: section.model_dump(mode="json") for key, section in own.items()}}

    def settings_of_trunk(self, trunk: str) -> dict[str, Any]:
        """Keys and values that the pretraining of an encoder depends on, as its config.json records them."""
        return {
            "pooled": list(self.pooled),
            "pretrain": self.pretrain.model_dump(mode="json", exclude={"trunks"}),
            "seed": self.seed,
            f"train_classifier.{trunk}": self.classifiers[trunk].model_dump(mode="json"),
        }


def init_kind(init: str | None) -> tuple[str, str]:
    """Return kind and name of an ``init``: ``("fins", "")``, ``("pretrained", TRUNK)``, ``("weights", NAME)``; ``("", "")`` for None."""
    if init is None:
        return "", ""
    prefix = next((prefix for prefix in (PRETRAINED, PUBLISHED) if init.startswith(prefix)), "")
    return ("fins", "") if init == FINS else (prefix.split("/")[1], init.removeprefix(prefix))
