"""`finser STAGE ITEM` for the stages of dvc.yaml, and a few commands for people.

Every command ends with status 0, or not 0 and one line on standard error that begins with ``error:``.
"""

import atexit
import errno
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import IO, Annotated, Literal

import typer

from finser import layout
from finser.cards import take_one
from finser.config import params as parameters
from finser.config.params import Params
from finser.errors import FinserError, lines
from finser.files import refusal, whole_file, write_text
from finser.project import libraries, strays, unchanged
from finser.project.graph import Graph
from finser.project.place import check_code, check_place
from finser.workers import cores

STAGES = "Stages (dvc.yaml calls them)"
PEOPLE = "For people"
RESTARTED = "FINSER_RESTARTED"
FULL = (errno.ENOSPC, errno.EDQUOT)
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
ON_GPU = {  # the stages whose rules ask for a GPU
    "train_front_end",
    "train_fin",
    "evaluate_fin",
    "compare_fin",
    "reference_fin",
    "pretrain",
    "train_classifier",
    "evaluate_classifier",
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help="Reproducible speech emotion recognition.")
Corpus = Annotated[str, typer.Argument(help="a corpus of params.yaml: ravdess, crema_d, tess, savee or esd")]
Feature = Annotated[str, typer.Argument(help="rms, zcr, chroma, mfcc or mel")]
Way = Annotated[str, typer.Argument(help="how it begins: closed_form, staged or end_to_end")]
Seed = Annotated[int, typer.Argument(help="of initial weights and draws", min=0)]
WeightsName = Annotated[str, typer.Argument(help="published weights: a section of fetch_weights in params.yaml")]
Model = Annotated[str, typer.Argument(help="a classifier: a section of train_classifier or fine_tune in params.yaml")]
Trunk = Annotated[str, typer.Argument(help="one of pretrain.trunks in params.yaml")]
FusionName = Annotated[str, typer.Argument(help="a late fusion: a section of fuse_classifiers in params.yaml")]
Protocol = Annotated[str, typer.Argument(help="speaker, random or cross_corpus")]
Fold = Annotated[int, typer.Argument(help="a fold, from 1", min=1)]


def _run(stage: str, module: str, **item: object) -> None:
    """Validate params.yaml and the item, run the step, and record in logs/commands.jsonl how it went."""
    check_place()
    params, graph = parameters.load(), Graph()
    _check_item(graph, stage, item)
    lock = _choose_card(params, stage, item)  # noqa: F841  (held to the end of the process)
    values = tuple(map(str, item.values()))
    libraries.check(graph, stage)
    _clear_strays(graph, stage, values)
    before = unchanged.snapshot(stage, values)
    params = parameters.load()  # as the snapshot has them
    started, clock = datetime.now(UTC), time.monotonic()

    def log(status: str) -> None:
        """Write the line of this run."""
        entry = {"preset": params.preset, "stage": stage, "item": list(values), "status": status, "cores": cores()}
        _log({**entry, "seconds": round(time.monotonic() - clock, 3), "started": started.isoformat(timespec="seconds")})

    try:
        getattr(import_module(module), stage)(params, *item.values())
        unchanged.check(before, stage, values)
    except BaseException:
        with suppress(FinserError):  # what the step says is the cause; a disk that takes no log, either, is none
            log("failed")
        raise
    log("ok")


def _choose_card(params: Params, stage: str, item: dict[str, object]) -> IO | None:
    """One GPU for a job that trains or evaluates a network, none for others, so that no job uses the card of another."""
    section = params.classifiers.get(item.get("model", item.get("trunk")))
    if stage in ON_GPU and (section is None or section.on_gpu):
        return take_one()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return None


def _clear_strays(graph: Graph, stage: str, values: tuple[str, ...]) -> None:
    """Remove outputs under names that params.yaml no longer has from the folders that a job reads; refuse what no job makes."""
    item = dict(zip(graph.axes(stage), values, strict=True))
    deps = graph.paths(stage, item, "deps")
    strays.clear_and_say(graph, deps)
    strays.check(graph, deps)


def _check_item(graph: Graph, stage: str, item: dict[str, object]) -> None:
    """Refuse an item that is no job of the stage: nothing would read its output, and DVC would count it in the folders of others."""
    for (axis, value), named in zip(item.items(), graph.axes(stage).values(), strict=True):
        if str(value) not in named:
            expected = f"one of {', '.join(named)}" if named else "one that it names, and it names none"
            close = get_close_matches(str(value), named, n=1, cutoff=0.5)
            do = f"did you mean '{close[0]}'?" if close else "" if axis == "feature" else "add it there first"  # the features are fixed
            raise FinserError(f"unknown {axis} '{value}'", where="params.yaml", expected=expected, do=do)


def _log(entry: dict) -> None:
    try:
        layout.COMMANDS_LOG.parent.mkdir(parents=True, exist_ok=True)
        with layout.COMMANDS_LOG.open("a", encoding="utf-8") as log:  # one write of one line: appending is atomic
            log.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise refusal(layout.COMMANDS_LOG, error) from None


@app.command("fetch", rich_help_panel=STAGES)
def fetch(corpus: Corpus) -> None:
    """Bring a corpus to data/raw/, from where params.yaml says: synthetic, local or download."""
    _run("fetch", "finser.corpora.fetch", corpus=corpus)


@app.command("index", rich_help_panel=STAGES)
def index(corpus: Corpus) -> None:
    """List every audio file of a corpus, good or not, and why not."""
    _run("index", "finser.corpora.index", corpus=corpus)


@app.command("resample", rich_help_panel=STAGES)
def resample(corpus: Corpus) -> None:
    """Resample the kept clips of a corpus to 22,050 Hz mono int16."""
    _run("resample", "finser.audio.resample", corpus=corpus)


@app.command("augment", rich_help_panel=STAGES)
def augment(corpus: Corpus) -> None:
    """Make the variants of every clip that augment.variants names, beside the original."""
    _run("augment", "finser.audio.augment", corpus=corpus)


@app.command("label", rich_help_panel=STAGES)
def label(corpus: Corpus) -> None:
    """Compute librosa's five features for every frame."""
    _run("label", "finser.features.labels", corpus=corpus)


@app.command("split", rich_help_panel=STAGES)
def split(protocol: Protocol) -> None:
    """Deal the clips into train, validation and test, for every fold; cross_corpus: only of the corpora that classifiers learn from."""
    _run("split", "finser.splits.protocols", protocol=protocol)


@app.command("train_front_end", rich_help_panel=STAGES)
def train_front_end() -> None:
    """Teach the front end that chroma, mel and MFCC share."""
    _run("train_front_end", "finser.fins.front_end")


@app.command("train_fin", rich_help_panel=STAGES)
def train_fin(feature: Feature) -> None:
    """Train a feature imitating network."""
    _run("train_fin", "finser.fins.training", feature=feature)


@app.command("evaluate_fin", rich_help_panel=STAGES)
def evaluate_fin(feature: Feature) -> None:
    """R2 of a FIN, on test speakers and on corpora never trained on."""
    _run("evaluate_fin", "finser.fins.evaluation", feature=feature)


@app.command("compare_fin", rich_help_panel=STAGES)
def compare_fin(feature: Feature, way: Way, seed: Seed) -> None:
    """Train and evaluate a FIN that begins in another way, and that nothing is built on."""
    _run("compare_fin", "finser.fins.comparison", feature=feature, way=way, seed=seed)


@app.command("reference_fin", rich_help_panel=STAGES)
def reference_fin(feature: Feature, seed: Seed) -> None:
    """Train and evaluate the published net of a feature."""
    _run("reference_fin", "finser.fins.comparison", feature=feature, seed=seed)


@app.command("fetch_weights", rich_help_panel=STAGES)
def fetch_weights(weights: WeightsName) -> None:
    """Bring published weights to models/weights/, verified, from where params.yaml says: download or local."""
    _run("fetch_weights", "finser.fetching.weights", weights=weights)


@app.command("pretrain", rich_help_panel=STAGES)
def pretrain(trunk: Trunk, protocol: Protocol, fold: Fold) -> None:
    """Teach a network's trunk to imitate librosa's features, without emotions."""
    _run("pretrain", "finser.training.pretrain", trunk=trunk, protocol=protocol, fold=fold)


@app.command("prepare_classifier", rich_help_panel=STAGES)
def prepare_classifier(model: Model) -> None:
    """Write the options of a classifier that is trained from random weights."""
    _run("prepare_classifier", "finser.training.prepare", model=model)


@app.command("prepare_fine_tuning", rich_help_panel=STAGES)
def prepare_fine_tuning(model: Model) -> None:
    """Write the options of a classifier that starts from trained weights, and these weights."""
    _run("prepare_fine_tuning", "finser.training.prepare_fine_tuning", model=model)


@app.command("train_classifier", rich_help_panel=STAGES)
def train_classifier(model: Model, protocol: Protocol, fold: Fold, seed: Seed) -> None:
    """Train an emotion classifier on one fold, with one seed."""
    _run("train_classifier", "finser.training.train_classifier", model=model, protocol=protocol, fold=fold, seed=seed)


@app.command("evaluate_classifier", rich_help_panel=STAGES)
def evaluate_classifier(model: Model, protocol: Protocol, fold: Fold) -> None:
    """Figures of merit of a classifier, over all its seeds, on the test part of its fold."""
    _run("evaluate_classifier", "finser.evaluation.evaluate_classifier", model=model, protocol=protocol, fold=fold)


@app.command("fuse_classifiers", rich_help_panel=STAGES)
def fuse_classifiers(fusion: FusionName, protocol: Protocol, fold: Fold) -> None:
    """Make one prediction of several classifiers', and its figures of merit."""
    _run("fuse_classifiers", "finser.evaluation.fuse_classifiers", fusion=fusion, protocol=protocol, fold=fold)


@app.command("summarise", rich_help_panel=STAGES)
def summarise() -> None:
    """Figures of every model over all folds, and comparisons of models, with intervals."""
    _run("summarise", "finser.summary.summarise")


@app.command("report", rich_help_panel=STAGES)
def report() -> None:
    """Write results/report.md, results/report.html and their figures."""
    _run("report", "finser.report.page")


@app.command("preset", rich_help_panel=PEOPLE)
def preset(
    name: Annotated[str, typer.Argument(help="demo, tiny, open, ravdess, paper or local")],
    path: Annotated[
        Path | None,
        typer.Argument(help="local, ravdess, paper: folder with RAVDESS/, CREMA-D/, TESS/, SAVEE/, ESD/, whichever exist"),
    ] = None,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="accept corpora in PATH with fewer clips than published")] = False,
) -> None:
    """Rewrite params.yaml (the old one is kept as params.yaml.bak, .2.bak and so on)."""
    from finser.tools.preset import make

    _in_the_root()
    text, places = make(name, path, allow_partial)
    kept = _replace(Path("params.yaml"), text)
    if places:
        kept += _replace(Path("local.yaml"), places)
    print(f"params.yaml is now the preset {name}{kept}; run it: make report, or dvc repro")


@app.command("migrate", rich_help_panel=PEOPLE)
def migrate() -> None:
    """Rewrite a params.yaml of an earlier version of finser; the old one is kept, paths in it go to local.yaml."""
    from finser.tools.preset import migrated

    _in_the_root()
    text, places = migrated(Path("params.yaml"))
    kept = _replace(Path("params.yaml"), text)
    if places:
        kept += _replace(Path("local.yaml"), places)
    print(f"params.yaml has the present format{kept}; see what is stale: dvc status")


def _replace(target: Path, text: str) -> str:
    """Write a file; says, for a message, where the old one is kept if it was another."""
    if target.exists() and not target.is_file():
        raise FinserError("no file", where=target, do="move it away")
    kept = f"; the old {target} is {_keep(target)}" if target.exists() and target.read_bytes() != text.encode() else ""
    write_text(target, text)
    return kept


def _in_the_root() -> None:
    if not Path("dvc.yaml").exists():
        raise FinserError("no dvc.yaml here", where=Path.cwd(), do="run in the project's root")


def _keep(path: Path) -> Path:
    """Copy a file to PATH.bak, or to PATH.2.bak and so on, where those hold something else, and say which."""
    content = path.read_bytes()  # it may be no text at all
    names = chain([f"{path}.bak"], (f"{path}.{number}.bak" for number in count(2)))
    free = next(name for name in map(Path, names) if not name.exists() or name.read_bytes() == content)
    with whole_file(free) as partial:
        partial.write_bytes(content)
    return free


@app.command("imitate", rich_help_panel=PEOPLE)
def imitate(
    files: Annotated[list[Path], typer.Argument(help="recordings")],
    out: Annotated[Path, typer.Option("--out", help="folder for NAME.parquet")] = Path("results/imitated"),
) -> None:
    """Write the FINs' features of any recordings to Parquet, beside librosa's, and print R2."""
    from finser.fins.imitate import imitate as imitations

    for line in imitations(parameters.load(), files, out):
        print(line)


@app.command("inspect", rich_help_panel=PEOPLE)
def inspect(
    shard: Annotated[Path, typer.Argument(help="part-NNNNN.parquet, or a folder of them: data/shards/ravdess, data/labels/ravdess")],
    rows: Annotated[int, typer.Option("--rows", help="rows to show", min=0)] = 20,
) -> None:
    """Show what shards of audio or labels hold: rows and totals. Nothing is played."""
    from finser.tools.inspection import describe

    print("\n".join(describe(shard, rows)))


@app.command("export", rich_help_panel=PEOPLE)
def export(
    corpus: Annotated[list[str], typer.Argument(help="one corpus or more: ravdess, crema_d, tess, savee, esd")],
    dest: Annotated[Path, typer.Argument(help="folder to make; it must not be there yet")],
    format_: Annotated[Literal["hf"], typer.Option("--format", help="hf: a folder that Hugging Face `datasets` loads")] = "hf",
    variants: Annotated[list[str] | None, typer.Option("--variants", help="original, or any of augment.variants; may be repeated")] = None,
    with_labels: Annotated[bool, typer.Option("--with-labels", help="add librosa's features")] = False,
    protocol: Annotated[str | None, typer.Option("--protocol", help="speaker, random or cross_corpus: its parts become the splits")] = None,
    fold: Annotated[int | None, typer.Option("--fold", help="of the protocol", min=1)] = None,
) -> None:
    """Write shards as a data set for other programs, with a card that tells their licences."""
    from finser.tools.export import ORIGINAL, Selection
    from finser.tools.export import export as write

    counts = write(Selection(tuple(corpus), tuple(variants or ORIGINAL), with_labels, protocol, fold), dest)
    print(f"{dest}: " + ", ".join(f"{name} {rows} rows" for name, rows in counts.items()))


@app.command("params", rich_help_panel=PEOPLE)
def params_(
    resolved: Annotated[
        bool, typer.Option("--resolved", help="all values, with the defaults of the keys that params.yaml leaves out")
    ] = False,
) -> None:
    """Print the choices of params.yaml: the values that differ from the defaults."""
    from finser.config import dump

    params = parameters.load()
    print((dump.resolved if resolved else dump.dump)(params), end="")


@app.command("check", rich_help_panel=PEOPLE)
def check() -> None:
    """Validate params.yaml and say so."""
    params = parameters.load()
    print(f"params.yaml is valid: preset {params.preset}; corpora {', '.join(params.corpora)}; models {', '.join(params.models)}")


@app.command("corpora", rich_help_panel=PEOPLE)
def corpora() -> None:
    """List the five corpora: licence, size, how each is had, and how much of it is here."""
    from finser.corpora.overview import overview

    print("\n".join(overview(parameters.load() if Path("params.yaml").exists() else None)))


@app.command("schema", rich_help_panel=PEOPLE)
def schema() -> None:
    """Rewrite docs/params.schema.json and docs/params.md from the schema."""
    from finser.config.schema_docs import write

    _in_the_root()
    write(Path("docs"))


@app.command("readme", rich_help_panel=PEOPLE)
def readme() -> None:
    """Put the results of results/report.md into README.md."""
    from finser.report.readme import update

    update(Path("README.md"), layout.report())


def main() -> None:
    """Entry point: run a command; whatever a user can cause ends in one line and a status that is not 0."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at the first call of CUDA; other values give other bits
    _give_numba_a_cache()
    sys.exit(_status(_checked))


def _give_numba_a_cache() -> None:
    """Lend numba a temporary folder where it can keep compiled code nowhere: it would refuse to compile."""
    if "NUMBA_CACHE_DIR" in os.environ or _writable(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "numba"):
        return
    packages = [Path(find_spec(name).origin).parent for name in ("finser", "librosa")]
    if not all(_writable(package / "__pycache__") for package in packages):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="finser-numba-")
        atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


def _writable(folder: Path) -> bool:
    """Whether a folder can be written or made."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return folder.is_absolute() and os.access(existing, os.W_OK)


def _own_code() -> None:
    """Start again with the code of the project in the current folder, if this is another copy's."""
    try:
        check_code()
    except FinserError:
        if os.environ.get(RESTARTED):
            raise
        above = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(Path("src").resolve()), *([above] if above else [])])
        os.execve(sys.executable, [sys.executable, "-m", "finser", *sys.argv[1:]], os.environ | {"PYTHONPATH": path, RESTARTED: "1"})


def _checked() -> object:
    _own_code()
    return app(standalone_mode=False)


def _status(command: Callable[[], object]) -> int:
    try:
        result = command()
        if result == 130:  # typer makes it of Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except FinserError as error:
        return _fail(str(error))
    except typer.Exit as exit_:
        return exit_.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except BrokenPipeError:  # `finser inspect ... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, FileNotFoundError) and error.filename is not None:
            return _fail(f"{error.filename}: no such file")
        if hasattr(error, "format_message"):  # click's own: a wrong argument or option
            return _fail(f"{error.format_message()} See: finser --help", 2)
        if isinstance(error, OSError) and error.errno in (FULL if error.filename is None else (*FULL, *DENIED)):
            return _fail(f"{error.filename or 'the disk written to'}: {os.strerror(error.errno).lower()}; nothing half-written was kept")
        traceback.print_exc()
        return _fail(f"{type(error).__name__}: {' '.join(str(error).split())}; this is a defect of finser, please report it", 70)


def _fail(message: str, status: int = 1) -> int:
    print(lines(message), file=sys.stderr)
    return status
