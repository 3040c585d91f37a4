"""What members of a bundle learned from before their training: the corpora of FINs and pretrained encoders, and published weights."""

from collections.abc import Iterable, Iterator

from finser import layout
from finser.config.fields import init_kind
from finser.config.params import Params
from finser.corpora.provenance import provenance
from finser.files import read_json
from finser.predict.bundle import Earlier

PATTERNS = {"fins": ("FINs", "fins/*/config.json"), "pretrained": ("pretraining", "*/*/config.json")}  # by the kind of `init`


def earlier(params: Params, models: Iterable[str]) -> tuple[Earlier, ...]:
    """Return what the initial weights of classifiers learned from, each corpus once per use.

    Parameters
    ----------
    params : Params
        The project's parameters.
    models : iterable of str
        Members of the bundle: sections of ``train_classifier`` or ``fine_tune``.
    """
    return tuple(dict.fromkeys(one for model in models for one in _of_model(params, model)))


def _of_model(params: Params, model: str) -> Iterator[Earlier]:
    kind, name = init_kind(params.classifiers[model].init)
    if kind == "weights":
        weights, known = params.weights_of(name), params.known_weights_of(name)
        title, citation = (known.title, known.citation) if known else (weights.repo or name, None)
        facts = {"licence": weights.licence, "source": weights.source, "citation": citation}
        yield Earlier(use="published weights", name=name, title=title, **facts)
    if kind in PATTERNS:
        use, pattern = PATTERNS[kind]
        for corpus in _corpora(model, pattern):
            said = provenance(params.fetch[corpus], corpus)
            yield Earlier(use=use, name=corpus, **{key: said[key] for key in ("title", "licence", "source")})


def _corpora(model: str, pattern: str) -> list[str]:
    """Return the corpora of the speakers that the files of initial weights name."""
    configs = (read_json(path) for path in layout.initial(model).glob(pattern))
    return sorted({speaker.split("/")[0] for config in configs for speaker in config["speakers"]})


def heard_by_fins(params: Params, name: str, protocol: str) -> int:
    """Return the number of test speakers of cross-validation on whose clips the FINs of a classifier or fusion were trained."""
    folder = layout.fusion_result if name in params.fusions else layout.classifier_result
    return sum(read_json(folder(name, protocol, fold) / "metrics.json")["n_test_speakers_heard_by_fins"] for fold in params.folds)
