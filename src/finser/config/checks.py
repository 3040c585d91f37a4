"""Checks across sections of params.yaml; each function yields contradictions, with the keys that decide them.

Every check skips names of sections that do not exist, because other checks report these names. One run therefore finds all contradictions.
"""

from collections import Counter
from collections.abc import Iterator

from finser.config.contradiction import Contradiction, sections
from finser.config.corpus_checks import cross_corpus_folds, emotions_of_tables, known_corpora, known_folds, own_splits, sources, titles
from finser.config.fields import Fields, init_kind
from finser.config.sections.classifiers import (
    FINS,
    PUBLISHED,
    WITH_FINS,
    Ast,
    ClassifierSection,
    EncoderProbe,
    EncoderSection,
    EncoderTuned,
    FinEnsemble,
)
from finser.config.sections.features import REPRESENTATIONS
from finser.config.sections.known_weights import AST_FAMILIES, KNOWN, SPEECH_FAMILIES
from finser.errors import nearest


def contradictions(params: Fields) -> list[Contradiction]:
    """Return all contradictions of a file."""
    checks = (
        known_corpora,
        sources,
        titles,
        emotions_of_tables,
        known_folds,
        own_splits,
        cross_corpus_folds,
        known_classifiers,
        known_fusions,
        known_pairs,
        nothing_twice,
        known_weights,
        initial_weights,
        encoders,
        tuned_encoders,
        trunks,
        labels_of_disturbed_frames,
        trained_on,
        representations,
        members,
        comparisons,
    )
    return [found for check in checks for found in check(params)]


def _sections_named(*names: str) -> tuple[str, ...]:
    """Return the keys of the classifiers of some names, whichever map they are in."""
    return tuple(f"{place}.{name}" for name in names for place in ("train_classifier", "fine_tune"))


def known_classifiers(params: Fields) -> Iterator[Contradiction]:
    """Classifiers that are named have one section."""
    for name in params.train_classifier:
        if name in params.fine_tune:
            line = f"'{name}' is a section of train_classifier and of fine_tune: rename or delete one"
            yield Contradiction(line, _sections_named(name))
    for name in params.models:
        if name not in params.classifiers:
            line = f"models names '{name}', which is no section of train_classifier or fine_tune; {nearest(name, params.classifiers)}"
            yield Contradiction(line, ("models", *_sections_named(name)))
    for name in params.final:
        if name not in params.models:
            line = f"final names '{name}', which models does not name, and it needs its cross-validation; {nearest(name, params.models)}"
            yield Contradiction(line, ("final", "models"))
        elif name in params.classifiers and params.classifiers[name].speakers < 1:
            line = f"final names '{name}', which is for learning curves: train_classifier.{name}.speakers is a fraction of the speakers"
            yield Contradiction(line, ("final", *(f"{section}.speakers" for section in _sections_named(name))))
        elif getattr(params.classifiers.get(name), "normalise", "train") == "speaker":
            line = f"final names '{name}', which scales the clips of each speaker together: a bundle predicts one clip at a time"
            yield Contradiction(line, ("final", *(f"{section}.normalise" for section in _sections_named(name))))
    if params.final and not params.main_protocol:
        line = "final trains on all speakers with the epochs of a protocol that keeps speakers apart: add speaker to protocols"
        yield Contradiction(line, ("final", "protocols"))
    for trunk in params.pretrain.trunks:
        keys = ("pretrain.trunks", *_sections_named(trunk))
        if trunk in params.fine_tune:
            line = f"pretrain.trunks names '{trunk}', a section of fine_tune; name one of train_classifier: pretraining starts at random"
            yield Contradiction(line, keys)
        elif not hasattr(params.train_classifier.get(trunk), "trunk_shape"):
            line = f"pretrain.trunks names '{trunk}', which is no section of train_classifier with a network that can be pretrained"
            yield Contradiction(line, keys)


def known_fusions(params: Fields) -> Iterator[Contradiction]:
    """Fusions have a section, and their members are classifiers."""
    for name in params.fusions:
        if name not in params.fuse_classifiers:
            line = f"fusions names '{name}', which is no section of fuse_classifiers; {nearest(name, params.fuse_classifiers)}"
            yield Contradiction(line, ("fusions", f"fuse_classifiers.{name}"))
    for name, options in params.fuse_classifiers.items():
        if name in params.classifiers:
            line = f"'{name}' is a section of fuse_classifiers and a classifier: rename one"
            yield Contradiction(line, (f"fuse_classifiers.{name}", *_sections_named(name)))
        where = f"fuse_classifiers.{name}.members"
        for member in options.members:
            if member not in params.classifiers:
                line = (
                    f"{where} names '{member}', which is no section of train_classifier or fine_tune; {nearest(member, params.classifiers)}"
                )
                yield Contradiction(line, (where, *_sections_named(member)))


def known_pairs(params: Fields) -> Iterator[Contradiction]:
    """Pairs are of classifiers and fusions that have a section, whether they are run or not."""
    known = (*params.classifiers, *params.fuse_classifiers)
    for name in dict.fromkeys(name for pair in params.summarise.pairs for name in pair):
        if name not in known:
            line = f"summarise.pairs names '{name}', which is neither a classifier nor a fusion; {nearest(name, known)}"
            yield Contradiction(line, ("summarise.pairs", f"fuse_classifiers.{name}", *_sections_named(name)))


def nothing_twice(params: Fields) -> Iterator[Contradiction]:
    """No list names something twice."""
    noise = params.evaluate_classifier.noise
    listed = {
        name: getattr(params, name)
        for name in ("corpora", "pooled", "emotions", "models", "fusions", "final", "protocols", "folds", "seeds")
    }
    listed |= {f"compare_fin.{name}": getattr(params.compare_fin, name) for name in ("features", "ways", "seeds")}
    listed |= {f"reference_fin.{name}": getattr(params.reference_fin, name) for name in ("features", "seeds")}
    listed |= {f"features.{name}": getattr(params.features, name) for name in ("representations", "encoders", "encoder_variants")}
    listed["train_fin.data.corpora"] = params.train_fin.data.corpora
    listed |= {f"evaluate_classifier.noise.{name}": getattr(noise, name) for name in ("kinds", "snr_db")}
    listed |= {f"pretrain.{name}": getattr(params.pretrain, name) for name in ("trunks", "corpora", "variants")}
    listed |= {f"fuse_classifiers.{name}.members": fusion.members for name, fusion in params.fuse_classifiers.items()}
    for where, options in sections(params):
        listed |= {f"{where}.{name}": getattr(options, name, ()) for name in ("corpora", "variants", "fins", "statistics")}
        listed |= {f"{where}.c": options.c} if isinstance(options, EncoderProbe) else {}
    for name, values in listed.items():
        if len(set(values or ())) < len(values or ()):
            yield Contradiction(f"{name} names something twice: {', '.join(map(str, values))}", (name,))


def known_weights(params: Fields) -> Iterator[Contradiction]:
    """Sections of fetch_weights without a source have the name of known weights; only those of a hub have another revision or file."""
    for name, options in params.fetch_weights.items():
        where = f"fetch_weights.{name}"
        if options.source is None and name not in KNOWN:
            line = f"{where} has no source, and '{name}' is no name of known weights; {nearest(name, KNOWN)} `finser weights` lists them"
            yield Contradiction(line, (where,))
        elif options.source is None and KNOWN[name].weights.source != "hub" and (options.revision or options.file or options.sha256):
            line = f"{where} is fetched from the address in the table of known weights, which has no other revision, file or sha256"
            yield Contradiction(line, (where,))


def initial_weights(params: Fields) -> Iterator[Contradiction]:
    """Every section of fine_tune has ``init``, no other section has it, and it names weights that the section can start from."""
    for name, options in params.train_classifier.items():
        where = f"train_classifier.{name}"
        if options.init is not None:
            line = f"{where} starts from trained weights ({options.init}): move the section to fine_tune"
            yield Contradiction(line, (f"{where}.init",))
        elif getattr(options, "arm", None) in WITH_FINS:
            line = f"{where} has the arm `{options.arm}`, which starts from FINs: move it to fine_tune, with init: {FINS}"
            yield Contradiction(line, (f"{where}.arm", f"{where}.init"))
        elif options.needs_encoder:
            line = f"{where} (model {options.model}) needs the weights of an encoder: move it to fine_tune, with init: {PUBLISHED}NAME"
            yield Contradiction(line, (f"{where}.model", f"{where}.init"))
    for name, options in params.fine_tune.items():
        where, (kind, weights) = f"fine_tune.{name}", init_kind(options.init)
        line = _unfit_init(where, options) if kind in ("", "fins") else _unfit_weights(params, where, options)
        source = {"pretrained": "pretrain.trunks", "weights": f"fetch_weights.{weights}"}.get(kind, f"{where}.arm")
        if line:
            yield Contradiction(line, (f"{where}.init", f"{where}.model_size", source))


def _unfit_init(where: str, options: ClassifierSection) -> str | None:
    """Return why a section of fine_tune cannot start without weights, or from FINs."""
    if not options.init and options.needs_encoder:
        return f"{where} names no weights of an encoder: add init: {PUBLISHED}NAME"
    if not options.init:
        return f"{where} names no initial weights: add init, or move the section to train_classifier"
    if not isinstance(options, FinEnsemble):
        return f"{where}.init is {FINS}, which is for fin_ensemble alone"
    if options.arm not in WITH_FINS:
        return f"{where} has the arm `{options.arm}`, which uses no trained FIN: move the section to train_classifier, without init"
    return None


def _unfit_weights(params: Fields, where: str, options: ClassifierSection) -> str | None:
    """Return why a section of fine_tune cannot start from the pretrained encoder or the published weights that ``init`` names."""
    kind, name = init_kind(options.init)
    if isinstance(options, FinEnsemble):
        return f"{where}.init is {options.init}, and fin_ensemble starts from {FINS} alone"
    if kind == "pretrained" and not hasattr(options, "trunk_shape"):
        return f"{where}.init is {options.init}, and {options.model} has no pretrained encoder"
    if kind == "pretrained" and name not in params.pretrain.trunks:
        return f"{where}.init is {options.init}, and pretrain.trunks does not name '{name}'; {nearest(name, params.pretrain.trunks)}"
    if kind == "weights" and not isinstance(options, Ast) and not options.needs_encoder:
        return f"{where}.init is {options.init}, and published weights are for ast and the classifiers on encoders alone"
    return _unfit_published(params, where, options, name) if kind == "weights" else None


def _unfit_published(params: Fields, where: str, options: ClassifierSection, name: str) -> str | None:
    """Return why an AST, or a classifier on an encoder of speech, cannot start from the section `name` of fetch_weights."""
    if name not in params.fetch_weights:
        do = f"add `{name}: {{}}` to fetch_weights" if name in KNOWN else nearest(name, params.fetch_weights)
        return f"{where}.init is {options.init}, and '{name}' is no section of fetch_weights; {do}"
    if params.fetch_weights[name].source is None and name not in KNOWN:
        return None  # another check reports it
    weights, families = params.weights_of(name), SPEECH_FAMILIES if options.needs_encoder else AST_FAMILIES
    if weights.family not in families:
        who = options.model if options.needs_encoder else "an AST"
        return f"{where}.init is {options.init}, which is of the family {weights.family}; {who} starts from {' or '.join(families)}"
    if isinstance(options, Ast) and weights.model_size != options.model_size:
        return f"{where}.model_size is '{options.model_size}', and fetch_weights.{name} has weights of '{weights.model_size}'"
    return None


def tuned_encoders(params: Fields) -> Iterator[Contradiction]:
    """BYOL-S has no attention: no low-rank updates, and no layers whose activations could be computed again."""
    for where, options in sections(params):
        kind, name = init_kind(options.init)
        known = kind == "weights" and name in params.fetch_weights and (name in KNOWN or params.fetch_weights[name].source is not None)
        if not isinstance(options, EncoderTuned) or not known or params.weights_of(name).family != "byol_s":
            continue
        for key, expected in (("lora_rank", 0), ("gradient_checkpointing", False)):
            if getattr(options, key) != expected:
                line = f"{where}.{key} needs a transformer, and {name} is of the family byol_s: leave {key} out"
                yield Contradiction(line, (f"{where}.{key}", f"{where}.init", f"fetch_weights.{name}"))


def encoders(params: Fields) -> Iterator[Contradiction]:
    """Encoders have weights, and names that no other representation has; their variants exist."""
    for name in params.features.encoders:
        key, weights = "features.encoders", f"fetch_weights.{name}"
        if name in (*REPRESENTATIONS, "fins", "shards", "labels"):
            yield Contradiction(f"{key} names '{name}', which is the name of other data: rename its section of fetch_weights", (key,))
        elif name not in params.fetch_weights:
            line = f"{key} names '{name}', which is no section of fetch_weights; {nearest(name, params.fetch_weights)}"
            yield Contradiction(line, (key, weights))
        elif name in KNOWN or params.fetch_weights[name].source is not None:
            family = params.weights_of(name).family
            if family not in SPEECH_FAMILIES:
                yield Contradiction(f"{key} names '{name}', whose family {family} is no encoder of speech", (key, weights))
    for variant in params.features.encoder_variants:
        if variant not in params.variants:
            line = f"features.encoder_variants names '{variant}', which augment.variants does not; {nearest(variant, params.variants)}"
            yield Contradiction(line, ("features.encoder_variants", "augment.variants"))


def trunks(params: Fields) -> Iterator[Contradiction]:
    """A pretrained encoder has the shape of every network that starts from it."""
    for section, options in params.fine_tune.items():
        kind, trunk = init_kind(options.init)
        own, given = (getattr(one, "trunk_shape", None) for one in (options, params.train_classifier.get(trunk)))
        if kind != "pretrained" or own is None or given is None:
            continue
        for key in own:
            if own[key] != given.get(key):
                here, there = f"fine_tune.{section}.{key}", f"train_classifier.{trunk}.{key}"
                line = f"{here} is {own[key]!r}, but {there} is {given.get(key)!r}: {options.init} has another shape"
                yield Contradiction(line, (here, there, f"fine_tune.{section}.init"))


def labels_of_disturbed_frames(params: Fields) -> Iterator[Contradiction]:
    """Labels of changed or synthetic frames can be computed."""
    disturbance = params.train_fin.data.disturbance
    fractions = {f"train_fin.data.disturbance.{name}": getattr(disturbance, name) for name in ("noise", "origin_16k", "origin_8k")}
    if "end_to_end" in params.compare_fin.ways:
        fractions["compare_fin.end_to_end.excitation"] = params.compare_fin.end_to_end.excitation
    wrong = ", ".join(name for name, fraction in fractions.items() if fraction)
    if params.label.definition != "frame" and wrong:
        line = (
            f"under label.definition {params.label.definition} there must be 0 for {wrong}: "
            "a label that depends on the whole clip cannot be computed for a frame that is changed or synthetic"
        )
        yield Contradiction(line, ("label.definition", "compare_fin.ways", *fractions))


def trained_on(params: Fields) -> Iterator[Contradiction]:
    """Variants and corpora that are trained on exist, and an arm has the features that it needs."""
    for where, options in (("pretrain", params.pretrain), *sections(params)):
        for variant in options.variants:
            if variant not in params.variants:
                line = f"{where}.variants names '{variant}', which augment.variants does not; {nearest(variant, params.variants)}"
                yield Contradiction(line, (f"{where}.variants", "augment.variants"))
        for corpus in options.corpora or ():
            if corpus not in params.pooled:
                yield Contradiction(f"{where}.corpora names '{corpus}', which is not in pooled", (f"{where}.corpora", "pooled"))
        if isinstance(options, FinEnsemble) and (options.arm == "librosa") == bool(options.fins):
            line = f"{where}.fins must be [] in the arm `librosa`, and name a feature in the others"
            yield Contradiction(line, (f"{where}.fins", f"{where}.arm"))


def representations(params: Fields) -> Iterator[Contradiction]:
    """Classifiers that are run, and encoders that are pretrained, read stored representations of the variants that they train on."""
    computed, variants = params.features.representations, params.features.filter_bank_variants
    for variant in variants:
        if variant not in params.variants:
            line = f"features.filter_bank_variants names '{variant}', which augment.variants does not; {nearest(variant, params.variants)}"
            yield Contradiction(line, ("features.filter_bank_variants", "augment.variants"))
    for where, options in sections(params):
        if where.split(".")[1] not in (*params.models, *params.pretrain.trunks):
            continue
        for name in options.reads:
            if name in REPRESENTATIONS and name not in computed:
                line = f"{where} (model {options.model}) reads {name}, which features.representations does not name: add it there"
                yield Contradiction(line, (where, "features.representations", "models", "pretrain.trunks"))
        if "filter_banks" in options.reads:
            yield from _lacking(where, options.variants, "filter_bank_variants", variants)
        if isinstance(options, EncoderSection):
            yield from _unread(params, where, options)
    if any("filter_banks" in params.train_classifier[trunk].reads for trunk in params.pretrain.trunks if trunk in params.train_classifier):
        yield from _lacking("pretrain", params.pretrain.variants, "filter_bank_variants", variants)


def _unread(params: Fields, where: str, options: EncoderSection) -> Iterator[Contradiction]:
    for name in options.reads:
        if name not in params.features.encoders:
            line = f"{where} (model {options.model}) reads {name}, which features.encoders does not name: add it there"
            yield Contradiction(line, (where, "features.encoders", "models"))
    yield from _lacking(where, options.variants, "encoder_variants", params.features.encoder_variants)


def _lacking(where: str, asked: tuple[str, ...], key: str, computed: tuple[str, ...]) -> Iterator[Contradiction]:
    for variant in sorted(set(asked) - set(computed))[:1]:
        line = f"{where}.variants names '{variant}', which features.{key} does not: add it there"
        yield Contradiction(line, (f"{where}.variants", f"features.{key}", "models", "pretrain.trunks"))


def members(params: Fields) -> Iterator[Contradiction]:
    """A fusion that is run has members to fuse, all of the same corpora."""
    if not set(params.models) <= set(params.classifiers):
        return  # a mistyped name may be that of a member
    for name in (name for name in params.fusions if name in params.fuse_classifiers):
        kinds = tuple(f"{section}.model" for section in _sections_named(*params.models))  # of an unknown kind, a section is not read
        named, keys = params.fuse_classifiers[name].members, ("fusions", f"fuse_classifiers.{name}", "models", *kinds)
        run = [member for member in params.members_of(name) if member in params.classifiers]
        if len(params.members_of(name)) < min(2, len(named)):  # a fusion of one classifier's seeds names one
            some = f"only '{run[0]}'" if run else "none"
            line = f"fuse_classifiers.{name} needs two members in models and has {some}: take '{name}' out of fusions, or add one to models"
            yield Contradiction(line, keys)
        elif len({frozenset(params.classifiers[member].corpora or params.pooled) for member in run}) > 1:
            corpora = tuple(f"{section}.corpora" for section in _sections_named(*run))
            yield Contradiction(f"fuse_classifiers.{name}.members are trained and tested on different corpora", (*keys, *corpora, "pooled"))


def comparisons(params: Fields) -> Iterator[Contradiction]:
    """Pairs are two different models, named once; pairs that are run are tested on the same corpora."""
    for pair, times in Counter(params.summarise.pairs).items():
        if pair[0] == pair[1]:
            yield Contradiction(f"summarise.pairs compares '{pair[0]}' with itself", ("summarise.pairs",))
        elif times > 1:
            yield Contradiction(f"summarise.pairs names '{pair[0]}' against '{pair[1]}' twice", ("summarise.pairs",))
    for pair in dict.fromkeys(params.pairs):
        sides = [_tested_by(params, name) for name in pair]
        if not all(sides):
            continue  # another check reports it
        first, second = (frozenset(params.classifiers[side[0]].corpora or params.pooled) for side in sides)
        if first != second:
            line = (
                f"summarise.pairs compares '{pair[0]}' and '{pair[1]}', which are tested on different corpora: "
                f"{', '.join(sorted(first))}; {', '.join(sorted(second))}"
            )
            corpora = tuple(f"{section}.{key}" for section in _sections_named(*sides[0], *sides[1]) for key in ("corpora", "model"))
            fusions = tuple(f"fuse_classifiers.{name}" for name in pair)
            yield Contradiction(line, ("summarise.pairs", "models", "fusions", "pooled", *corpora, *fusions))


def _tested_by(params: Fields, name: str) -> list[str]:
    """Return the classifiers that a side of a pair consists of: itself, or the members of a fusion that are run."""
    named = params.members_of(name) if name in params.fuse_classifiers else (name,)
    return [member for member in named if member in params.classifiers]
