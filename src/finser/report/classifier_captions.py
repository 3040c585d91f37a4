"""Captions of the section *Emotion*. One idea per sentence; a sentence is left out where its condition does not hold."""

from finser.report import classifier_tables, tables
from finser.report.captions import sentences, when
from finser.report.read import Results
from finser.scores.intervals import FEWEST

READ_BY_SVM = {
    "statistics": "summary statistics of MFCC, energy and zero crossings",
    "egemaps": "openSMILE's functionals of eGeMAPSv02",
    "compare_2016": "openSMILE's functionals of ComParE_2016",
}
ENCODER = "*Encoder*: all parameters of the encoder of speech that a model uses, trained or not."


def title(protocol: str) -> str:
    """``Protocol random (LEAKY)``: every caption of a protocol begins with it."""
    return f"Protocol {tables.PROTOCOL_TITLES[protocol]}"


def all_folds(results: Results) -> str:
    """Return which folds and seeds a score of a protocol covers."""
    return "all folds together" + when(_seeds(results), ", mean over the seeds")


def in_brief(results: Results) -> str:
    """UAR of every model and protocol."""
    params = results.params
    where = "of all folds together, in brackets the minimum and the maximum of a fold" if len(params.folds) > 1 else "of the fold"
    return sentences(
        f"Emotion in brief: UAR, the mean recall of the emotions, on the test clips {where}.",
        when(len(params.pooled) > 1, "It is the mean over the corpora."),
        "The interval is over test speakers.",
        when(
            _partial(results),
            "Where corpora are named in brackets, the interval covers only these corpora; the value after *about* is their UAR.",
        ),
        f"A dash: no corpus has at least {FEWEST} test speakers, or the score is the same without any one speaker.",
        "Parameters are the trained ones, without those of frozen FINs.",
        when(classifier_tables.with_encoders(results), ENCODER),
        when(_leaky(results), f"Under {_leaky(results)}, LEAKY, test speakers are also trained on."),
        when(
            "cross_corpus" in params.protocols,
            "Under one corpus out, each fold tests on a corpus that is not trained on, over the emotions that it shares with the others.",
        ),
        when(results.baseline, "The baseline is the SVM on the same clips."),
        _of_seeds(results),
    )


def _seeds(results: Results) -> bool:
    return len(results.params.seeds) > 1


def _partial(results: Results) -> bool:
    return classifier_tables.partial_intervals(results)


def _of_seeds(results: Results) -> str:
    """How scores are averaged over several seeds; empty for one."""
    fusion = when(results.params.fusions, "A late fusion is one prediction of all seeds.")
    return when(_seeds(results), sentences(f"Scores of networks are means over {len(results.params.seeds)} seeds of training.", fusion))


def intro(results: Results) -> str:
    """Scores, intervals, seeds and the baseline, a paragraph each."""
    scores = sentences(
        "UAR is the mean recall over the emotions of a corpus, WA the fraction of clips that are recognised,",
        "macro-F1 the mean F1 of the same emotions.",
        when(len(results.params.pooled) > 1, "Each is taken per corpus, of all its test clips together, and averaged over the corpora."),
    )
    seeds = when(_seeds(results), sentences(_of_seeds(results), "The intervals say nothing about further seeds."))
    return "\n\n".join(filter(None, [scores, _intervals(results), seeds, when(results.baseline, _baseline(results))]))


def _baseline(results: Results) -> str:
    """What the baseline reads."""
    svm = results.params.classifiers.get(results.baseline)
    return f"The baseline is an SVM on {READ_BY_SVM[svm.representation]}, trained on the same fold." if svm else ""


def _leaky(results: Results) -> str:
    """The protocols of the run in which speakers are in several parts."""
    return " and ".join(split.protocol for split in results.splits if split.leaky)


def _intervals(results: Results) -> str:
    """The intervals: method, interpretation, and the meaning of a dash."""
    return sentences(
        f"The {results.params.evaluate_classifier.confidence:.0%} interval is that of the delete-one-speaker jackknife with Student's t.",
        "It estimates how the score would vary with other speakers of these corpora.",
        when(
            _leaky(results),
            f"This does not hold under {_leaky(results)}, where test speakers were trained on, too: there, interval and p refer to other "
            "clips of the same speakers.",
        ),
        f"It covers the corpora with at least {FEWEST} test speakers, which are named in brackets if they are not all.",
        "A dash: no corpus has that number, or the score is the same without any one speaker.",
    )


def sections() -> str:
    """The models' settings."""
    return sentences(
        "The models: sections of params.yaml, whose values are at the end of this page.",
        "The groups, in their order: baselines; networks trained from scratch; those that start from an encoder pretrained here by",
        "imitation, from the FINs, or from published weights; late fusions.",
        "Models of different kinds may also differ in epochs, crops and variants.",
        "*Training speakers* is the fraction of them that a model is trained on.",
    )


def by_fold(results: Results, protocol: str) -> str:
    """Scores per fold."""
    return sentences(
        f"{title(protocol)}: test scores per model and fold.",
        when(len(results.params.folds) > 1, "The rows *all* are of the test clips of all folds together."),
        when(_seeds(results), "In brackets: the minimum and the maximum UAR of a seed."),
    )


def pairs(results: Results, protocol: str) -> str:
    """Comparisons."""
    corrected = classifier_tables.corrected(results, protocol)
    return sentences(
        f"{title(protocol)}: differences of UAR, {all_folds(results)}, paired by test speaker.",
        "p is two-sided.",
        when(corrected > 1, f"*Holm* corrects it for the {corrected} comparisons of this table that have a p."),
        when(_partial(results), "Where corpora are named in brackets, p and interval are of these alone, about their difference."),
        "p says nothing about other seeds of training than those that were run, nor about other corpora.",
        when(
            classifier_tables.fins_on_test_speakers(results, protocol),
            "Where the FINs of a model were trained on test speakers (note above), part of its differences may be due to that.",
        ),
    )


def weights(results: Results, protocol: str) -> str:
    """Weights of late fusions."""
    together = when(_seeds(results), ", all its seeds together")
    spread = when(len(results.params.folds) > 1, ", mean over the folds and range")
    return sentences(
        f"{title(protocol)}: the weight of each member of a late fusion{together}{spread}.",
        "Weights of a stacked fusion are fitted on validation clips; those of a mean are equal.",
        "Each member's probabilities are first scaled by its own temperature.",
    )


def per_class(results: Results, protocol: str) -> str:
    """Precision, recall, F1."""
    return sentences(
        f"{title(protocol)}: precision, recall and F1 per emotion, {all_folds(results)}.",
        when(len(results.params.pooled) > 1, "The clips of all corpora are in one count."),
    )


def per_corpus(results: Results, protocol: str) -> str:
    """UAR of every corpus."""
    shared = when(protocol == "cross_corpus", " and shares with the training part")
    return sentences(
        f"{title(protocol)}: UAR per corpus, {all_folds(results)}, over the emotions that the corpus has{shared}.",
        "In brackets: its interval, if there is one.",
        "The corpus is the one not trained on. A dash: no fold tests it."
        if protocol == "cross_corpus"
        else "A model is trained on all its corpora at once.",
    )


def hints(protocol: str) -> str:
    """UAR if the corpus were known."""
    return sentences(
        f"{title(protocol)}: the corpus as a hint.",
        "The corpora have different emotions, so a model that recognises the corpus can exclude some.",
        "*Own emotions*: predictions restricted to the emotions of the clip's corpus, as if the corpus were known.",
        "A model that gains little has learned to recognise the corpus, or rarely confuses an emotion with one that the corpus lacks.",
    )


def per_sex(results: Results, protocol: str) -> str:
    """UAR of women and men."""
    single = classifier_tables.one_sex(results)
    return sentences(
        f"{title(protocol)}: UAR on women and on men of the test speakers, with their numbers, {all_folds(results)}.",
        when(single, f"All speakers of {' and of '.join(single)} are of one sex, so the two groups differ in corpus, too."),
        when(classifier_tables.unstated_sex(results), "Speakers whose sex is not stated are in neither group."),
    )


def per_speaker(results: Results, protocol: str) -> str:
    """The worst and the best speaker."""
    return sentences(
        f"{title(protocol)}: the test speakers that a model does worst and best on, {all_folds(results)}.",
        "UAR is over the emotions of which the speaker has test clips.",
    )


def speakers(results: Results) -> str:
    """The picture of all speakers."""
    return f"UAR of every test speaker, {all_folds(results)}, a panel per model, in ascending order. The grey line is the speakers' mean."


def confusion(results: Results) -> str:
    """Confusion matrices."""
    return f"{all_folds(results)}. The shade is the fraction of the row; the number counts clips."


def calibration(results: Results, protocol: str) -> str:
    """ECE and NLL."""
    return sentences(
        f"{title(protocol)}: calibration on test clips, mean over the folds{when(_seeds(results), ' and seeds')}.",
        "ECE is the expected calibration error (15 bins), NLL the negative log-likelihood of the true emotion.",
        "*Scaled* is after temperature scaling, with the temperature fitted on the validation part.",
        "A temperature above 1 means that the model is overconfident.",
        "The ECE of few clips is too large even of a perfectly calibrated model.",
        "An SVM gives no probabilities. A softmax of its votes between pairs of emotions is used, which is nearly the same for every clip.",
        "A small ECE of an SVM therefore means only that this value is close to its accuracy.",
    )


def reliability(results: Results) -> str:
    """The reliability diagrams."""
    together, own = (" and seeds", "fold and seed") if _seeds(results) else ("", "fold")
    return sentences(
        f"fraction of correct predictions over confidence, in ten bins, all folds{together} together, a panel per model.",
        "The larger a mark, the more clips.",
        "On the grey line, confidence equals that fraction.",
        f"Scaled: by the temperature that is fitted on the validation part of each {own}; the table has the means.",
    )


def layers(results: Results, protocol: str) -> str:
    """The picture of the layers of encoders."""
    found = {one["score"] for one in classifier_tables.layers(results, protocol).values()}
    over = "folds and seeds" if _seeds(results) else "folds"
    weights = sentences(
        f"Bars: the weight of each layer in the trained sum of the layers, mean over the {over}; lines from the minimum to the maximum;",
        "dashed: equal weights.",
        "Only a frozen encoder's layers are scaled to unit variance before they are summed.",
    )
    uars = sentences(
        "Curves: validation UAR of a probe on each layer, with its best C, mean over the folds; shaded from the minimum to the maximum;",
        "filled: a layer that a fold chose.",
        "Each fold chooses its layer by this UAR, which is therefore too high for the chosen layer.",
    )
    return sentences("layers of the encoders, the lowest first.", when("weight" in found, weights), when("validation_uar" in found, uars))


def noise(results: Results, protocol: str) -> str:
    """UAR in noise."""
    return sentences(
        f"{title(protocol)}: UAR of test clips in noise, mean over the folds, of the first seed's classifier.",
        f"Up to {results.params.evaluate_classifier.noise.clips} test clips of each fold are used, so *clean* differs from the UAR above.",
        "There is no interval: with so few clips a UAR changes by .1 by chance.",
        "Babble is a mixture of voices of the training part.",
    )


def noise_curves() -> str:
    """The picture of UAR in noise."""
    return "UAR over the signal-to-noise ratio, mean over the folds, a panel per model. White noise is solid, babble dashed."


def learning(results: Results, protocol: str) -> str:
    """Learning curves."""
    return sentences(
        f"{title(protocol)}: models that differ only in how many of the training speakers they use (number: mean over the folds).",
        f"UAR and its interval, {all_folds(results)}.",
    )


def learning_curves() -> str:
    """The picture of learning curves."""
    return "UAR over the number of training speakers, with its interval. Where the interval covers some corpora alone, the UAR is theirs."


def cost(results: Results, protocol: str) -> str:
    """Parameters and times."""
    return sentences(
        f"{title(protocol)}: what the models cost, means over the folds{when(_seeds(results), ' and seeds')}.",
        "Where folds differ in parameters or epochs, the minimum and the maximum are shown.",
        "All times are wall-clock times and include delays by other processes on the machine.",
        "Training includes what is computed once before the epochs.",
        "*From samples*: from the samples of a clip to its probabilities, as in a prediction: librosa's features, encoder and classifier,",
        "for some test clips in one call, on a GPU if the job has one.",
        "*Classifier alone*: without the computation of its inputs.",
        "Parameters are the trained ones, without those of frozen FINs.",
        when(classifier_tables.with_encoders(results), ENCODER),
    )


def gap() -> str:
    """The leak."""
    return sentences(
        "UAR under random (LEAKY) and speaker, all folds together, and the difference.",
        "The difference is what a score gains when test speakers are trained on.",
        "Part of it may have other causes: random trains on other numbers of clips and speakers, and tests other clips.",
    )


def published(synthetic: bool) -> str:
    """Values of others."""
    real = when(synthetic, ", not on the synthetic speech of this page")
    return sentences(
        f"Published, for orientation: values of others on real recordings{real}, each under its own protocol, with its source.",
        "Those under random are LEAKY: test speakers were also trained on.",
        "Where the best epoch or checkpoint was chosen on the test part, the value is too high for that reason, too.",
    )


def training_curves(results: Results) -> str:
    """The picture of a network's training."""
    return f"loss in training and UAR in validation over epochs, a line per fold{when(_seeds(results), ' and seed')}."
