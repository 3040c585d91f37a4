"""Versions of the libraries that can change results: a stage runs only with the versions that DVC records."""

from importlib.metadata import PackageNotFoundError, version

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
        for name, expected in graph.libraries(stage).items():
            found = installed(name)
            if found not in (None, expected):
                raise FinserError(
                    f"{name} {found} is installed",
                    where=LIBRARIES,
                    expected=f"{name} {expected}",
                    do=f"make environment; or, to compute with {found} from now on, write it into {LIBRARIES}",
                )


def installed(name: str) -> str | None:
    """Return the installed version without its local label (``2.13.0+cu130`` -> ``2.13.0``); None if there is none."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
