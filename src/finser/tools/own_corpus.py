"""`finser corpora add`: register a table as an own corpus in params.yaml and local.yaml."""

import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from finser.config import locations, params
from finser.config.base import NAME
from finser.config.params import Params
from finser.config.reading import parse
from finser.config.sections.fetch import Table
from finser.corpora.recipes.write import RECIPES
from finser.corpora.tables.labels import emotion_of, proposed, unmapped
from finser.corpora.tables.listing import Listing, check_table
from finser.corpora.tables.reading import COLUMNS
from finser.errors import FinserError
from finser.tools.preset import FEWEST

PARAMS = Path("params.yaml")
LINE = 140  # width of params.yaml


@dataclass(frozen=True)
class Added:
    """What `finser corpora add` writes and prints.

    Attributes
    ----------
    params, places : str
        Texts of params.yaml and local.yaml.
    said : list of str
        What was found in the table, and which emotion each label has.
    """

    params: str
    places: str
    said: list[str]


def add(corpus: str, table: Path, root: Path | None = None, *, only: bool = False, columns: Sequence[str] = (), **facts: str) -> Added:
    """Check a table, and return params.yaml with a section for it, and local.yaml with its path.

    The corpus joins `corpora` and `pooled`. Labels that are no default emotion get the emotion of a common synonym; those without one are
    left out (null). Comments of params.yaml are kept.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    table : Path
        CSV, TSV or Parquet; see docs/own_corpora.md.
    root : Path, optional
        Folder to which its paths are relative; default: its own.
    only : bool
        Whether to take the other corpora out of params.yaml, except those that FINs are trained on.
    columns : sequence of str
        ``OURS=THEIRS``: columns that have another name in the table.
    **facts : str
        ``title``, ``licence``, ``home`` and ``language`` of the section; "" for none.

    Raises
    ------
    FinserError
        The name is no name or belongs to another corpus, the table is faulty, or params.yaml is not valid.
    """
    before = params.load(PARAMS)
    source, known = _section(before, corpus, columns, facts), locations.load()
    table = absolute(table)
    if root is None and known.corpora.get(corpus) == str(table):
        root = Path(known.roots.get(corpus, table.parent))  # the table is added again
    root = table.parent if root is None else absolute(root)
    listing = check_table(table, root, source, corpus, None)
    mapping = {**source.emotions, **proposals(unmapped(listing.clips["label"].to_pylist(), source.emotions), corpus, before.emotions)}
    dropped = sorted(set(before.corpora) - {corpus, *before.train_fin.data.corpora}) if only else []
    section = {"source": "table", **_stated(source), **({"emotions": mapping} if mapping else {})}
    pooled = [corpus] if only else [*before.pooled, *([] if corpus in before.pooled else [corpus])]
    text = with_section(PARAMS.read_text(encoding="utf-8"), corpus, section, pooled, dropped)
    _validated(text)
    others = {name: folder for name, folder in known.roots.items() if name != corpus}
    roots = others if root == table.parent else {**others, corpus: str(root)}
    places = locations.merged(known.model_copy(update={"roots": roots}), corpora={corpus: str(table)})
    return Added(text, places, list(summary(listing, Table.model_validate({**source.model_dump(), "emotions": mapping}), corpus, before)))


def absolute(path: Path) -> Path:
    """Return an absolute path; links stay, since paths in a table are relative to the link's folder."""
    return path.expanduser().absolute()


def _section(before: Params, corpus: str, columns: Sequence[str], facts: Mapping[str, str]) -> Table:
    """Return the section of a corpus, with the facts and columns that are given, and those that it has in params.yaml."""
    old = before.fetch.get(corpus)
    if old is not None and not isinstance(old, Table):
        raise FinserError(f"'{corpus}' is a corpus of params.yaml with the source {old.source}", do="take another name")
    if not re.fullmatch(NAME, corpus):
        raise FinserError("no name of a corpus", where=corpus, expected="lower-case letters, digits and _, beginning with a letter")
    given = {name: value for name, value in facts.items() if value}
    known = old.model_dump() if old else {}
    named = {"columns": {**known.get("columns", {}), **dict(map(_pair, columns))}}
    return Table.model_validate({**known, **given, **named})


def _pair(text: str) -> tuple[str, str]:
    """Return our name and the table's name of a column from a text ``OURS=THEIRS``."""
    ours, sign, theirs = text.partition("=")
    if not sign or ours not in COLUMNS or not theirs:
        raise FinserError("no pair of names", where=f"--column {text}", expected=f"OURS=THEIRS, where OURS is one of {', '.join(COLUMNS)}")
    return ours, theirs


def proposals(labels: Collection[str], corpus: str, classes: Sequence[str]) -> dict[str, str | None]:
    """Return one of the `classes` for each label: that of the recipe with the corpus's name, else a common synonym, else None."""
    suggested = RECIPES[corpus].EMOTIONS if corpus in RECIPES else {}
    of_recipe = {label: suggested[label] for label in labels if label in suggested}
    return proposed(labels, classes) | {label: emotion if emotion in classes else None for label, emotion in of_recipe.items()}


def _stated(source: Table) -> dict[str, Any]:
    """Return the facts of a section that differ from the defaults."""
    usual = Table()
    given = {name: getattr(source, name) for name in ("title", "licence", "home", "language", "columns")}
    return {name: value for name, value in given.items() if value != getattr(usual, name)}


def with_section(text: str, corpus: str, section: dict[str, Any], pooled: Sequence[str], dropped: Sequence[str] = ()) -> str:
    """Return params.yaml with a section under `fetch`, its name in `corpora`, and another `pooled`; comments and other lines stay.

    Corpora that are `dropped` leave `corpora` and `fetch`.
    """
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = LINE, True
    values = yaml.load(text)
    _set(values["corpora"], [*(name for name in values["corpora"] if name not in (corpus, *dropped)), corpus])
    _set(values["pooled"], pooled)
    new = CommentedMap(_quoted(section))
    new.fa.set_flow_style()
    _put(values["fetch"], corpus, new)
    for name in dropped:
        del values["fetch"][name]
    written = io.StringIO()
    yaml.dump(values, written)
    return written.getvalue()


def _quoted(value: Any) -> Any:
    """Return a section in which labels and texts of more than words are in quotes: without, ``{12:30: angry}`` cannot be read."""
    if isinstance(value, Mapping):
        return {_quoted(key): _quoted(inner) for key, inner in value.items()}
    return SingleQuotedScalarString(value) if isinstance(value, str) and not re.fullmatch(r"[\w ]*", value) else value


def _set(listed: list, names: Sequence[str]) -> None:
    """Replace the entries of a list, whose comment stays."""
    listed.clear()
    listed.extend(names)


def _put(sections: CommentedMap, corpus: str, new: CommentedMap) -> None:
    """Set a section; a new one comes before the comment that follows the last section."""
    if corpus in sections or not sections:
        sections[corpus] = new
        return
    last = list(sections)[-1]
    comment = sections.ca.items.pop(last, None)
    sections[corpus] = new
    if comment:
        sections.ca.items[corpus] = comment


def _validated(text: str) -> None:
    """Check params.yaml as it will be."""
    params.validate(parse(text, PARAMS))


def summary(listing: Listing, source: Table, corpus: str, before: Params) -> Iterator[str]:
    """Yield what was found in a table: clips, speakers, and the emotion of each label with its number of clips."""
    labels, speakers = Counter(listing.clips["label"].to_pylist()), set(listing.clips["speaker"].to_pylist())
    yield f"{corpus}: {listing.clips.num_rows:,} clips of {len(speakers):,} speakers in {len(listing.files):,} files"
    for label, n in sorted(labels.items(), key=lambda item: (-item[1], item[0])):
        emotion = emotion_of(label, source.emotions)
        note = "" if emotion is None or emotion in before.emotions else " (not in the key emotions of params.yaml: left out)"
        yield f"  {label!r}, {n:,} clips: {emotion or 'left out (null)'}{note}"
    if any(emotion is None for emotion in source.emotions.values()):
        yield f"to classify a label that is left out, name its emotion under fetch.{corpus}.emotions, and in the key emotions if it is new"
    if listing.unused:
        yield f"columns that are not used: {', '.join(listing.unused)}"
    if len(speakers) < FEWEST:
        yield f"under the protocol speaker, a corpus needs {FEWEST} speakers to be in training, validation and test"
