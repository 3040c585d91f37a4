"""Machine settings of the trainings, and which models were trained with different ones."""

from collections.abc import Iterator

from finser.machine import SETTINGS
from finser.report import tables
from finser.report.read import Results

TITLES = {
    "threads": "threads",
    "cpu_capability": "vector instructions (torch)",
    "blas": "kernels of OpenBLAS",
    "cpu": "CPU",
    "device": "device",
    "gpu": "GPU",
}


def trained_under(results: Results) -> str:
    """Every setting with all its values."""
    found = _values(results)
    rows = [[title, ", ".join(found[name])] for name, title in TITLES.items() if found.get(name)]
    return tables.table(["setting", "values"], rows)


def unlike(results: Results) -> list[str]:
    """A line for every setting with several values: each value with its models. Empty if all models have the same settings."""
    names = {**TITLES, **{name: name.removeprefix("versions ") for name in _values(results) if name.startswith("versions ")}}
    lines, every = [], _values(results)
    for name, title in names.items():
        values = {value: [model for model in models if _may_differ(results, name, model)] for value, models in every.get(name, {}).items()}
        values = {value: models for value, models in values.items() if models}
        if len(values) > 1:
            lines.append(f"{title}: " + "; ".join(f"{value} ({', '.join(models)})" for value, models in values.items()))
    return lines


def _may_differ(results: Results, name: str, model: str) -> bool:
    """Whether a difference in a setting counts: threads do not for an SVM, nor the device for models that never use a GPU."""
    section = results.params.classifiers.get(model)
    return section is None or (section.on_gpu if name in ("device", "gpu") else section.by_gradient or name != "threads")


def versions(results: Results) -> str:
    """Versions of the environment that wrote the page, and of those that the models were trained in."""
    found = _values(results)
    trained = {name.removeprefix("versions "): ", ".join(values) for name, values in found.items() if name.startswith("versions ")}
    names = list(dict.fromkeys([*results.versions, *trained]))
    rows = [[name, results.versions.get(name, "–"), trained.get(name, "–")] for name in names]
    return tables.table(["software", "this page", "training"], rows)


def _values(results: Results) -> dict[str, dict[str, list[str]]]:
    """Setting -> value -> models, in the order of the page; the version of a library is the setting ``versions NAME``."""
    found: dict[str, dict[str, list[str]]] = {}
    for model, settings in _models(results):
        flat = {name: settings[name] for name in SETTINGS if name != "versions"}
        flat |= {f"versions {name}": value for name, value in settings["versions"].items()}
        for name, value in flat.items():
            if value is not None:
                models = found.setdefault(name, {}).setdefault(str(value), [])
                if model not in models:
                    models.append(model)
    return found


def _models(results: Results) -> Iterator[tuple[str, dict]]:
    """Name and settings of every training, FINs first. Late fusions have no training."""
    for fin in results.fins:
        for settings in fin.figures["trained_under"]:
            yield f"FIN {fin.feature}", settings
    for one in results.compared:
        for settings in one["trained_under"]:
            yield f"FIN {one['feature']} {one['way']}", settings
    for run in results.runs:
        for settings in run.figures.get("trained_under", []):
            yield run.model, settings
