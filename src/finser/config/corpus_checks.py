"""Checks of corpora, emotions and folds across sections of params.yaml; see :mod:`finser.config.checks`."""

import re
from collections.abc import Iterator
from typing import get_args

from finser.config.base import OWN, PublishedCorpus
from finser.config.contradiction import Contradiction, sections
from finser.config.fields import Fields
from finser.config.sections.fetch import Table
from finser.errors import nearest


def known_corpora(params: Fields) -> Iterator[Contradiction]:
    """Corpora that are named exist."""
    for where, named in (
        ("fetch", params.fetch),
        ("train_fin.data.corpora", params.train_fin.data.corpora),
        ("pooled", params.pooled),
    ):
        for corpus in named:
            if corpus not in params.corpora:
                line = f"{where} names '{corpus}', which is not in corpora; {nearest(corpus, params.corpora)}"
                yield Contradiction(line, (where, "corpora"))
    for corpus in params.corpora:
        if corpus not in params.fetch:
            line = f"corpora names '{corpus}', which has no source under fetch; {nearest(corpus, params.fetch)}"
            yield Contradiction(line, ("corpora", f"fetch.{corpus}"))


def sources(params: Fields) -> Iterator[Contradiction]:
    """Published corpora have a source of published files, and own corpora have a table and a name of their own."""
    published = get_args(PublishedCorpus)
    for corpus, source in params.fetch.items():
        where = f"fetch.{corpus}"
        if corpus in published and isinstance(source, Table):
            line = f"{where} has the source table, and {corpus} is a published corpus: take another name for your own"
            yield Contradiction(line, (where,))
        elif corpus not in published and not isinstance(source, Table):
            line = f"{where} has the source {source.source}, which is for published corpora, and {corpus} is none: an own one has table"
            yield Contradiction(line, (where,))


def titles(params: Fields) -> Iterator[Contradiction]:
    """The report names corpora by title: no own corpus has the title of another corpus, or that of the row of totals."""
    taken = {"all": "the row of totals in the report", **{_plain(name): f"the corpus {name}" for name in get_args(PublishedCorpus)}}
    for corpus, source in params.fetch.items():
        if not isinstance(source, Table) or corpus in get_args(PublishedCorpus):  # `sources` reports the latter
            continue
        title = source.title or corpus
        other = taken.setdefault(_plain(title), f"fetch.{corpus}")
        if other != f"fetch.{corpus}":
            yield Contradiction(
                f"fetch.{corpus} has the title '{title}', which {other} has, too: add the key title, or change it", ("fetch",)
            )


def _plain(title: str) -> str:
    """Return a title without case and punctuation: CREMA-D and crema_d are one."""
    return re.sub(r"[\W_]+", "", title).lower()


def emotions_of_tables(params: Fields) -> Iterator[Contradiction]:
    """Labels of tables become classes of the classifiers, or are left out."""
    for corpus, source in params.fetch.items():
        named = source.emotions.values() if isinstance(source, Table) else ()
        for emotion in sorted({emotion for emotion in named if emotion} - set(params.emotions)):
            line = (
                f"fetch.{corpus}.emotions names '{emotion}', which is not in emotions: add it there, or write null to leave its clips out"
            )
            yield Contradiction(line, (f"fetch.{corpus}.emotions", "emotions"))


def known_folds(params: Fields) -> Iterator[Contradiction]:
    """Folds that are named exist; under `own`, tables and the file of folds say how many there are."""
    drawn = set(params.protocols) - {*OWN, "cross_corpus"}
    for where, folds, keys in (
        ("folds", params.folds if drawn else (), ["protocols"]),
        ("train_fin.data.fold", [params.train_fin.data.fold], []),
    ):
        for fold in folds:
            if fold > params.split.folds:
                line = f"fold {fold} does not exist: split.folds is {params.split.folds}"
                yield Contradiction(line, (where, "split.folds", *keys))


def own_splits(params: Fields) -> Iterator[Contradiction]:
    """Under `own`, a table or a file states a split."""
    own = [protocol for protocol in params.protocols if protocol in OWN]
    tables = [corpus for corpus in params.pooled if isinstance(params.fetch.get(corpus), Table)]
    if own and not tables and params.split.own is None:
        line = (
            f"protocols names {own[0]}, but pooled has no own corpus whose table could state a split, and split.own names no file of folds"
        )
        yield Contradiction(line, ("protocols", "pooled", "split.own", "fetch"))


def cross_corpus_folds(params: Fields) -> Iterator[Contradiction]:
    """Under cross_corpus every fold has a corpus to test on and others to train on."""
    if "cross_corpus" not in params.protocols:
        return
    count = len(params.pooled)
    if count < 2:
        line = "protocols names cross_corpus, which needs two or more corpora in pooled; there is one"
        yield Contradiction(line, ("protocols", "pooled"))
        return
    for fold in params.folds:
        if fold > count:
            line = f"folds names {fold}, and cross_corpus has {count}: one per corpus of pooled"
            yield Contradiction(line, ("protocols", "pooled", "folds"))
        else:
            yield from _trained_and_tested(params, params.pooled[fold - 1])


def _trained_and_tested(params: Fields, left_out: str) -> Iterator[Contradiction]:
    for where, options in sections(params):
        corpora = options.corpora
        if where.split(".")[1] in params.models and corpora is not None and (left_out not in corpora or len(set(corpora)) < 2):
            line = (
                f"protocols names cross_corpus, a fold of which tests on {left_out} alone and trains on other corpora; "
                f"{where}.corpora must name {left_out} and another one, or be left out"
            )
            yield Contradiction(line, ("protocols", "pooled", "folds", "models", f"{where}.corpora"))
