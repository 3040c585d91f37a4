"""Figures of merit against scikit-learn, and the bootstrap against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn import metrics as sk

from finser.metrics import (
    FIGURES,
    Difference,
    bootstrap,
    bootstrap_of_folds,
    confusion_matrix,
    corpus_of,
    f1_macro,
    f1s,
    mean_over_seeds,
    paired_bootstrap,
    precisions,
    recalls,
    uar,
    wa,
)

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60)


@settings(deadline=None)
@given(PAIRS)
@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.filterwarnings("ignore:A single label")
def test_figures_equal_scikit_learn(pairs):
    truth, predicted = np.array(pairs).T
    confusion = confusion_matrix(truth, predicted, 8)
    present = np.unique(truth)
    assert np.array_equal(confusion, sk.confusion_matrix(truth, predicted, labels=range(8)))
    assert uar(confusion) == pytest.approx(sk.balanced_accuracy_score(truth, predicted))
    assert wa(confusion) == pytest.approx(sk.accuracy_score(truth, predicted))
    assert f1_macro(confusion) == pytest.approx(sk.f1_score(truth, predicted, labels=present, average="macro", zero_division=0))
    for per_class, oracle in ((recalls, sk.recall_score), (precisions, sk.precision_score), (f1s, sk.f1_score)):
        expected = oracle(truth, predicted, labels=present, average=None, zero_division=0)
        assert per_class(confusion)[present] == pytest.approx(expected)
        assert np.isnan(per_class(confusion)[np.setdiff1d(range(8), present)]).all()


def test_leading_axes_are_independent():
    rng = np.random.default_rng(0)
    many = rng.integers(0, 9, (3, 4, 5, 5))
    for figure in FIGURES.values():
        assert figure(many)[2, 1] == figure(many[2, 1])
    for per_class in (recalls, precisions, f1s):
        assert np.array_equal(per_class(many)[2, 1], per_class(many[2, 1]))


def test_precision_of_what_is_never_predicted_and_of_what_never_was():
    confusion = confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 0]), 4)  # 1 is never predicted, 2 only predicted, 3 neither
    assert precisions(confusion) == pytest.approx([0.5, 0, np.nan, np.nan], nan_ok=True)
    assert f1s(confusion) == pytest.approx([0.5, 0, np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize("truth, predicted", [([0, 1], [0]), ([0, 8], [0, 1]), ([0, 1], [0, -1])])
def test_confusion_matrix_refuses_what_is_no_class(truth, predicted):
    with pytest.raises(ValueError):
        confusion_matrix(np.array(truth), np.array(predicted), 8)


def simulate(rng: np.random.Generator, n_speakers: int = 30, per_speaker: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes; each speaker has an own chance of being recognised, mean 0.6, so the true figures are 0.6."""
    speakers = np.repeat(np.arange(n_speakers), per_speaker)
    truth = np.tile(np.arange(per_speaker) % 2, n_speakers)
    right = rng.random(len(truth)) < np.repeat(rng.beta(6, 4, n_speakers), per_speaker)
    return truth, np.where(right, truth, 1 - truth), speakers


def test_interval_covers_the_truth_about_as_often_as_it_says():
    covered = dict.fromkeys(FIGURES, 0)
    for trial in range(200):
        data = simulate(np.random.default_rng(trial))
        intervals = bootstrap(*data, 2, resamplings=300, confidence=0.9, rng=np.random.default_rng(1000 + trial))
        for name, (low, high) in intervals.items():
            covered[name] += low <= 0.6 <= high
    assert 165 <= covered["uar"] <= 194  # 180 expected, somewhat fewer with 30 speakers; sd 4.2
    assert 165 <= covered["wa"] <= 194


def test_resampling_clips_instead_would_be_too_sure():
    truth, predicted, speakers = simulate(np.random.default_rng(3))
    options = {"resamplings": 500, "confidence": 0.95}
    by_speaker = bootstrap(truth, predicted, speakers, 2, rng=np.random.default_rng(0), **options)["wa"]
    by_clip = bootstrap(truth, predicted, np.arange(len(truth)), 2, rng=np.random.default_rng(0), **options)["wa"]
    assert np.ptp(by_speaker) > 1.3 * np.ptp(by_clip)


def test_bootstrap_equals_one_resampling_at_a_time():
    rng = np.random.default_rng(5)
    truth, predicted, speakers = rng.integers(0, 3, 60), rng.integers(0, 3, 60), np.sort(rng.integers(0, 6, 60))
    intervals = bootstrap(truth, predicted, speakers, 3, resamplings=50, confidence=0.8, rng=np.random.default_rng(1))
    times = np.random.default_rng(1).multinomial(6, np.full(6, 1 / 6), size=50)
    scores = []
    for counts in times:
        rows = np.concatenate([np.tile(np.flatnonzero(speakers == s), counts[s]) for s in range(6)])
        scores.append(sk.balanced_accuracy_score(truth[rows], predicted[rows]))
    assert intervals["uar"] == pytest.approx(tuple(np.quantile(scores, [0.1, 0.9])))


def test_bootstrap_is_seeded_and_knows_nothing_from_one_speaker():
    truth, predicted, speakers = simulate(np.random.default_rng(0), n_speakers=4)
    first, again, other = (
        bootstrap(truth, predicted, speakers, 2, resamplings=100, confidence=0.95, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == again != other
    alone = bootstrap(truth, predicted, np.zeros(len(truth)), 2, resamplings=100, confidence=0.95, rng=np.random.default_rng(0))
    assert alone == {"uar": None, "wa": None, "f1_macro": None}


def test_a_class_that_one_speaker_alone_speaks_does_not_break_the_bootstrap():
    truth, speakers = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    intervals = bootstrap(truth, truth, speakers, 8, resamplings=100, confidence=0.95, rng=np.random.default_rng(0))
    assert intervals == dict.fromkeys(FIGURES, (1.0, 1.0))


def sample(seed: int, seeds: int, n_speakers: int = 6, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three classes; truth (n,), predictions (seeds, n) that are right in a share of the clips, and speakers (n,), not sorted."""
    rng = np.random.default_rng(seed)
    truth, speakers = rng.integers(0, 3, n), rng.permutation(np.arange(n) % n_speakers)
    return truth, np.where(rng.random((seeds, n)) < 0.4, truth, rng.integers(0, 3, (seeds, n))), speakers


def scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Mean over rows of scikit-learn's figures."""
    rows = [
        (
            sk.balanced_accuracy_score(truth, row),
            sk.accuracy_score(truth, row),
            sk.f1_score(truth, row, labels=np.unique(truth), average="macro", zero_division=0),
        )
        for row in predicted
    ]
    return dict(zip(("uar", "wa", "f1_macro"), np.mean(rows, axis=0), strict=True))


def resampled_clips(speakers: np.ndarray, resamplings: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Clips of each resampling, one by one, from the draws of the bootstrap: one corpus after the other."""
    groups: dict[str, list] = {}
    for name in sorted(set(speakers.tolist())):
        groups.setdefault(str(name).split("/")[0] if "/" in str(name) else "", []).append(name)
    each = [(names, rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamplings)) for names in groups.values()]
    return [
        np.concatenate([np.tile(np.flatnonzero(speakers == s), n) for names, times in each for s, n in zip(names, times[k], strict=True)])
        for k in range(resamplings)
    ]


OPTIONS = {"resamplings": 60, "confidence": 0.8}


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.filterwarnings("ignore:A single label")
@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 8))
def test_bootstrap_of_seeds_equals_one_resampling_and_seed_at_a_time(seed, seeds, n_speakers):
    truth, predicted, speakers = sample(seed, seeds, n_speakers, n=30)
    intervals = bootstrap(truth, predicted, speakers, 3, rng=np.random.default_rng(1), **OPTIONS)
    drawn = [scores(truth[clips], predicted[:, clips]) for clips in resampled_clips(speakers, 60, np.random.default_rng(1))]
    for name, interval in intervals.items():
        assert interval == pytest.approx(tuple(np.quantile([figures[name] for figures in drawn], [0.1, 0.9])))


def test_one_seed_gives_the_same_numbers_with_and_without_its_axis():
    truth, predicted, speakers = sample(0, seeds=1)
    with_axis, without = (bootstrap(truth, p, speakers, 3, rng=np.random.default_rng(1), **OPTIONS) for p in (predicted, predicted[0]))
    assert with_axis == without


def test_mean_over_seeds_is_the_mean_of_figures_not_the_figure_of_the_sum():
    truth, predicted, _ = sample(1, seeds=3)
    confusions = np.stack([confusion_matrix(truth, row, 3) for row in predicted])
    assert mean_over_seeds(confusions) == pytest.approx(scores(truth, predicted))
    assert mean_over_seeds(confusions)["f1_macro"] != pytest.approx(f1_macro(confusions.sum(0)))


@pytest.mark.parametrize("shape", [(59,), (2, 59), (0, 60), (2, 2, 60)])
def test_bootstrap_refuses_predictions_of_other_clips(shape):
    truth, _, speakers = sample(0, seeds=1)
    with pytest.raises(ValueError, match="one length"):
        bootstrap(truth, np.zeros(shape, int), speakers, 3, rng=np.random.default_rng(0), **OPTIONS)
    with pytest.raises(ValueError, match="one length"):
        paired_bootstrap(truth, truth, np.zeros(shape, int), speakers, 3, rng=np.random.default_rng(0), **OPTIONS)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.filterwarnings("ignore:A single label")
@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 3))
def test_paired_bootstrap_equals_one_resampling_at_a_time(seed, seeds_a, seeds_b):
    truth, predicted, speakers = sample(seed, seeds_a + seeds_b, n=30)
    a, b = predicted[:seeds_a], predicted[seeds_a:]
    found = paired_bootstrap(truth, a, b, speakers, 3, rng=np.random.default_rng(1), **OPTIONS)
    whole_a, whole_b = scores(truth, a), scores(truth, b)
    clips = resampled_clips(speakers, 60, np.random.default_rng(1))
    pairs = [(scores(truth[rows], a[:, rows]), scores(truth[rows], b[:, rows])) for rows in clips]
    for name, value in found.items():
        drawn = np.array([of_a[name] - of_b[name] for of_a, of_b in pairs]).round(9)
        shares = [((drawn <= 0).sum() + 1) / 61, ((drawn >= 0).sum() + 1) / 61]
        assert value.difference == pytest.approx(whole_a[name] - whole_b[name])
        assert (value.low, value.high) == pytest.approx(tuple(np.quantile(drawn, [0.1, 0.9])), abs=1e-8)
        assert value.p == pytest.approx(min(1, 2 * min(shares)))


def test_paired_bootstrap_changes_sign_with_the_order_of_the_models():
    truth, (a, b), speakers = sample(2, seeds=2)
    there, back = (paired_bootstrap(truth, *pair, speakers, 3, rng=np.random.default_rng(0), **OPTIONS) for pair in ((a, b), (b, a)))
    for name in FIGURES:
        assert there[name].difference == -back[name].difference
        assert (there[name].low, there[name].high, there[name].p) == pytest.approx((-back[name].high, -back[name].low, back[name].p))


def test_a_model_does_not_differ_from_itself_however_often_or_in_whatever_order_its_seeds_are_given():
    truth, predicted, speakers = sample(3, seeds=7)
    for other in (predicted, predicted[::-1], np.repeat(predicted, 3, axis=0)):
        found = paired_bootstrap(truth, predicted, other, speakers, 3, rng=np.random.default_rng(0), **OPTIONS)
        for value in found.values():
            assert (value.difference, value.low, value.high) == pytest.approx((0, 0, 0), abs=1e-12)
            assert value.p == 1


def test_what_is_better_for_every_speaker_has_the_least_p():
    truth, speakers = np.tile([0, 1, 2], 10), np.repeat(np.arange(10), 3)
    found = paired_bootstrap(truth, truth, np.roll(truth, 1), speakers, 3, rng=np.random.default_rng(0), resamplings=99, confidence=0.9)
    assert found == dict.fromkeys(FIGURES, Difference(1.0, 1.0, 1.0, 0.02))


def test_one_speaker_gives_a_difference_and_nothing_about_others():
    truth, (a, b), _ = sample(4, seeds=2)
    found = paired_bootstrap(truth, a, b, np.zeros(60), 3, rng=np.random.default_rng(0), **OPTIONS)
    assert found["wa"] == Difference(pytest.approx(np.mean(a == truth) - np.mean(b == truth)), None, None, None)


def two_models(seed: int, better: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`simulate`, for two models that find the same speakers hard; `b` is right as often as `a`, or more by `better`."""
    rng = np.random.default_rng(seed)
    speakers, truth = np.repeat(np.arange(30), 40), np.tile(np.arange(40) % 2, 30)
    chance = np.repeat(0.85 * rng.beta(3, 2, 30), 40)
    a, b = (np.where(rng.random(1200) < chance + more, truth, 1 - truth) for more in (0.0, better))
    return truth, a, b, speakers


def test_p_is_below_a_tenth_in_about_a_tenth_of_the_cases_without_a_difference():
    found = [
        paired_bootstrap(*two_models(trial), 2, resamplings=300, confidence=0.9, rng=np.random.default_rng(1000 + trial))["wa"]
        for trial in range(200)
    ]
    assert 8 <= sum(value.p < 0.1 for value in found) <= 36  # 20 expected, somewhat more with 30 speakers; sd 4.2
    assert all((value.p < 0.09) <= (not value.low <= 0 <= value.high) <= (value.p < 0.11) for value in found)


def test_pairing_sees_what_two_intervals_do_not():
    truth, a, b, speakers = two_models(0, better=0.08)
    options = {"resamplings": 500, "confidence": 0.95}
    of_a, of_b = (bootstrap(truth, p, speakers, 2, rng=np.random.default_rng(0), **options)["wa"] for p in (a, b))
    paired = paired_bootstrap(truth, a, b, speakers, 2, rng=np.random.default_rng(0), **options)["wa"]
    assert of_b[0] < of_a[1]  # the intervals overlap
    assert paired.high < 0 and paired.p < 0.01
    assert paired.high - paired.low < 0.7 * np.hypot(np.ptp(of_a), np.ptp(of_b))


def test_folds_are_put_together_by_concatenation():
    """Speakers of two folds in one call: all are resampled, whichever fold they are of and whatever the order of the clips."""
    truth, (a, b), speakers = sample(5, seeds=2)
    fold = speakers % 2
    order = np.argsort(fold, kind="stable")
    whole, folds = (
        paired_bootstrap(truth[rows], a[rows], b[rows], speakers[rows], 3, rng=np.random.default_rng(0), **OPTIONS)
        for rows in (slice(None), order)
    )
    assert whole == folds


def named(*counts: int, clips: int = 1) -> np.ndarray:
    """So many speakers of corpus a, of b, ..., with so many clips each, by name."""
    return np.repeat([f"{corpus}/{k:02}" for corpus, n in zip("abcdef", counts, strict=False) for k in range(n)], clips)


def test_the_corpus_of_a_speaker_stands_before_the_slash():
    assert [corpus_of(name) for name in ("ravdess/01", "esd/a/b", np.str_("tess/OAF"), "alone", 7)] == ["ravdess", "esd", "tess", "", ""]


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.filterwarnings("ignore:A single label")
@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 4), min_size=1, max_size=3).filter(lambda counts: max(counts) > 1))
def test_speakers_are_resampled_within_their_corpora(seed, counts):
    """One resampling at a time, the clips of all corpora in any order."""
    speakers = np.random.default_rng(seed).permutation(named(*counts, clips=5))
    truth, predicted, _ = sample(seed, 2, n=len(speakers))
    intervals = bootstrap(truth, predicted, speakers, 3, rng=np.random.default_rng(1), **OPTIONS)
    drawn = [scores(truth[clips], predicted[:, clips]) for clips in resampled_clips(speakers, 60, np.random.default_rng(1))]
    for name, interval in intervals.items():
        assert interval == pytest.approx(tuple(np.quantile([figures[name] for figures in drawn], [0.1, 0.9])))


def test_the_mix_of_corpora_is_not_resampled():
    """Five, two and one speakers: all of a corpus are alike, the corpora are not."""
    speakers = named(5, 2, 1, clips=6)
    truth = np.tile([0, 1, 2, 0, 1, 2], 8)
    hits = {"a": [1, 1, 1, 1, 1, 1], "b": [1, 0, 0, 1, 0, 0], "c": [0, 0, 0, 0, 0, 1]}
    right = np.concatenate([hits[name[0]] for name in speakers[::6]]) == 1
    a, b = np.where(right, truth, (truth + 1) % 3), (truth + 1) % 3
    for name, (low, high) in bootstrap(truth, a, speakers, 3, rng=np.random.default_rng(0), **OPTIONS).items():
        assert low == pytest.approx(high, abs=1e-12) and low == pytest.approx(scores(truth, a[None])[name])
    for value in paired_bootstrap(truth, a, b, speakers, 3, rng=np.random.default_rng(0), **OPTIONS).values():
        assert (value.low, value.high) == pytest.approx((value.difference, value.difference), abs=1e-12)
    assert np.ptp(bootstrap(truth, a, np.char.replace(speakers, "/", "-"), 3, rng=np.random.default_rng(0), **OPTIONS)["wa"]) > 0.1


def binomials(*each: tuple[int, int], confidence: float) -> tuple[float, float]:
    """Bounds of the sum of independent binomials, (n, how many of n are right), by convolution, over the sum of n."""
    shares = np.ones(1)
    for n, right in each:
        shares = np.convolve(shares, binom.pmf(np.arange(n + 1), n, right / n))
    return tuple(np.searchsorted(np.cumsum(shares), [(1 - confidence) / 2, (1 + confidence) / 2]) / (len(shares) - 1))


@pytest.mark.parametrize("counts, right", [((20,), (13,)), ((20, 30), (17, 4)), ((20, 30, 1), (17, 4, 1))], ids=str)
def test_speakers_of_a_clip_each_are_a_binomial_per_corpus(counts, right):
    """Resampling n speakers of whom k are right is a draw from binomial(n, k / n)."""
    speakers = named(*counts)
    truth = np.zeros(len(speakers), int)
    predicted = np.concatenate([np.arange(n) >= k for n, k in zip(counts, right, strict=True)]).astype(int)
    options = {"resamplings": 40_000, "confidence": 0.9, "rng": np.random.default_rng(0)}
    assert bootstrap(truth, predicted, speakers, 2, **options)["wa"] == pytest.approx(
        binomials(*zip(counts, right, strict=True), confidence=0.9)
    )


def test_one_corpus_is_resampled_as_speakers_without_a_corpus_are():
    truth, predicted, speakers = sample(6, seeds=2)
    names = np.array([f"ravdess/{k}" for k in speakers])
    plain, prefixed = (bootstrap(truth, predicted, who, 3, rng=np.random.default_rng(1), **OPTIONS) for who in (speakers, names))
    assert plain == prefixed


def test_one_speaker_per_corpus_tells_nothing_about_others():
    truth, (a, b), _ = sample(7, seeds=2, n=60)
    speakers = named(1, 1, 1, clips=20)
    assert bootstrap(truth, a, speakers, 3, rng=np.random.default_rng(0), **OPTIONS) == dict.fromkeys(FIGURES)
    assert paired_bootstrap(truth, a, b, speakers, 3, rng=np.random.default_rng(0), **OPTIONS)["uar"].p is None


def plainly(fold: tuple, times: int, rng: np.random.Generator) -> np.ndarray:
    """Figures of a fold under plain resampling: speakers drawn by name, corpus by corpus; shape (times, 3)."""
    truth, predicted, speakers = fold
    clips = {name: np.flatnonzero(speakers == name) for name in np.unique(speakers)}
    groups = [[name for name in clips if name[0] == corpus] for corpus in sorted({name[0] for name in clips})]
    result = []
    for _ in range(times):
        rows = np.concatenate([clips[name] for names in groups for name in rng.choice(names, len(names))])
        result.append([*scores(truth[rows], predicted[:, rows]).values()])
    return np.array(result)


def test_the_mean_over_folds_equals_plain_resampling():
    rng, folds = np.random.default_rng(8), []
    for number, counts in enumerate(((6, 3), (8, 1), (5, 4))):
        speakers = np.char.add(named(*counts, clips=9), f"-{number}")
        truth, predicted, _ = sample(number, 2, n=len(speakers))
        skill = np.repeat(rng.random(sum(counts)), 9)  # speakers differ
        predicted = np.where(rng.random((2, len(truth))) < skill, truth, predicted)
        folds.append((truth, predicted, speakers))
    found = bootstrap_of_folds(folds, 3, resamplings=4000, confidence=0.9, rng=np.random.default_rng(0))
    drawn = np.mean([plainly(fold, 600, rng) for fold in folds], axis=0)
    apart = [bootstrap(*fold, 3, resamplings=4000, confidence=0.9, rng=np.random.default_rng(0)) for fold in folds]
    for k, name in enumerate(("uar", "wa", "f1_macro")):
        expected = np.quantile(drawn[:, k], [0.05, 0.95])
        assert found[name] == pytest.approx(expected, abs=0.15 * np.ptp(expected))
        assert np.ptp(found[name]) < 0.8 * np.mean([np.ptp(one[name]) for one in apart]), "a mean scatters less than a fold"


def test_folds_of_one_clip_per_speaker_are_binomials():
    folds = [(np.zeros(30, int), (np.arange(30) >= right).astype(int), named(30 + k)[k:]) for k, right in enumerate((25, 8))]
    found = bootstrap_of_folds(folds, 2, resamplings=40_000, confidence=0.9, rng=np.random.default_rng(0))["wa"]
    assert found == pytest.approx(binomials((30, 25), (30, 8), confidence=0.9))


def test_folds_of_the_same_speakers_are_no_more_speakers():
    """Under the leaky protocol every fold tests everybody: five folds tell no more of other speakers than one."""
    truth, predicted, speakers = sample(9, seeds=2, n_speakers=8)
    names = np.array([f"a/{k}" for k in speakers])
    one, same, others = (
        bootstrap_of_folds(folds, 3, resamplings=400, confidence=0.9, rng=np.random.default_rng(1))
        for folds in (
            [(truth, predicted, names)],
            [(truth, predicted, names)] * 5,
            [(truth, predicted, np.char.add(names, str(k))) for k in range(5)],
        )
    )
    for name in FIGURES:
        assert same[name] == pytest.approx(one[name])
        assert np.ptp(others[name]) < 0.7 * np.ptp(one[name])
    assert one == bootstrap(truth, predicted, names, 3, resamplings=400, confidence=0.9, rng=np.random.default_rng(1))


def test_a_fold_that_tells_nothing_about_others_leaves_the_mean_without_an_interval():
    truth, predicted, speakers = sample(10, seeds=1)
    folds = [(truth, predicted, speakers), (truth, predicted, named(1, 1, clips=30))]
    assert bootstrap_of_folds(folds, 3, rng=np.random.default_rng(0), **OPTIONS) == dict.fromkeys(FIGURES)
