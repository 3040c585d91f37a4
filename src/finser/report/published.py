"""Figures of others, for orientation, and of SVMs for comparison: on recordings, under the protocols that they name."""

from dataclasses import dataclass

from finser.params import CorpusName
from finser.report.collect import Results
from finser.report.tables import table

FOUR: tuple[CorpusName, ...] = ("ravdess", "crema_d", "tess", "savee")
ONE_SPLIT = "random (LEAKY), 80/20; the best epoch was chosen on the test part"
FOUR_SPLIT = "random (LEAKY), 1,825 test clips, one seed"
APART = "no test speaker in training"
CHOSEN = f"{APART}; the checkpoint was chosen on the test actors"
ONE_TO_OTHER = f"{APART}: from one speaker to the other"
PEOPLE = "people, by voice alone"
FROZEN = "frozen self-supervised network and a head"
SMALL = "small networks, from scratch"
SVM = "SVM on summary statistics, for comparison"
SVM_211 = "SVM (RBF, C = 10) on 211 summary statistics, for comparison"


@dataclass(frozen=True)
class Published:
    """A figure as published; `value` is a share, with its deviation where that is known, or two for the least and the largest."""

    corpora: tuple[CorpusName, ...]
    system: str
    parameters: str
    protocol: str
    figure: str
    value: str


FIGURES = (
    Published(("ravdess",), "MLP on MFCC", "14 K", ONE_SPLIT, "WA", ".285"),
    Published(("ravdess",), "shallow CNN on mel", "94 K", ONE_SPLIT, "WA", ".208"),
    Published(("ravdess",), "ResNet-18 on mel", "11.2 M", ONE_SPLIT, "WA", ".688"),
    Published(("ravdess",), "AST base, begun from ImageNet, on filter banks", "87.1 M", ONE_SPLIT, "WA (macro-F1 .700)", ".708"),
    Published(FOUR, "librosa's features and a dense network", "", FOUR_SPLIT, "WA (macro-F1 .48)", ".513"),
    Published(FOUR, "FINs, frozen", "", FOUR_SPLIT, "WA (macro-F1 .47)", ".491"),
    Published(FOUR, "the same networks, not pre-trained", "", FOUR_SPLIT, "WA (macro-F1 .55)", ".520"),
    Published(FOUR, "FINs, tuned", "", FOUR_SPLIT, "WA (macro-F1 .65)", ".616"),
    Published(FOUR, SVM_211, "", FOUR_SPLIT, "WA (macro-F1 .70)", ".681"),
    Published(FOUR, SVM_211, "", APART, "WA (macro-F1 .48)", ".493"),
    Published(("ravdess",), PEOPLE, "", "listening", "share right", ".670"),
    Published(("ravdess",), SVM, "", APART, "WA", ".484"),
    Published(("ravdess",), SMALL, "47 K", APART, "UAR", ".623 ± .012"),
    Published(("ravdess",), FROZEN, "", APART, "UAR", ".52 to .75"),
    Published(("ravdess",), "the best found: XLSR, fine-tuned", "", CHOSEN, "UAR or WA", ".818"),
    Published(("crema_d",), PEOPLE, "", "listening", "share right", ".409"),
    Published(("crema_d",), SVM, "", f"{APART}, five folds", "WA", ".529"),
    Published(("crema_d",), "the best found: WavLM, fine-tuned", "", APART, "UAR or WA", ".751"),
    Published(("savee",), SVM, "", APART, "WA", ".444"),
    Published(("savee",), FROZEN, "", APART, "UAR", ".45 to .76"),
    Published(("savee",), "the best found", "", APART, "UAR or WA", ".758"),
    Published(("tess",), SVM, "", ONE_TO_OTHER, "WA", ".365"),
    Published(("tess",), "the best found", "", ONE_TO_OTHER, "UAR or WA", ".772"),
    Published(("esd",), FROZEN, "", APART, "UAR", ".65 to .85"),
    Published(("esd",), "the best found", "", APART, "UAR or WA", ".846"),
)
TITLES = {"ravdess": "RAVDESS", "crema_d": "CREMA-D", "tess": "TESS", "savee": "SAVEE", "esd": "ESD"}


def published(results: Results) -> str:
    """Figures on corpora of this run, and on all four; empty without RAVDESS, which most of them are about."""
    pooled = results.params.pooled
    if "ravdess" not in pooled:
        return ""
    shown = [one for one in FIGURES if one.corpora == FOUR or one.corpora[0] in pooled]
    rows = [[", ".join(TITLES[c] for c in one.corpora), one.system, one.parameters, one.protocol, one.figure, one.value] for one in shown]
    return table(["corpora", "system", "parameters", "protocol", "figure", "value"], rows, left=5)
