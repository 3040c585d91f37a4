"""Checks of what params.yaml relies on, before a run: local.yaml, the file of folds, and the optional package opensmile."""

from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from finser.config import locations
from finser.config.base import PublishedCorpus
from finser.config.params import Params
from finser.config.sections.features import OPEN_SMILE
from finser.config.sections.fetch import Local
from finser.config.sections.split import OwnFolds
from finser.errors import FinserError
from finser.files import checksum


def check_inputs(params: Params) -> None:
    """Raise an error for a mistyped corpus in local.yaml, another file of folds than params.yaml states, or opensmile that is missing."""
    check_folds(params.split.own)
    if set(OPEN_SMILE) & set(params.features.representations):
        check_open_smile()
    named = locations.load().corpora
    missing = [corpus for corpus, source in params.fetch.items() if isinstance(source, Local) and corpus not in named]
    for name in sorted(named.keys() - params.fetch.keys() - set(get_args(PublishedCorpus))):
        close = get_close_matches(name, missing, n=1, cutoff=0.8)
        if close:
            do = f"rename it, or name '{name}' under fetch in params.yaml"
            raise FinserError(f"corpora.{name} is no corpus of params.yaml", where=locations.FILE, expected=close[0], do=do)


def check_folds(own: OwnFolds | None) -> None:
    """Raise an error unless the file of folds, if params.yaml names one, is there and has the stated checksum."""
    if own is None:
        return
    path = Path(own.file)
    found = f"sha256:{checksum(path)}" if path.is_file() else None
    if found != own.checksum:
        new = "write this checksum to split.own.checksum, so that the new split replaces the old one"
        do = new if found else "name a file of the project"
        raise FinserError("another file of folds", where=path, expected=own.checksum, found=found or "no such file", do=do)


def check_open_smile() -> None:
    """Raise :class:`FinserError` if the package opensmile is not installed."""
    if find_spec("opensmile") is None:
        what = f"the package opensmile, which {' and '.join(OPEN_SMILE)} need, is not installed"
        raise FinserError(what, do='pip install "finser[opensmile]"; its licence allows private, research and educational use only')
