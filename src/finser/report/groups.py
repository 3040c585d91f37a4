"""Groups of classifiers: by what each is trained from. Tables and pictures show the groups in this order."""

from finser.config.fields import init_kind
from finser.config.params import Params

BASELINES, FUSIONS = "baseline", "late fusion"
TRAINED = {  # kind of `init` -> group
    "": "from scratch",
    "pretrained": "pretrained: imitation",
    "fins": "pretrained: FINs",
    "weights": "pretrained: published",
}
GROUPS = (BASELINES, *TRAINED.values(), FUSIONS)
BASELINE_KINDS = ("svm", "mlp")


def group_of(params: Params, name: str) -> str:
    """Return the group of a classifier or of a late fusion.

    Examples
    --------
    ``svm`` -> ``baseline``; a section of fine_tune with ``init: models/fins`` -> ``pretrained: FINs``.
    """
    if name in params.fusions:
        return FUSIONS
    section = params.classifiers[name]
    return BASELINES if section.model in BASELINE_KINDS else TRAINED[init_kind(section.init)[0]]


def grouped(params: Params, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return classifiers and late fusions in the order of their groups; within a group the order stays."""
    return tuple(sorted(names, key=lambda name: GROUPS.index(group_of(params, name))))
