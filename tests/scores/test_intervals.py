"""Intervals and p values cover what they claim, for the test speakers of every preset; the jackknife against a written-out one."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from string import ascii_lowercase

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from finser.config import presets
from finser.config.params import Params
from finser.config.sections.fetch import Synthetic
from finser.corpora.known.registry import CORPORA
from finser.emotions import EMOTIONS
from finser.scores import intervals
from finser.scores.intervals import FEWEST, Estimate, corpus_of, differences, estimates, holm, per_speaker
from finser.splits.groups import PublishedFolds, speaker_split
from finser.splits.protocols import cross_corpus_split, random_split
from finser.synthetic.plans import plan

TRIALS = 2000
TRUTH, SCATTER = 0.6, 0.12  # mean and deviation of the speakers' accuracies
PRESETS = {"demo": presets.demo, "tiny": presets.tiny, "ravdess": presets.ravdess, "open": presets.open_corpora, "paper": presets.paper}


def clips_of(params: Params, corpus: str) -> pa.Table:
    """Every clip of a complete corpus, or of the synthetic one that the preset speaks."""
    known, source = CORPORA[corpus], params.fetch[corpus]
    if isinstance(source, Synthetic):
        names = [f"{clip.path}" for clip in plan(source, corpus)]
    else:
        words = [f"tess/OAF_angry/OAF_{first}{second}_angry" for first in ascii_lowercase[:10] for second in ascii_lowercase[:20]]  # 200
        names = [f"{clip.removeprefix(f'{corpus}/')}.wav" for clip in known.every(words)]
    found = [known.parse(PurePosixPath(name)) for name in names]
    fields = ("clip_id", "corpus", "speaker", "sex", "language", "emotion")
    return pa.Table.from_pylist([{field: getattr(one, field) for field in fields} for one in found]).sort_by("clip_id")


def layout(params: Params, protocol: str) -> dict[str, np.ndarray]:
    """Test clips of each speaker and emotion, the preset's folds together: corpus -> shape (speakers, 8)."""
    clips = pa.concat_tables([clips_of(params, corpus) for corpus in params.pooled])
    if protocol == "random":
        folds = random_split(clips, params.split, params.seed)
    elif protocol == "cross_corpus":
        folds = cross_corpus_split(clips, params.pooled, params.split, params.seed)
    else:
        published = {corpus: PublishedFolds(CORPORA[corpus].folds, CORPORA[corpus].validation) for corpus in params.pooled}
        folds, _ = speaker_split(clips, published, params.split, params.seed)
    counts: dict[str, dict[str, np.ndarray]] = {}
    for fold in params.folds:
        for row in clips.to_pylist():
            if folds[fold - 1].get(row["clip_id"]) == "test":
                of_corpus = counts.setdefault(row["corpus"], {})
                of_corpus.setdefault(row["speaker"], np.zeros(8, int))[EMOTIONS.index(row["emotion"])] += 1
    return {corpus: np.stack(list(speakers.values())) for corpus, speakers in counts.items()}


def simulated(rng: np.random.Generator, sizes: dict[str, np.ndarray], accuracies: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Counts of a model that is right as often as each speaker allows; a miss is the next emotion of the corpus."""
    result = {}
    for corpus, given_ in sizes.items():
        hits = rng.binomial(given_, accuracies[corpus][:, None])  # (speakers, 8)
        heard = np.flatnonzero(given_.sum(0))
        counts = np.zeros((1, len(given_), 8, 8), int)
        for place, emotion in enumerate(heard):
            counts[0, :, emotion, emotion] = hits[:, emotion]
            counts[0, :, emotion, heard[(place + 1) % len(heard)]] = (given_ - hits)[:, emotion]
        result[corpus] = counts
    return result


def rates(sizes: dict[str, np.ndarray], scatter: Sequence[float] = (), own: float = 0.0, trials: int = TRIALS) -> tuple[float, float]:
    """How often the interval of the UAR holds the truth, and how often p of two equally good models is below .05.

    Speakers scatter by `scatter` in each corpus, by `SCATTER` by default; `own` is what a model finds harder or easier in a speaker
    than the other model does. Only the UAR is computed: the other figures of merit take most of the time, and nothing here reads them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "FIGURES", {"uar": intervals.FIGURES["uar"]})
        return simulated_rates(sizes, scatter, own, trials)


def simulated_rates(sizes: dict[str, np.ndarray], scatter: Sequence[float], own: float, trials: int) -> tuple[float, float]:
    rng, covered, small = np.random.default_rng(0), 0, 0
    for _ in range(trials):
        shared = {
            corpus: rng.normal(TRUTH, sd, len(one))
            for (corpus, one), sd in zip(sizes.items(), scatter or [SCATTER] * len(sizes), strict=True)
        }
        a, b = (
            simulated(rng, sizes, {corpus: np.clip(one + rng.normal(0, own, len(one)), 0.02, 0.98) for corpus, one in shared.items()})
            for _ in range(2)
        )
        found, paired = estimates(a, 0.95)["uar"], differences(a, b, 0.95)["uar"]
        covered += found.low <= TRUTH <= found.high
        small += paired.p < 0.05
        assert (paired.p < 0.05) == (not paired.low <= 0 <= paired.high)
    return covered / trials, small / trials


@pytest.mark.parametrize(("preset", "protocol"), [(name, protocol) for name, make in PRESETS.items() for protocol in make().protocols])
def test_intervals_and_p_of_every_preset(preset, protocol):
    params = PRESETS[preset]()
    sizes = layout(params, protocol)
    if max(map(len, sizes.values())) < FEWEST:
        rng = np.random.default_rng(0)
        counts = simulated(rng, sizes, {corpus: np.full(len(one), TRUTH) for corpus, one in sizes.items()})
        found, paired = estimates(counts, 0.95)["uar"], differences(counts, counts, 0.95)["uar"]
        assert (found.low, found.high, found.corpora, paired.p) == (None, None, (), None)
        return
    coverage, below = rates(sizes)
    print(preset, protocol, {c: len(s) for c, s in sizes.items()}, coverage, below)
    assert 0.93 <= coverage <= 0.97
    assert 0.03 <= below <= 0.07


@pytest.mark.parametrize("speakers", [(4,), (5,), (8,), (24, 4), (4, 4), (5, 18)])
def test_intervals_and_p_of_few_speakers(speakers):
    coverage, below = rates({f"corpus{k}": np.full((n, 8), 6) for k, n in enumerate(speakers)})
    assert 0.93 <= coverage <= 0.97
    assert 0.03 <= below <= 0.07


@pytest.mark.parametrize(("speakers", "scatter"), [((4, 4), (0.05, 0.2)), ((6, 8, 4), (0.05, 0.05, 0.2)), ((24, 4), (0.2, 0.05))])
def test_corpora_whose_speakers_scatter_unlike(speakers, scatter):
    coverage, _ = rates({f"corpus{k}": np.full((n, 8), 20) for k, n in enumerate(speakers)}, scatter)
    assert 0.93 <= coverage <= 0.97


@pytest.mark.parametrize("speakers", [(5,), (24,), (24, 55), (24, 4)])
def test_equally_good_models_that_find_other_speakers_hard(speakers):
    _, below = rates({f"corpus{k}": np.full((n, 8), 6) for k, n in enumerate(speakers)}, own=0.05)
    assert 0.03 <= below <= 0.07


def clips(seed: int, corpora: tuple[int, ...], seeds: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three classes: truth (n,), predictions (seeds, n) and speakers (n,), six clips each, in any order."""
    rng = np.random.default_rng(seed)
    names = [f"{'abc'[corpus]}/{k:02}" for corpus, n in enumerate(corpora) for k in range(n)]
    speakers = rng.permutation(np.repeat(names, 6))
    truth = rng.integers(0, 3, len(speakers))
    return truth, np.where(rng.random((seeds, len(truth))) < 0.5, truth, rng.integers(0, 3, (seeds, len(truth)))), speakers


def written_out(truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray) -> tuple[float, float]:
    """Mean UAR over the seeds and its jackknife variance, one speaker and one seed at a time, by scikit-learn."""

    def score(kept: np.ndarray) -> float:
        return float(np.mean([balanced_accuracy_score(truth[kept], row[kept]) for row in predicted]))

    names = sorted(set(speakers))
    without = [score(speakers != name) for name in names]
    return score(speakers == speakers), (len(names) - 1) / len(names) * sum((one - np.mean(without)) ** 2 for one in without)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(4, 9), st.integers(1, 3))
def test_one_corpus_is_the_jackknife_and_students_t(seed, n_speakers, seeds):
    truth, predicted, speakers = clips(seed, (n_speakers,), seeds)
    found = estimates(per_speaker(truth, predicted, speakers, 8), 0.9)["uar"]
    value, variance = written_out(truth, predicted, speakers)
    assert found.value == found.centre == pytest.approx(value) and found.corpora == ("a",)
    half = stats.t.ppf(0.95, n_speakers - 1) * variance**0.5
    assert (found.low, found.high) == pytest.approx((max(0, value - half), min(1, value + half)), abs=1e-8)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_several_corpora_are_the_mean_of_each_and_small_ones_are_not_in_the_interval():
    truth, predicted, speakers = clips(1, (6, 5, 2))
    found = estimates(per_speaker(truth, predicted, speakers, 3), 0.95)["uar"]
    each = [written_out(*(array[..., np.char.startswith(speakers, name)] for array in (truth, predicted, speakers))) for name in "abc"]
    assert found.value == pytest.approx(np.mean([value for value, _ in each]))
    assert found.corpora == ("a", "b") and found.centre == pytest.approx(np.mean([value for value, _ in each[:2]]))
    variances = np.array([variance for _, variance in each[:2]])
    estimated = variances / variances.sum()
    between = (estimated + np.array([5, 6]) / 11) / 2  # 1/6 and 1/5, if all speakers scatter alike
    ratio = stats.t.ppf(0.975, min(1 / (shares**2 / [5, 4]).sum() for shares in (estimated, between)))
    assert found.high - found.centre == pytest.approx(ratio * (variances.sum() / 4) ** 0.5)


def test_a_large_corpus_does_not_outweigh_a_small_one():
    few, many = np.array([[[[9, 1], [0, 10]]] * 4]), np.array([[[[500, 500], [500, 500]]] * 4])
    few, many = (counts.reshape(1, 4, 2, 2) for counts in (few, many))
    assert estimates({"a": few, "b": many}, 0.95)["uar"].value == pytest.approx((0.95 + 0.5) / 2)


def test_differences_are_paired_by_speaker():
    """Two models that find the same speakers hard: the difference is known better than either model's UAR."""
    rng = np.random.default_rng(0)
    sizes = {"a": np.full((12, 8), 20)}
    accuracies = {"a": np.clip(rng.normal(0.6, 0.2, 12), 0.05, 0.95)}
    b = simulated(rng, sizes, accuracies)
    a = simulated(rng, sizes, {"a": accuracies["a"] + 0.04})
    one, other, found = estimates(a, 0.95)["uar"], estimates(b, 0.95)["uar"], differences(a, b, 0.95)["uar"]
    assert found.value == pytest.approx(one.value - other.value) and found.p < 0.05 < found.p + 0.05
    assert found.high - found.low < 0.5 * (one.high - one.low)
    back = differences(b, a, 0.95)["uar"]
    assert (back.value, back.low, back.high, back.p) == pytest.approx((-found.value, -found.high, -found.low, found.p))


def test_a_model_does_not_differ_from_itself_and_there_is_no_interval_without_scatter():
    truth, predicted, speakers = clips(3, (6,), seeds=3)
    counts = per_speaker(truth, predicted, speakers, 3)
    again = per_speaker(truth, predicted[::-1], speakers, 3)
    assert differences(counts, again, 0.95) == dict.fromkeys(("uar", "wa", "f1_macro"), Estimate(0.0))
    constant = per_speaker(np.tile([0, 1, 2], 12), np.zeros(36, int), np.repeat([f"a/{k}" for k in range(6)], 6), 3)
    assert estimates(constant, 0.95)["uar"] == Estimate(pytest.approx(1 / 3)), "always one class: chance, and no interval"


def test_models_of_different_clips_cannot_be_compared():
    a, b, c = (per_speaker(*clips(seed, corpora), 3) for seed, corpora in ((0, (5,)), (1, (5,)), (2, (5, 4))))
    for other in (b, c):
        with pytest.raises(ValueError, match="tested on different clips"):
            differences(a, other, 0.95)


@pytest.mark.parametrize("shape", [(35,), (2, 35), (0, 36), (2, 2, 36)])
def test_predictions_of_other_clips_are_refused(shape):
    truth, _, speakers = clips(0, (6,))
    with pytest.raises(ValueError, match="one length"):
        per_speaker(truth, np.zeros(shape, int), speakers, 3)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8))
def test_holm_is_the_step_down_procedure(ps):
    found = holm(ps)
    known = [p for p in ps if p is not None]
    for alpha in (0.01, 0.05, 0.3):
        rejected, steps = 0, sorted(known)  # reject while p_(k) <= alpha / (m - k + 1)
        while rejected < len(steps) and steps[rejected] * (len(steps) - rejected) <= alpha:
            rejected += 1
        assert sum(p is not None and p <= alpha for p in found) == rejected
    assert [p is None for p in found] == [p is None for p in ps]


def test_the_corpus_of_a_speaker_stands_before_the_slash():
    assert [corpus_of(name) for name in ("ravdess/01", "esd/a/b", np.str_("tess/OAF"), "alone", 7)] == ["ravdess", "esd", "tess", "", ""]
