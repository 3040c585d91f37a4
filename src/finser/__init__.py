"""finser: reproducible speech emotion recognition, from recordings to a report, and to predictions.

Packages are in the order of the flow: corpora, synthetic, fetching, audio, splits, features, scores, training, fins, models, classifiers,
evaluation, summary, report, predict. A module imports only from its own package, from packages before it, and from the helpers (cards,
config, emotions, errors, files, hosts, layout, machine, progress, project, seeds, workers).
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Import :class:`finser.predict.hub.Predictor` when it is first asked for: it needs the libraries of the classifiers."""
    if name == "Predictor":
        from finser.predict.hub import Predictor

        return Predictor
    raise AttributeError(f"module 'finser' has no attribute '{name}'")
