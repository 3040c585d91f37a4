"""Checks across sections of params.yaml; each function yields one line per contradiction."""

from collections import Counter
from collections.abc import Iterator

from finser.config.fields import Fields, init_kind
from finser.config.sections.classifiers import FINS, WITH_FINS, ClassifierSection, FinEnsemble
from finser.config.sections.features import REPRESENTATIONS
from finser.errors import nearest


def contradictions(params: Fields) -> list[str]:
    """Return all lines of the first group of checks that finds a contradiction: later checks rely on names that earlier ones check."""
    for checks in (
        (known_corpora, known_classifiers, known_fusions, known_pairs, nothing_twice),
        (initial_weights,),
        (cross_corpus_folds, labels_of_disturbed_frames, trunks, trained_on, representations, members, comparisons),
    ):
        wrong = [line for check in checks for line in check(params)]
        if wrong:
            return wrong
    return []


def known_corpora(params: Fields) -> Iterator[str]:
    """Corpora, folds and protocols that are named exist."""
    for where, named in (
        ("fetch", params.fetch),
        ("train_fin.data.corpora", params.train_fin.data.corpora),
        ("pooled", params.pooled),
    ):
        yield from (f"{where} names '{corpus}', which is not in corpora" for corpus in named if corpus not in params.corpora)
    for corpus in params.corpora:
        if corpus not in params.fetch:
            yield f"corpora names '{corpus}', which has no source under fetch"
    for fold in (*params.folds, params.train_fin.data.fold):
        if fold > params.split.folds:
            yield f"fold {fold} does not exist: split.folds is {params.split.folds}"


def known_classifiers(params: Fields) -> Iterator[str]:
    """Classifiers that are named have one section."""
    for name in params.train_classifier:
        if name in params.fine_tune:
            yield f"'{name}' is a section of train_classifier and of fine_tune: rename or delete one"
    for name in params.models:
        if name not in params.classifiers:
            yield f"models names '{name}', which is no section of train_classifier or fine_tune; {nearest(name, params.classifiers)}"
    for trunk in params.pretrain.trunks:
        if trunk in params.fine_tune:
            yield f"pretrain.trunks names '{trunk}', a section of fine_tune; name one of train_classifier: pretraining starts at random"
        elif not hasattr(params.train_classifier.get(trunk), "trunk_shape"):
            yield f"pretrain.trunks names '{trunk}', which is no section of train_classifier with a network that can be pretrained"


def known_fusions(params: Fields) -> Iterator[str]:
    """Fusions have a section, and their members are classifiers."""
    for name in params.fusions:
        if name not in params.fuse_classifiers:
            yield f"fusions names '{name}', which is no section of fuse_classifiers; {nearest(name, params.fuse_classifiers)}"
    for name, options in params.fuse_classifiers.items():
        if name in params.classifiers:
            yield f"'{name}' is a section of fuse_classifiers and a classifier: rename one"
        for member in options.members:
            if member not in params.classifiers:
                yield (
                    f"fuse_classifiers.{name}.members names '{member}', which is no section of train_classifier or fine_tune; "
                    f"{nearest(member, params.classifiers)}"
                )


def known_pairs(params: Fields) -> Iterator[str]:
    """Pairs are of classifiers and fusions that have a section, whether they are run or not."""
    known = (*params.classifiers, *params.fuse_classifiers)
    for name in dict.fromkeys(name for pair in params.summarise.pairs for name in pair):
        if name not in known:
            yield f"summarise.pairs names '{name}', which is neither a classifier nor a fusion; {nearest(name, known)}"


def nothing_twice(params: Fields) -> Iterator[str]:
    """No list names something twice."""
    noise = params.evaluate_classifier.noise
    listed = {name: getattr(params, name) for name in ("corpora", "pooled", "models", "fusions", "protocols", "folds", "seeds")}
    listed |= {f"compare_fin.{name}": getattr(params.compare_fin, name) for name in ("features", "ways", "seeds")}
    listed |= {f"reference_fin.{name}": getattr(params.reference_fin, name) for name in ("features", "seeds")}
    listed["train_fin.data.corpora"] = params.train_fin.data.corpora
    listed |= {f"evaluate_classifier.noise.{name}": getattr(noise, name) for name in ("kinds", "snr_db")}
    listed |= {f"pretrain.{name}": getattr(params.pretrain, name) for name in ("trunks", "corpora", "variants")}
    listed |= {f"fuse_classifiers.{name}.members": fusion.members for name, fusion in params.fuse_classifiers.items()}
    for where, options in _sections(params):
        listed |= {f"{where}.{name}": getattr(options, name, ()) for name in ("corpora", "variants", "fins")}
    for name, values in listed.items():
        if len(set(values or ())) < len(values or ()):
            yield f"{name} names something twice: {', '.join(map(str, values))}"


def initial_weights(params: Fields) -> Iterator[str]:
    """Every section of fine_tune has ``init``, no other section has it, and it names weights that the section can start from."""
    for name, options in params.train_classifier.items():
        if options.init is not None:
            yield f"train_classifier.{name} starts from trained weights ({options.init}): move the section to fine_tune"
        elif getattr(options, "arm", None) in WITH_FINS:
            yield f"train_classifier.{name} has the arm `{options.arm}`, which starts from FINs: move it to fine_tune, with init: {FINS}"
    for name, options in params.fine_tune.items():
        yield from _initial_weights_of(params, f"fine_tune.{name}", options)


def _initial_weights_of(params: Fields, where: str, options: ClassifierSection) -> Iterator[str]:
    """Of one section of fine_tune."""
    kind, name = init_kind(options.init)
    if not kind:
        yield f"{where} names no initial weights: add init, or move the section to train_classifier"
    elif isinstance(options, FinEnsemble) != (kind == "fins"):
        yield f"{where}.init is {options.init}: {FINS} is for fin_ensemble, and fin_ensemble starts from nothing else"
    elif kind == "fins" and options.arm not in WITH_FINS:
        yield f"{where} has the arm `{options.arm}`, which uses no trained FIN: move the section to train_classifier, without init"
    elif kind == "pretrained" and not hasattr(options, "trunk_shape"):
        yield f"{where}.init is {options.init}, and {options.model} has no pretrained encoder"
    elif kind == "pretrained" and name not in params.pretrain.trunks:
        yield f"{where}.init is {options.init}, and pretrain.trunks does not name '{name}'; {nearest(name, params.pretrain.trunks)}"
    elif kind == "weights" and not hasattr(options, "model_size"):
        yield f"{where}.init is {options.init}, and published weights are for ast alone"
    elif kind == "weights" and name not in params.fetch_weights:
        yield f"{where}.init is {options.init}, and '{name}' is no section of fetch_weights; {nearest(name, params.fetch_weights)}"
    elif kind == "weights" and params.fetch_weights[name].model_size != options.model_size:
        size = params.fetch_weights[name].model_size
        yield f"{where}.model_size is '{options.model_size}', and fetch_weights.{name} has weights of '{size}'"


def trunks(params: Fields) -> Iterator[str]:
    """A pretrained encoder has the shape of every network that starts from it."""
    for section, options in params.fine_tune.items():
        kind, trunk = init_kind(options.init)
        if kind != "pretrained":
            continue
        own, given = options.trunk_shape, params.train_classifier[trunk].trunk_shape
        for key in own:
            if own[key] != given.get(key):
                here, there = f"fine_tune.{section}.{key} is {own[key]!r}", f"train_classifier.{trunk}.{key} is {given.get(key)!r}"
                yield f"{here}, but {there}: {options.init} has another shape"


def cross_corpus_folds(params: Fields) -> Iterator[str]:
    """Under cross_corpus every fold has a corpus to test on and others to train on."""
    if "cross_corpus" not in params.protocols:
        return
    count = len(params.pooled)
    if count < 2:
        yield "protocols names cross_corpus, which needs two or more corpora in pooled; there is one"
        return
    for fold in params.folds:
        if fold > count:
            yield f"folds names {fold}, and cross_corpus has {count}: one per corpus of pooled"
        else:
            yield from _trained_and_tested(params, params.pooled[fold - 1])


def _trained_and_tested(params: Fields, left_out: str) -> Iterator[str]:
    for where, options in _sections(params):
        corpora = options.corpora
        if where.split(".")[1] in params.models and corpora is not None and (left_out not in corpora or len(set(corpora)) < 2):
            yield (
                f"protocols names cross_corpus, a fold of which tests on {left_out} alone and trains on other corpora; "
                f"{where}.corpora must name {left_out} and another one, or be left out"
            )


def labels_of_disturbed_frames(params: Fields) -> Iterator[str]:
    """Labels of changed or synthetic frames can be computed."""
    disturbance = params.train_fin.data.disturbance
    fractions = {f"train_fin.data.disturbance.{name}": getattr(disturbance, name) for name in ("noise", "origin_16k", "origin_8k")}
    if "end_to_end" in params.compare_fin.ways:
        fractions["compare_fin.end_to_end.excitation"] = params.compare_fin.end_to_end.excitation
    wrong = ", ".join(name for name, fraction in fractions.items() if fraction)
    if params.label.definition != "frame" and wrong:
        yield (
            f"under label.definition {params.label.definition} there must be 0 for {wrong}: "
            "a label that depends on the whole clip cannot be computed for a frame that is changed or synthetic"
        )


def trained_on(params: Fields) -> Iterator[str]:
    """Variants and corpora that are trained on exist, and an arm has the features that it needs."""
    for where, options in (("pretrain", params.pretrain), *_sections(params)):
        for variant in options.variants:
            if variant not in params.variants:
                yield f"{where}.variants names '{variant}', which augment.variants does not; {nearest(variant, params.variants)}"
        for corpus in options.corpora or ():
            if corpus not in params.pooled:
                yield f"{where}.corpora names '{corpus}', which is not in pooled"
        if isinstance(options, FinEnsemble) and (options.arm == "librosa") == bool(options.fins):
            yield f"{where}.fins must be [] in the arm `librosa`, and name a feature in the others"


def representations(params: Fields) -> Iterator[str]:
    """Classifiers that are run, and encoders that are pretrained, read stored representations of the variants that they train on."""
    computed, variants = params.features.representations, params.features.filter_bank_variants
    for variant in variants:
        if variant not in params.variants:
            yield f"features.filter_bank_variants names '{variant}', which augment.variants does not; {nearest(variant, params.variants)}"
    for where, options in _sections(params):
        if where.split(".")[1] not in (*params.models, *params.pretrain.trunks):
            continue
        for name in options.reads:
            if name in REPRESENTATIONS and name not in computed:
                yield f"{where} (model {options.model}) reads {name}, which features.representations does not name: add it there"
        if "filter_banks" in options.reads:
            yield from _lacking(where, options.variants, variants)
    if any("filter_banks" in params.train_classifier[trunk].reads for trunk in params.pretrain.trunks):
        yield from _lacking("pretrain", params.pretrain.variants, variants)


def _lacking(where: str, asked: tuple[str, ...], computed: tuple[str, ...]) -> Iterator[str]:
    for variant in sorted(set(asked) - set(computed))[:1]:
        yield f"{where}.variants names '{variant}', which features.filter_bank_variants does not: add it there"


def members(params: Fields) -> Iterator[str]:
    """A fusion that is run has members to fuse, all of the same corpora."""
    for name in params.fusions:
        named, run = params.fuse_classifiers[name].members, params.members_of(name)
        if len(run) < min(2, len(named)):  # a fusion of one classifier's seeds names one
            some = f"only '{run[0]}'" if run else "none"
            yield f"fuse_classifiers.{name} needs two members in models and has {some}: take '{name}' out of fusions, or add one to models"
        elif len({frozenset(params.classifiers[member].corpora or params.pooled) for member in run}) > 1:
            yield f"fuse_classifiers.{name}.members are trained and tested on different corpora"


def comparisons(params: Fields) -> Iterator[str]:
    """Pairs are two different models, named once; pairs that are run are tested on the same corpora."""
    for pair, times in Counter(params.summarise.pairs).items():
        if pair[0] == pair[1]:
            yield f"summarise.pairs compares '{pair[0]}' with itself"
        elif times > 1:
            yield f"summarise.pairs names '{pair[0]}' against '{pair[1]}' twice"
    for pair in dict.fromkeys(params.pairs):
        if all(name in params.models or params.members_of(name) for name in pair):  # else :func:`members` reports it
            first, second = (params.corpora_of(name) for name in pair)
            if first != second:
                yield (
                    f"summarise.pairs compares '{pair[0]}' and '{pair[1]}', which are tested on different corpora: "
                    f"{', '.join(sorted(first))}; {', '.join(sorted(second))}"
                )


def _sections(params: Fields) -> Iterator[tuple[str, ClassifierSection]]:
    """Every classifier's section, with its place in the file."""
    for name in ("train_classifier", "fine_tune"):
        for section, options in getattr(params, name).items():
            yield f"{name}.{section}", options
