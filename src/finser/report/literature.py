"""Published values of others on the same corpora, each with its source and its split."""

from dataclasses import dataclass

from finser.config.base import PublishedCorpus
from finser.report.read import Results
from finser.report.tables import table

FOUR: tuple[PublishedCorpus, ...] = ("ravdess", "crema_d", "tess", "savee")
ONE_SPLIT = "random (LEAKY), 80/20; the best epoch was chosen on the test part"
FOUR_SPLIT = "random (LEAKY), 1,825 test clips, one seed"
APART = "no test speaker in training"
CHOSEN = f"{APART}; the checkpoint was chosen on the test speakers"
FIVE = f"{APART}; the five folds of this page"
ONE_TO_OTHER = f"{CHOSEN}; from the older woman to the younger; none of the happy clips was recognised"
PEOPLE = "people, by voice alone"
ON_CLIPS = f"{APART}; validated on a fifth of the training clips"
FINS = "hl2347, github.com/hl2347/fin_speech_emotion_recognition (0334a0d): logs of its runs"
WEEKS = "shavenheadwarning, github.com/shavenheadwarning/EmotionRecognition (0869b69): its weekly records"
EMOBOX = "Ma et al. 2024, Interspeech, arXiv:2406.07162, table 4"
LUNA = "Luna-Jiménez et al. 2022, Applied Sciences 12(1) 327, doi:10.3390/app12010327, table 1"
CAO = "Cao et al. 2014, IEEE Trans. Affective Computing 5(4), doi:10.1109/TAFFC.2014.2336244"
EMOBOX_FOLDS: dict[PublishedCorpus, int] = {"ravdess": 6, "savee": 4, "esd": 5}
EMOBOX_UARS = {  # in the order of EMOBOX_FOLDS; its other corpora of these five share speakers between training and test
    "wav2vec 2.0 base": (".543", ".449", ".692"),
    "HuBERT base": (".654", ".589", ".724"),
    "HuBERT large": (".700", ".719", ".759"),
    "WavLM base": (".616", ".636", ".729"),
    "WavLM large": (".720", ".667", ".791"),
    "data2vec base": (".519", ".757", ".651"),
    "data2vec large": (".593", ".680", ".720"),
    "data2vec 2.0 base": (".647", ".727", ".734"),
    "data2vec 2.0 large": (".712", ".758", ".768"),
    "Whisper large-v3": (".753", ".741", ".846"),
}


@dataclass(frozen=True)
class PublishedScore:
    """A value as published.

    Attributes
    ----------
    score : str
        UAR, WA or another name of the value.
    value : str
        A fraction, with its ± as the source has it; or the minimum and the maximum of several.
    source : str
        The authors as they name themselves, and a DOI, arXiv number or address; year and commit where they are known.
    """

    corpora: tuple[PublishedCorpus, ...]
    system: str
    parameters: str
    protocol: str
    score: str
    value: str
    source: str


VALUES = (
    PublishedScore(("ravdess",), "MLP on MFCC", "14 K", ONE_SPLIT, "WA", ".285", WEEKS),
    PublishedScore(("ravdess",), "shallow CNN on mel", "94 K", ONE_SPLIT, "WA", ".208", WEEKS),
    PublishedScore(("ravdess",), "ResNet-18 on mel", "11.2 M", ONE_SPLIT, "WA", ".688", WEEKS),
    PublishedScore(("ravdess",), "AST base from ImageNet, on filter banks", "87.1 M", ONE_SPLIT, "WA (macro-F1 .700)", ".708", WEEKS),
    PublishedScore(FOUR, "librosa's features and a dense network", "", FOUR_SPLIT, "WA (macro-F1 .48)", ".513", FINS),
    PublishedScore(FOUR, "FINs, frozen", "", FOUR_SPLIT, "WA (macro-F1 .47)", ".491", FINS),
    PublishedScore(FOUR, "the same networks, not pretrained", "", FOUR_SPLIT, "WA (macro-F1 .55)", ".520", FINS),
    PublishedScore(FOUR, "FINs, tuned", "", FOUR_SPLIT, "WA (macro-F1 .65)", ".616", FINS),
    PublishedScore(("ravdess",), PEOPLE, "", "listening", "fraction recognised", ".670", f"as tabulated by {LUNA}"),
    PublishedScore(
        ("ravdess",),
        "LSTM with self-attention on MFCC and chroma",
        "47 K",
        f"{APART}, 5 folds, 10 runs; normalised by all data",
        "UAR",
        ".623 ± .012 (± as given)",
        "github.com/Mak-Sim/ResLSTM-SER, arXiv:2606.03359",
    ),
    PublishedScore(("ravdess",), "XLSR-53, frozen, and an MLP", "", FIVE, "WA", ".565 (95 %: ± .026)", LUNA),
    PublishedScore(("ravdess",), "XLSR-53, fine-tuned", "", f"{CHOSEN}; the five folds of this page", "WA", ".818 (95 %: ± .020)", LUNA),
    PublishedScore(("crema_d",), PEOPLE, "", "listening", "fraction recognised", ".409", CAO),
    PublishedScore(
        ("crema_d",),
        "WavLM base+ with attention, fine-tuned",
        "",
        f"{CHOSEN}, 5 folds",
        "WA",
        ".751 ± .023 (± as given)",
        "YunusEmre1213, github.com/YunusEmre1213/crema-d-emotion-recognition",
    ),
    PublishedScore(("tess",), "CNN", "", ONE_TO_OTHER, "WA", ".772", "zubiiabbasi, github.com/zubiiabbasi/speech-emotion-gradcam"),
)
TITLES = {"ravdess": "RAVDESS", "crema_d": "CREMA-D", "tess": "TESS", "savee": "SAVEE", "esd": "ESD"}


def published_scores(results: Results) -> str:
    """Values on corpora of this run, and on all four; empty without RAVDESS, which most of them are about."""
    pooled = results.params.pooled
    if "ravdess" not in pooled:
        return ""
    shown = [one for one in (*VALUES, *_of_emobox()) if one.corpora == FOUR or one.corpora[0] in pooled]
    shown.sort(key=lambda one: tuple(TITLES).index(one.corpora[0]))
    rows = [
        [", ".join(TITLES[c] for c in one.corpora), one.system, one.parameters, one.protocol, one.score, one.value, one.source]
        for one in shown
    ]
    return table(["corpora", "system", "parameters", "protocol", "score", "value", "source"], rows, left=5)


def _of_emobox() -> list[PublishedScore]:
    """Every encoder of EmoBox on every corpus that it tests on other speakers."""
    return [
        PublishedScore((corpus,), f"{encoder}, frozen, and a small head", "", f"{ON_CLIPS}; {folds} folds", "UAR", uars[place], EMOBOX)
        for place, (corpus, folds) in enumerate(EMOBOX_FOLDS.items())
        for encoder, uars in EMOBOX_UARS.items()
    ]
