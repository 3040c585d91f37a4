"""Versions of the libraries that can change results: a stage runs only with the versions that DVC records."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from finser.errors import FinserError
from finser.project.code import packages
from finser.project.graph import LIBRARIES, Graph

IMPORTED_AS = {"scikit-learn": "sklearn", "python-stretch": "python_stretch", "espeakng-loader": "espeakng_loader"}


def versions_of(modules: list[str]) -> dict[str, str]:
    """Return the installed versions of the libraries that some modules of finser import, by distribution name, sorted."""
    names = {imported: name for name, imported in IMPORTED_AS.items()}
    found = {names.get(imported, imported): installed(names.get(imported, imported)) for imported in packages(modules)}
    return {name: found[name] for name in sorted(found) if found[name] is not None}


def check(graph: Graph, *stages: str) -> None:
    """Raise an error if library versions differ from workflow/libraries.yaml, which DVC records with the results.

    A library that is not installed raises its error in the stage that needs it.

    Raises
    ------
    FinserError
        Another version of a library is installed.
    """
    for stage in stages:
        check_versions(graph.libraries(stage), LIBRARIES)


def check_versions(expected: dict[str, str], where: Path | str) -> None:
    """Raise an error if another version of a library is installed than `expected` names; `where` is the file that names it.

    Raises
    ------
    FinserError
        Another version of a library is installed.
    """
    for name, wanted in expected.items():
        found = installed(name)
        if found not in (None, wanted):
            raise FinserError(
                f"{name} {found} is installed",
                where=where,
                expected=f"{name} {wanted}",
                do=f"make environment; or, to compute with {found} from now on, write it into {LIBRARIES} and run: dvc repro",
            )


def installed(name: str) -> str | None:
    """Return the installed version without its local label (``2.13.0+cu130`` -> ``2.13.0``); None if there is none."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
