"""Captions of the page: corpora, folds, FINs, and how it was run. One idea per sentence; no number is computed here."""

from collections.abc import Collection

from finser.config.base import OWN
from finser.config.params import Params
from finser.report import tables
from finser.report.read import Results, SplitCounts

PUBLISHED_NETS = (
    "github.com/hl2347/fin_speech_emotion_recognition, after Saba-Sadiya, Alhanai and Ghassemi 2021, arXiv:2110.04831"  # their source
)


def sentences(*parts: str) -> str:
    """Parts of a caption in one line; empty parts, of conditions that do not hold, are left out."""
    return " ".join(part for part in parts if part)


def when(condition: object, sentence: str) -> str:
    """The sentence if `condition` holds; else empty."""
    return sentence if condition else ""


def plural(number: int, one: str, more: str) -> str:
    """The word for one thing, or the word for several."""
    return one if number == 1 else more


def names(results: Results, corpora: Collection[str]) -> str:
    """Titles of corpora, ``RAVDESS, TESS``, in the order of the page."""
    return ", ".join(corpus.title for corpus in results.corpora if corpus.name in corpora)


def synthetic_titles(results: Results, corpora: Collection[str]) -> list[str]:
    """Titles of the synthetic corpora among `corpora`."""
    return [corpus.title for corpus in results.corpora if corpus.name in corpora and corpus.source == "synthetic"]


def synthetic_label(results: Results, corpora: Collection[str]) -> str:
    """Return the note on synthetic speech for the caption of a table over `corpora`; empty for recordings."""
    synthetic = synthetic_titles(results, corpora)
    if not synthetic:
        return ""
    return " (synthetic speech)" if len(synthetic) == len(corpora) else f" (partly synthetic speech: {', '.join(synthetic)})"


def opening(results: Results) -> str:
    """The run in three sentences: corpora, FINs, classifiers."""
    params, unseen = results.params, results.params.unseen_corpora
    n_corpora, n_models, n_protocols = len(results.corpora), len(params.models), len(params.protocols)
    *first, last = [tables.PROTOCOL_TITLES[protocol] for protocol in params.protocols]
    protocols = f"{', '.join(first)} and {last}" if first else last
    folds = f"{plural(len(params.folds), 'fold', 'folds')} {', '.join(map(str, params.folds))}{_number_of_folds(params)}"
    seeds = f", with {len(params.seeds)} seeds," if len(params.seeds) > 1 else ""
    lines = [
        f"Preset `{' '.join(params.preset.split())}`, seed {params.seed}. {sum(corpus.kept for corpus in results.corpora):,} clips from "
        f"{n_corpora} {plural(n_corpora, 'corpus', 'corpora')} ({names(results, params.corpora)}) were resampled, augmented and labelled "
        "with librosa's features.",
        f"Five feature imitating networks (FINs) were trained on {names(results, params.train_fin.data.corpora)} to compute these features "
        "from raw frames." + when(unseen, f" {names(results, unseen)} {plural(len(unseen), 'was', 'were')} not used to train FINs."),
        f"Then {n_models} {plural(n_models, 'classifier', 'classifiers')}{seeds} {plural(n_models, 'was', 'were')} trained on "
        f"{names(results, params.pooled)} to recognise {chosen_emotions(results)}, on {folds}, under the "
        f"{plural(n_protocols, 'protocol', 'protocols')} {protocols}.",
    ]
    return "\n".join(lines)


def _number_of_folds(params: Params) -> str:
    """Return of how many folds, under each kind of protocol; own splits state theirs beside their test groups."""
    drawn, out = set(params.protocols) - {*OWN, "cross_corpus"}, "cross_corpus" in params.protocols
    total = f" of {params.split.folds}" if drawn else ""
    return total + (f" ({params.n_folds('cross_corpus')} under one corpus out)" if out else "")


def chosen_emotions(results: Results) -> str:
    """``emotions``; with their names, if clips of other emotions are left out."""
    chosen, others = results.params.emotions, left_out_clips(results)
    return f"{len(chosen)} emotions ({', '.join(chosen)}; {others:,} clips of others are left out)" if others else "emotions"


def fins_in_brief(results: Results) -> str:
    """R2 of the FINs beside published values."""
    figures = results.fins[0].figures
    speakers = f"{figures['n_test_speakers']} test {plural(figures['n_test_speakers'], 'speaker', 'speakers')}"
    return sentences(
        "FINs in brief: R2 against librosa (1 is perfect), rounded down.",
        f"It is taken on {figures['n_test_frames']:,} frames of {speakers} of {names(results, results.params.train_fin.data.corpora)}"
        + (", and on frames of each unseen corpus." if results.params.unseen_corpora else "."),
        "It is uniform over a feature's dimensions, for mel weighted by variance, as published.",
        "Chroma, MFCC and mel contain the Fourier transform: their front end has its structure, and is trained on the STFT of noise before",
        "the FINs are trained on recordings.",
        "In RMS and ZCR the square, the root and the sign are built in (docs/fins.md).",
        f"The published networks ({PUBLISHED_NETS}) have none of this built in.",
        "Their published values are of other data: real recordings, split at random by file (mel on ESD: .97 in the authors' table, .89 in",
        "their log).",
        "The last columns show the same networks, trained by the code of this page on its frames and tested on its test speakers.",
        "*Its steps* are the steps of this training (published: 50 to 100 epochs of about 695,000 frames).",
        "A dash: not trained (`reference_fin` in params.yaml).",
    )


def corpora() -> str:
    """Files and clips of every corpus."""
    return sentences(
        "Audio files per corpus.",
        "*Expected* is the number of files that the source should hold.",
        "Speakers and minutes are those of the clips kept.",
    )


def emotions(results: Results) -> str:
    """Clips per emotion."""
    return sentences(
        "Kept clips per emotion.",
        "A dash: the corpus has none.",
        when(
            any(corpus.other for corpus in results.corpora),
            "*Other emotions*: those that `emotions` in params.yaml does not name. No classifier is trained or tested on these clips.",
        ),
    )


def exclusions() -> str:
    """Files left out."""
    return "Files excluded, each with its reason."


def parts(results: Results, split: SplitCounts) -> str:
    """Clips and speakers of every part of every fold."""
    apart = "No speaker is in two parts, and no corpus is in test and in another part." if split.protocol == "cross_corpus" else ""
    return sentences(
        f"Protocol {tables.PROTOCOL_TITLES[split.protocol]}: clips and speakers per part.",
        "LEAKY: the same speakers are in several parts." if split.leaky else apart or "No speaker is in two parts.",
        "Only corpora that the classifiers are trained on are counted.",
        when(left_out_clips(results), f"Their {left_out_clips(results):,} clips of other emotions are left out."),
    )


def left_out_clips(results: Results) -> int:
    """Return the number of kept clips of the pooled corpora whose emotion is not chosen."""
    return sum(corpus.other for corpus in results.corpora if corpus.name in results.params.pooled)


def left_out() -> str:
    """Corpora and emotions of every fold of ``cross_corpus``."""
    return "Protocol one corpus out: which corpus each fold tests on, and which emotions it shares with the training part."


def fold_sources(split: SplitCounts) -> str:
    """Source of the test groups."""
    return f"Protocol {tables.PROTOCOL_TITLES[split.protocol]}: source of the test groups."


def fins_intro(results: Results) -> str:
    """Task of the FINs, test data of R2, and its two forms."""
    params = results.params
    return "\n\n".join(
        [
            "FINs compute librosa's features from a raw frame of 2,048 samples at 22,050 Hz. "
            f"Their targets follow the definition `{params.label.definition}`.",
            sentences(
                "R2 is taken in the feature's own unit.",
                "*Test speakers*: over frames of speakers that no FIN was trained on",
                f"({names(results, params.train_fin.data.corpora)}, fold {params.train_fin.data.fold} of their own split by speaker).",
                f"*Unseen*: over corpora that no FIN was trained on ({names(results, params.unseen_corpora)})."
                if params.unseen_corpora
                else "No corpus was left unseen in this run.",
            ),
            sentences(
                "*Uniform* R2 is the mean over a feature's dimensions; *weighted* R2 weights them by their variance.",
                "For mel in power, uniform R2 says little: a band that holds only rounding noise counts as much as a band full of speech.",
                "R2 in decibels shows all bands.",
            ),
        ]
    )


def fins() -> str:
    """R2 per corpus."""
    return sentences(
        "R2 of the FINs, frozen after training, per corpus, rounded down.",
        "The published values are for orientation only. They are on other data (four corpora of real speech, split at random by file;",
        "unseen: ESD) with other label definitions.",
        "For mel on ESD the authors' log says .89.",
    )


def fin_training(results: Results) -> str:
    """Topologies, and R2 before and after training."""
    return sentences(
        "Topologies of the FINs, and the effect of training: R2 (uniform, for mel weighted) at initialisation on validation frames,",
        "and after training on test speakers.",
        f"Chroma, mel and MFCC share a front end; the time of its training, {tables.seconds(results.front_end_seconds)} s,",
        "is not included in their times.",
        "The initial weights of MFCC are those of the trained mel FIN.",
    )


def fin_curves() -> tuple[str, str]:
    """Training curves: title and details."""
    return "R2 on validation frames over training steps", "one panel per FIN, uniform, for mel in dB. The axis is logarithmic in 1 - R2."


def fin_conditions() -> str:
    """R2 of changed recordings."""
    return sentences(
        "R2 on test speakers under other conditions, on the same 3,000 frames each:",
        "level changed in float, beyond full scale; white noise at the SNR of the whole clip; clips resampled to another rate and back.",
        "The targets are librosa's features of the changed clips.",
    )


def fin_ways() -> str:
    """FINs with other initial weights."""
    return sentences(
        "What is learned, and what is built in: R2 (uniform, for mel weighted) at initialisation and after training, on test speakers.",
        "R2 at initialisation of the FINs *as used* is on validation frames (docs/fins.md says which constants are set before).",
        "A FIN whose initial weights are librosa's formula has nothing left to learn.",
        "Of several seeds the minimum and the maximum are shown.",
        "*Unseen, least*: the minimum over the unseen corpora.",
    )


def fin_each() -> tuple[str, str]:
    """R2 of every coefficient: title and details."""
    return "R2 of every coefficient of chroma, MFCC and mel", "on test speakers, mel in dB. The axis is logarithmic in 1 - R2."


def fin_scatter() -> tuple[str, str]:
    """Values of FINs over librosa's: title and details."""
    return "Outputs of the FINs over librosa's values", sentences(
        "one panel per FIN, for values drawn evenly from the test frames.",
        "Black crosses: of each of the eight frames with the largest error, the value with the largest error in standard deviations of its",
        "coefficient.",
    )


def worst_frames() -> str:
    """The largest errors."""
    return sentences(
        "The three test frames with the largest errors of each FIN, and the coefficient with the largest error.",
        "Errors are in standard deviations of the coefficient; mel is in dB.",
        "`results/fins/FEATURE.parquet` has eight frames.",
    )


def fin_speed() -> str:
    """Time per frame."""
    return "Time per frame on one thread, the best of three. Chroma, mel and MFCC each include the front end."


def seeds_and_devices(seeds: Collection[int], devices: Collection[str]) -> str:
    """Seeds and devices of all trainings."""
    return sentences(
        f"{plural(len(seeds), 'Seed', 'Seeds')}: {', '.join(map(str, seeds))}.",
        f"{plural(len(devices), 'Device', 'Devices')}: {', '.join(devices)}." if devices else "",
    )


def run_settings() -> str:
    """Machine settings of the trainings."""
    return sentences(
        "Settings that the models were trained with.",
        "The same settings give the same bytes.",
        "Other settings round differently, and so give other networks (docs/reproducibility.md).",
    )


def versions() -> str:
    """Software."""
    return "Versions: of the environment that wrote this page, and of those that the models were trained in."


def stages() -> str:
    """Times."""
    return sentences(
        "Time per stage: the sum over commands of the last time that each ran on this machine.",
        "A dash, or fewer commands timed than there are, means that results came from the cache and did not run here.",
    )
