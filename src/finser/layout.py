"""Paths of the inputs and outputs of all stages, relative to the project's root; a test compares them with dvc.yaml."""

from pathlib import Path

DATA = Path("data")
MODELS = Path("models")
RESULTS = Path("results")
COMMANDS_LOG = Path("logs/commands.jsonl")  # one line per stage command that ran; not tracked


def raw(corpus: str) -> Path:
    """Return the folder of a corpus in its publisher's layout."""
    return DATA / "raw" / corpus


def downloads(corpus: str) -> Path:
    """Return the folder of a corpus's downloads. They are kept, so that nothing is downloaded twice, and not tracked."""
    return DATA / "downloads" / corpus


def found(stage: str, corpus: str) -> Path:
    """Return the file with number, size and digest of the files outside the project that a stage read last; not tracked."""
    return DATA / "found" / stage / f"{corpus}.json"


def clips(corpus: str) -> Path:
    """Return the index of a corpus: one row per audio file found."""
    return DATA / "clips" / f"{corpus}.parquet"


def audio(corpus: str) -> Path:
    """Return the folder of resampled clips, as shards."""
    return DATA / "audio" / corpus


def shards(corpus: str) -> Path:
    """Return the folder of clips with their augmented variants, as shards."""
    return DATA / "shards" / corpus


def labels(corpus: str) -> Path:
    """Return the folder of librosa's features for every frame, row-aligned with :func:`shards`."""
    return DATA / "labels" / corpus


def features(representation: str, corpus: str) -> Path:
    """Return the folder of stored inputs of a corpus: statistics, filter banks, or the outputs of the FINs (``fins``)."""
    return DATA / ("fin_outputs" if representation == "fins" else f"features/{representation}") / corpus


def pool(name: str) -> Path:
    """Return the checksums of the files that ``classifiers``, ``fins`` or an encoder (``pretrain/TRUNK``) are trained on."""
    return DATA / "pool" / f"{name}.json"


def noisy(protocol: str, fold: int) -> Path:
    """Return the folder of noisy test clips: shards/ and labels/ as those of a corpus."""
    return DATA / "noisy" / protocol / str(fold)


def split(protocol: str) -> Path:
    """Return the part of every clip in every fold."""
    return DATA / "splits" / f"{protocol}.parquet"


def fin(feature: str) -> Path:
    """Return the folder of a trained FIN (or of the shared ``front_end``): model.safetensors, config.json, history.csv."""
    return MODELS / "fins" / feature


def checkpoint(stage: str, *item: str) -> Path:
    """Return the checkpoint from which a killed training resumes; it is not tracked, and the training removes it at its end."""
    return MODELS / "checkpoints" / stage / f"{'-'.join(item)}.safetensors"


def fin_result(feature: str) -> Path:
    """Return the scores of a FIN."""
    return RESULTS / "fins" / f"{feature}.json"


def compared_fin(feature: str, way: str, seed: int) -> Path:
    """Return the folder of a FIN that is trained for comparison only, with the files of :func:`fin`."""
    return MODELS / "compared" / feature / way / str(seed)


def fin_comparisons() -> Path:
    """Return the scores of all FINs that are trained for comparison only."""
    return RESULTS / "fins" / "compared.json"


def fin_frames(feature: str) -> Path:
    """Return the outputs and the worst frames of a FIN on test speakers, for figures."""
    return RESULTS / "fins" / f"{feature}.parquet"


def fin_history(feature: str) -> Path:
    """Return the training curve of a FIN."""
    return RESULTS / "fins" / f"{feature}.csv"


def weights(name: str) -> Path:
    """Return the folder of published weights, converted to one format: model.safetensors, config.json."""
    return MODELS / "weights" / name


def pretrained(trunk: str, protocol: str, fold: int) -> Path:
    """Return the folder of an encoder that was pretrained to imitate librosa's features."""
    return MODELS / "pretrained" / trunk / protocol / str(fold)


def initial(model: str) -> Path:
    """Return the folder of a classifier's options, and of its initial weights if they are not random."""
    return MODELS / "initial" / model


def classifiers(model: str, protocol: str, fold: int) -> Path:
    """Return the folder of the trained classifiers of all seeds."""
    return MODELS / "classifiers" / model / protocol / str(fold)


def classifier(model: str, protocol: str, fold: int, seed: int) -> Path:
    """Return the folder of a trained classifier."""
    return classifiers(model, protocol, fold) / str(seed)


def final(model: str) -> Path:
    """Return the folder of a classifier that is trained on all speakers."""
    return MODELS / "final" / model


def classifier_result(model: str, protocol: str, fold: int) -> Path:
    """Return the folder of metrics.json, predictions.parquet, validation.parquet and history.csv."""
    return RESULTS / "classifiers" / model / protocol / str(fold)


def fusion_result(fusion: str, protocol: str, fold: int) -> Path:
    """Return the folder of metrics.json, predictions.parquet and validation.parquet of a late fusion."""
    return RESULTS / "fusions" / fusion / protocol / str(fold)


def summary() -> Path:
    """Return the scores of every model, all folds together."""
    return RESULTS / "summary/figures.json"


def costs() -> Path:
    """Return the parameters, epochs and seconds of every model."""
    return RESULTS / "summary/costs.json"


def comparisons() -> Path:
    """Return the differences of pairs of models, all folds together."""
    return RESULTS / "summary/comparisons.json"


def training_time(stage: str, *item: str | int) -> Path:
    """Return the seconds of a training and its validation UAR, apart from the model, whose bytes must not depend on the clock."""
    return (RESULTS / "timing" / stage / "/".join(map(str, item or ("all",)))).with_suffix(".json")


def evaluation_time(model: str, protocol: str, fold: int) -> Path:
    """Return the milliseconds that a classifier takes per clip."""
    return RESULTS / "timing" / "evaluate_classifier" / model / protocol / f"{fold}.json"


def report() -> Path:
    """Return the report in Markdown; report.html and figures/ are in the same folder."""
    return RESULTS / "report.md"
