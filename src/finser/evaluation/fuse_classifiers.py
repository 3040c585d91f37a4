"""Late fusion: the probabilities of several trained classifiers, with all their seeds, combined into one."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finser import layout
from finser.config.params import Params
from finser.emotions import numbers
from finser.errors import FinserError
from finser.evaluation.judged import Judged, calibration_of, figures_of_merit, predictions_table, uar_of
from finser.features.examples import Examples, check_apart
from finser.files import read_json, whole_folder, why, write_json
from finser.progress import say
from finser.scores import calibration
from finser.scores import stacking as fusion
from finser.scores.predictions import check_classes, probability_columns
from finser.splits.table import LEAKY

PARTS = {"validation": "validation", "test": "predictions"}  # file per part
CLIP = ["clip_id", "speaker", "emotion"]


def fuse_classifiers(params: Params, name: str, protocol: str, fold: int) -> None:
    """Write results/fusions/FUSION/PROTOCOL/FOLD/: metrics.json, predictions.parquet and validation.parquet.

    Members that `models` does not name are left out. A temperature, fitted on the validation part, rescales each member's probabilities.
    The weights of a stacked fusion are fitted on the validation part, too. Nothing is fitted on the test part.
    """
    options, used = params.fuse_classifiers[name], params.members_of(name)
    read = {part: [_read(params, model, protocol, fold, part) for model in used] for part in PARTS}
    models = [model for model in used for _ in params.seeds_of(model)]  # per member
    members = [f"{model} {seed}" for model in used for seed in params.seeds_of(model)]
    fitted, given = (_together(read[part], used) for part in PARTS)
    check_apart([fitted.examples, given.examples], leaky=LEAKY[protocol])
    weights, judged = fuse(fitted, given, options.method, models)
    figures = {
        **figures_of_merit(judged["test"], params.evaluate_classifier.confidence),
        **calibration_of(judged["validation"], judged["test"]),
        "validation_uar": uar_of(judged["validation"]),
        "weights": dict(zip(members, weights.tolist(), strict=True)),
        "method": options.method,
        "seeds": list(params.seeds[:1]),  # predictions.parquet has one row per clip, under this seed
        "n_validation": len(fitted.examples),
        "n_test": len(given.examples),
        "n_test_speakers": len(set(given.examples.speakers)),
        "n_test_speakers_heard_by_fins": max(_heard_by_fins(model, protocol, fold) for model in models),
        "protocol": protocol,
        "fold": fold,
        "leaky": LEAKY[protocol],
    }
    with whole_folder(layout.fusion_result(name, protocol, fold)) as partial:
        write_json(partial / "metrics.json", figures)
        for part, file in PARTS.items():
            pq.write_table(predictions_table(judged[part], params.seeds[:1]), partial / f"{file}.parquet", compression="zstd")
    say(f"{name}, {protocol}, fold {fold}: UAR {figures['uar']:.3f}, WA {figures['wa']:.3f} on {len(given.examples)} clips")


def fuse(validation: Judged, test: Judged, method: str, models: Sequence[str]) -> tuple[np.ndarray, dict[str, Judged]]:
    """Return the weights of the members, shape (members,), and the fused probabilities of both parts, shape (1, n, classes).

    Parameters
    ----------
    validation, test : Judged
        Probabilities of shape (members, n, classes), the same members in both.
    method : {'mean', 'stacked'}
        Equal weights of the models, or weights of the members that minimise the validation NLL.
    models : sequence of str
        Model of each member: under ``mean`` the seeds of a model share its weight.
    """
    truth = validation.examples.targets
    temperatures = [calibration.temperature_of(member, truth) for member in validation.probabilities]
    scaled = {
        part: [calibration.rescale(member, t) for member, t in zip(judged.probabilities, temperatures, strict=True)]
        for part, judged in (("validation", validation), ("test", test))
    }
    weights = np.array([1 / models.count(model) for model in models]) / len(set(models))
    if method == "stacked":
        weights = fusion.stacked_weights(scaled["validation"], truth)
    examples = {"validation": validation.examples, "test": test.examples}
    return weights, {part: Judged(examples[part], fusion.stacked_fusion(scaled[part], weights)[None]) for part in scaled}


def _read(params: Params, model: str, protocol: str, fold: int, part: str) -> Judged:
    """Read a member's predictions for a part, with all its seeds: probabilities (seeds, n, classes), clips sorted by clip_id."""
    path = layout.classifier_result(model, protocol, fold) / f"{PARTS[part]}.parquet"
    again = f"run: finser evaluate_classifier {model} {protocol} {fold}"
    check_classes(path, params.emotions, again)
    shares = probability_columns(params.emotions)
    try:
        table = pq.read_table(path, columns=[*CLIP, "seed", *shares])
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do=again) from None
    except (pa.ArrowException, OSError) as error:
        raise FinserError(f"not readable ({why(error)})", where=path, do=again) from None
    table = table.sort_by([("seed", "ascending"), ("clip_id", "ascending")])
    seeds = params.seeds_of(model)
    by_seed = [table.filter(pc.equal(table["seed"], seed)) for seed in seeds]
    first = by_seed[0]
    if not all(rows.num_rows for rows in by_seed):
        found = sorted(set(table["seed"].to_pylist()))
        raise FinserError("predictions of other seeds", where=path, expected=list(seeds), found=found, do="dvc repro")
    if any(rows.select(CLIP) != first.select(CLIP) for rows in by_seed):
        raise FinserError("its seeds have different clips", where=path, do="dvc repro")
    targets = np.array(numbers(first["emotion"].to_pylist(), params.emotions, path, again), np.int64)
    clips, speakers = first["clip_id"].to_pylist(), first["speaker"].to_pylist()
    examples = Examples(part, clips, speakers, ["original"] * len(clips), targets, [], params.emotions)
    columns = [[rows[name].to_numpy() for name in shares] for rows in by_seed]
    return Judged(examples, np.array(columns).transpose(0, 2, 1))


def _heard_by_fins(model: str, protocol: str, fold: int) -> int:
    """Return the number of test speakers that a member's FINs were trained on.

    All members' FINs come from one training, so the maximum over members counts every speaker once.
    """
    return read_json(layout.classifier_result(model, protocol, fold) / "metrics.json")["n_test_speakers_heard_by_fins"]


def _together(parts: list[Judged], names: tuple[str, ...]) -> Judged:
    """Concatenate the members; raise an error unless they have predictions for the same clips."""
    for name, judged in zip(names, parts, strict=True):
        if _clips(judged) != _clips(parts[0]):
            raise FinserError(f"{name} and {names[0]} have different clips", do="fuse classifiers of the same corpora")
    return Judged(parts[0].examples, np.concatenate([judged.probabilities for judged in parts]))


def _clips(judged: Judged) -> tuple[list[str], list[str], list[int]]:
    """Return clip_ids, speakers and class numbers."""
    return judged.examples.clip_ids, judged.examples.speakers, judged.examples.targets.tolist()
