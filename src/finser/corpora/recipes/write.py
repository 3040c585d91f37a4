"""Write the table of a data set: a CSV file with a line per clip, by the recipe of that name."""

import csv
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from pathlib import Path

from finser.corpora.recipes import emodb, emovo, hugging_face, iemocap, meld, msp_podcast, urdu
from finser.corpora.recipes.checks import refuse
from finser.corpora.tables.reading import COLUMNS, REQUIRED
from finser.errors import FinserError, nearest
from finser.files import whole_file

RECIPES = {
    "emodb": emodb,
    "emovo": emovo,
    "hugging_face": hugging_face,
    "iemocap": iemocap,
    "meld": meld,
    "msp_podcast": msp_podcast,
    "urdu": urdu,
}


def write(name: str, folder: Path, target: Path, **options: object) -> int:
    """Write the table of a data set, whole or not at all, and return its number of clips.

    The lines are sorted by path. Columns that are empty in every line are left out.

    Parameters
    ----------
    name : str
        The recipe, a key of :data:`RECIPES`.
    folder : Path
        The data set, in the publisher's layout.
    target : Path
        The CSV file to write.
    **options
        Options of the recipe's ``rows``.

    Raises
    ------
    FinserError
        There is no such recipe, or the folder does not hold what the recipe expects.
    """
    rows = sorted(recipe(name)(folder, **options), key=lambda row: row["path"])
    check(rows, folder)
    columns = [column for column in COLUMNS if any(row.get(column) for row in rows)]
    with whole_file(target) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def recipe(name: str) -> Callable[..., Iterator[dict[str, str]]]:
    """Return the function ``rows`` of a recipe.

    Raises
    ------
    FinserError
        There is no recipe of that name.
    """
    if name not in RECIPES:
        raise FinserError(f"no recipe for '{name}'", do=nearest(name, RECIPES))
    return RECIPES[name].rows


def options_of(name: str, given: Sequence[str]) -> dict[str, object]:
    """Return the options of a recipe from texts ``NAME=VALUE``; several values are separated by commas.

    Raises
    ------
    FinserError
        A text has another form, or the recipe has no option of that name.
    """
    known = {option: one.default for option, one in signature(recipe(name)).parameters.items() if one.default is not one.empty}
    options: dict[str, object] = {}
    for text in given:
        option, sign, value = text.partition("=")
        if not sign or option not in known:
            do = nearest(option, known) if known else f"{name} has no options"
            raise FinserError(f"--option {text}: no option of the recipe {name}", expected="NAME=VALUE", do=do)
        options[option] = tuple(value.split(",")) if isinstance(known[option], tuple) else value
    return options


def check(rows: list[dict[str, str]], folder: Path) -> None:
    """Check that there are rows, that each has what a table needs, that no file occurs twice, and that UTF-8 can write all names.

    Raises
    ------
    FinserError
        One of these fails.
    """
    if not rows:
        raise FinserError("no clip is left for the table", where=folder, do="see above what was left out")
    for column in REQUIRED:
        refuse(f"clips without {column}", folder, [row["path"] for row in rows if not row.get(column)], "complete the labels")
    paths = [row["path"] for row in rows]
    refuse("files that occur twice", folder, [one for one, other in zip(paths, paths[1:], strict=False) if one == other], "")
    strange = [ascii(path) for path in paths if path != path.encode(errors="replace").decode()]
    refuse("names that are not UTF-8", folder, strange, "rename these files")
