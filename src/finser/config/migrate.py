"""params.yaml of earlier versions of finser: recognised, and converted to the present format.

The earlier format named initial weights in a section ``initialise`` and by ``init: imitation`` with ``trunk``, or ``init: weights`` with
``weights``; it held paths of the user's machine, and numbers and sizes of the files there. The key ``family`` of published weights was
called ``kind``.
"""

from typing import Any

from finser.config.sections.classifiers import FINS, PRETRAINED, PUBLISHED, WITH_FINS

OLD_INIT = ("scratch", "imitation", "weights")
MEASURED = ("files", "bytes", "digest")  # of the content of a folder
SECTION_KEYS = {"fetch": ("path", *MEASURED), "fetch_weights": ("path", "kind"), "train_classifier": ("trunk", "weights")}
RENAMED = {"speed_share": "speed_fraction", "noise_share": "noise_fraction"}  # keys of a classifier's `augment`


def old_keys(values: Any) -> list[str]:
    """The keys of the earlier format among `values`, dotted; empty for the present format, and for what is no params.yaml at all."""
    if not isinstance(values, dict):
        return []
    found = ["initialise"] if "initialise" in values else []
    for name, keys in SECTION_KEYS.items():
        for section, options in _sections(values.get(name)).items():
            found += [f"{name}.{section}.{key}" for key in keys if key in options]
            found += [f"{name}.{section}.init"] if name == "train_classifier" and options.get("init") in OLD_INIT else []
    noise = _sections(values.get("augment")).get("noise_file", {})
    return found + [f"augment.noise_file.{key}" for key in ("folder", *MEASURED) if key in noise]


def convert(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values of the earlier format as values of the present one, and the paths in them as local.yaml holds them.

    Parameters
    ----------
    values : dict
        As :func:`finser.config.reading.read` gives them.

    Returns
    -------
    tuple of dict
        All choices of `values`, and ``corpora``, ``noise`` and ``weights`` with their paths, as far as there are any.
    """
    new = {name: value for name, value in values.items() if name != "initialise"}
    places: dict[str, Any] = {}
    for name, kind in (("fetch", "corpora"), ("fetch_weights", "weights")):
        if name in new:
            new[name] = {section: _without(options, "path", *MEASURED) for section, options in new[name].items()}
            paths = {section: options["path"] for section, options in values[name].items() if _has(options, "path")}
            places |= {kind: paths} if paths else {}
    if "fetch_weights" in new:
        new["fetch_weights"] = {name: _with_family(options) for name, options in new["fetch_weights"].items()}
    noise = _sections(new.get("augment")).get("noise_file", {})
    if noise:
        new["augment"] = {**new["augment"], "noise_file": _without(noise, "folder", *MEASURED)}
        places |= {"noise": noise["folder"]} if noise.get("folder") else {}
    return {**new, **_two_maps(new.get("train_classifier", {}), new.get("fine_tune", {}))}, places


def _two_maps(train: dict[str, Any], tune: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The sections of classifiers by whether they start from trained weights."""
    sections = {name: _with_init(options) for name, options in {**train, **tune}.items()}
    return {
        "train_classifier": {name: options for name, options in sections.items() if not _has(options, "init")},
        "fine_tune": {name: options for name, options in sections.items() if _has(options, "init")},
    }


def _with_init(options: Any) -> Any:
    """A section with ``init`` as the present format writes it, or without it for random weights."""
    if not isinstance(options, dict):
        return options
    new, init = _without(options, "init", "trunk", "weights"), options.get("init")
    if isinstance(new.get("augment"), dict):
        new["augment"] = {RENAMED.get(name, name): value for name, value in new["augment"].items()}
    if init == "imitation":
        return {**new, "init": f"{PRETRAINED}{options.get('trunk')}"}
    if init == "weights":
        return {**new, "init": f"{PUBLISHED}{options.get('weights')}"}
    if options.get("model") == "fin_ensemble" and options.get("arm", "frozen") in WITH_FINS:
        return {**new, "init": FINS}
    return new if init in (None, "scratch") else {**new, "init": init}


def _with_family(options: Any) -> Any:
    """A section of fetch_weights with ``family``, which was called ``kind``."""
    return {"family" if key == "kind" else key: value for key, value in options.items()} if isinstance(options, dict) else options


def _without(options: Any, *keys: str) -> Any:
    return {name: value for name, value in options.items() if name not in keys} if isinstance(options, dict) else options


def _has(options: Any, key: str) -> bool:
    return isinstance(options, dict) and options.get(key) is not None


def _sections(value: Any) -> dict[str, dict]:
    """The entries of a map that are sections."""
    return {name: entry for name, entry in value.items() if isinstance(entry, dict)} if isinstance(value, dict) else {}
