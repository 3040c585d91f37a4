"""Write docs/measured.md from the files in docs/measured/NAME/: `python bench/measured.py`.

A folder holds the results of one run on real recordings: params.yaml; figures.json, costs.json and comparisons.json (of results/summary/);
fins.json (feature -> R2 of results/fins/FEATURE.json), if FINs were evaluated; and note.md, which explains the run.
`python bench/measured.py --add PROJECT NAME` copies the results of a project that has just been run.
"""

import argparse
import shutil
from pathlib import Path

from finser.config.reading import read
from finser.files import read_json, write_json, write_text
from finser.report.classifier_tables import p
from finser.report.tables import DASH, FEATURE_TITLES, gain, r2, rate, table

FOLDER, PAGE = Path("docs/measured"), Path("docs/measured.md")
HEAD = """# Measured on real recordings

`python bench/measured.py` writes this page from the files below `docs/measured/`. The tables are generated. The text above them is from
note.md and is written by hand. [protocols.md](protocols.md) explains the scores and intervals, [glossary.md](glossary.md) the terms.
[results.md](results.md) has older results.

Test speakers are in no other part of a fold. Brackets and ranges are 95 % intervals over test speakers. p is two-sided; *Holm* corrects it
for the comparisons of its table.
"""


def add(project: Path, name: str) -> None:
    """Copy a run's results into docs/measured/NAME."""
    target = FOLDER / name
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(project / "params.yaml", target / "params.yaml")
    for file in ("figures.json", "costs.json", "comparisons.json"):
        shutil.copyfile(project / "results/summary" / file, target / file)
    if not (project / "results/fins").is_dir():  # a run whose models need none
        return
    results = {feature: read_json(project / f"results/fins/{feature}.json") for feature in FEATURE_TITLES}
    kept = ("r2_test_uniform", "r2_test_weighted", "unseen", "device", "trained_under")
    write_json(target / "fins.json", {feature: {key: one[key] for key in kept} for feature, one in results.items()})


def page() -> str:
    """The page: a part per folder."""
    return "\n".join([HEAD, *(part(folder) for folder in sorted(FOLDER.iterdir()))])


def part(folder: Path) -> str:
    """One run: its note, the models, their comparisons, and the FINs."""
    params = read(folder / "params.yaml")
    figures, costs, comparisons = (read_json(folder / f"{name}.json") for name in ("figures", "costs", "comparisons"))
    texts = [(folder / "note.md").read_text(encoding="utf-8")]
    texts.append(
        f"Files: [{folder.name}]({FOLDER.name}/{folder.name}). Folds {', '.join(map(str, params['folds']))}; seeds {params['seeds']}.\n"
    )
    for protocol, models in figures.items():
        texts += [models_table(protocol, models, costs[protocol]), pairs_table(comparisons[protocol])]
    fins = folder / "fins.json"
    return "\n".join([*texts, *([fins_table(read_json(fins))] if fins.exists() else [])])


def models_table(protocol: str, models: dict, costs: dict) -> str:
    """UAR, WA, number of trained weights and time of every model; runs of earlier versions measured no time from samples."""
    timed = any("ms_from_samples" in costs[model] for model in models)
    rows = []
    for model, one in models.items():
        sizes = costs[model]["params"]
        learned = DASH if sizes is None else " to ".join(dict.fromkeys(f"{size:,}" for size in sizes))
        cells = [f"`{model}`", learned, f"{one['n_test']:,}", one["n_test_speakers"], *map(shown, (one["uar"], one["wa"]))]
        milliseconds = costs[model].get("ms_from_samples")
        rows.append([*cells, *([DASH if milliseconds is None else f"{milliseconds:.1f}"] if timed else [])])
        rows += [[*corpus_cells(model, *item), *[""] * timed] for item in one["corpora"].items() if len(one["corpora"]) > 1]
    header = [f"model, protocol `{protocol}`", "trained weights", "test clips", "test speakers", "UAR", "WA"]
    return table([*header, "ms per clip, from samples"] if timed else header, rows) + "\n"


def corpus_cells(model: str, corpus: str, one: dict) -> list:
    """Return the cells of a model's test clips of one corpus."""
    return [f"`{model}`, clips of {corpus}", "", f"{one['n_test']:,}", one["n_test_speakers"], shown(one["uar"]), ""]


def shown(one: dict) -> str:
    """``.454 (.417 to .491)``."""
    return rate(one["value"]) + (f" ({rate(one['low'])} to {rate(one['high'])})" if one["low"] is not None else "")


def pairs_table(pairs: dict) -> str:
    """Differences of UAR on the same clips."""
    rows = []
    for one in pairs.values():
        bounds = f"{gain(one['low'])} to {gain(one['high'])}" if one["low"] is not None else DASH
        rows.append([f"`{one['model']}` - `{one['against']}`", gain(one["value"]), bounds, p(one["p"]), p(one["p_holm"])])
    return table(["difference of UAR", "", "95 % interval", "p", "p, Holm"], rows) + "\n"


def fins_table(fins: dict) -> str:
    """R2 of the FINs of the run, rounded down; weighted for mel."""
    corpora = list(next(iter(fins.values()))["unseen"])
    rows = []
    for feature, one in fins.items():
        kind = "weighted" if feature == "mel" else "uniform"
        found = [one[f"r2_test_{kind}"], *(one["unseen"][corpus][kind] for corpus in corpora)]
        rows.append([FEATURE_TITLES[feature], *map(r2, found)])
    return table(["FIN", "R2, test speakers of its corpora", *(f"R2, `{corpus}`, unseen" for corpus in corpora)], rows) + "\n"


def main() -> None:
    """Write the page; with --add, add a run first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", nargs=2, metavar=("PROJECT", "NAME"))
    arguments = parser.parse_args()
    if arguments.add:
        add(Path(arguments.add[0]), arguments.add[1])
    write_text(PAGE, page())


if __name__ == "__main__":
    main()
