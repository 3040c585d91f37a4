"""`finser STAGE ITEM` for the stages of dvc.yaml, and a few commands for users.

A command imports its modules when it runs, so that `finser --help` takes less than half a second. Every command ends with status 0, or with
another status and one line on standard error that begins with ``error:``.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable
from inspect import Parameter, Signature
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Literal

import typer

from finser import layout
from finser.errors import FinserError, lines
from finser.files import whole_file, write_text
from finser.project import stages
from finser.project.caches import give_numba_a_cache
from finser.project.place import check_code, check_root
from finser.tools import using

STAGES = "Stages (dvc.yaml calls them)"
PEOPLE = "For people"
RESTARTED = "FINSER_RESTARTED"
FULL = (errno.ENOSPC, errno.EDQUOT)
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def program() -> typer.Typer:
    """Make the command line: a command for every stage of dvc.yaml in the current folder, and those for users."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help="Reproducible speech emotion recognition.")
    skipped = sys.argv[1:2] == ["doctor"]  # which runs whatever is wrong with dvc.yaml
    for stage in stages.table().values() if stages.DVC.exists() and not skipped else ():
        app.command(stage.name, help=f"{stage.summary}.", rich_help_panel=STAGES)(_command(stage))
    for function in (preset, doctor, *using.COMMANDS, weights, migrate, params, check, imitate, inspect, export, cluster, schema, readme):
        app.command(function.__name__, rich_help_panel=PEOPLE)(function)
    own = typer.Typer(invoke_without_command=True, callback=corpora)
    own.command("add")(add)
    own.command("table")(table)
    app.add_typer(own, name="corpora", help=corpora.__doc__, rich_help_panel=PEOPLE)
    return app


def _command(stage: stages.Stage) -> Callable[..., None]:
    """Make the command of a stage. It takes an argument for each axis of the stage."""

    def command(**item: str) -> None:
        """Run one job of the stage."""
        from finser.project.run import run

        run(stage.name, *item.values())

    kind = Parameter.POSITIONAL_OR_KEYWORD
    axes = [(axis, Annotated[str, typer.Argument(help=values)]) for axis, values in stage.axes.items()]
    command.__signature__ = Signature([Parameter(axis, kind, annotation=annotation) for axis, annotation in axes])
    return command


def preset(
    name: Annotated[str, typer.Argument(help="demo, tiny, open, ravdess, encoders, finetune, paper or local")],
    path: Annotated[
        Path | None,
        typer.Argument(
            help="local, ravdess, encoders, finetune, paper: folder with RAVDESS/, CREMA-D/, TESS/, SAVEE/, ESD/, if they exist"
        ),
    ] = None,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="accept corpora in PATH with fewer clips than published")] = False,
) -> None:
    """Rewrite params.yaml (the old one is kept as params.yaml.bak, .2.bak and so on)."""
    from finser.tools.preset import make

    check_root()
    text, places = make(name, path, allow_partial)
    kept = _replace(Path("params.yaml"), text)
    if places:
        kept += _replace(Path("local.yaml"), places)
    print(f"params.yaml is now the preset {name}{kept}; run it: make report, or dvc repro")


def migrate() -> None:
    """Rewrite a params.yaml of an earlier version of finser; the old one is kept, paths in it go to local.yaml."""
    from finser.tools.preset import migrated

    check_root()
    text, places = migrated(Path("params.yaml"))
    kept = _replace(Path("params.yaml"), text)
    if places:
        kept += _replace(Path("local.yaml"), places)
    print(f"params.yaml has the present format{kept}; see what is stale: dvc status")


def _replace(target: Path, text: str) -> str:
    """Write a file; return, for a message, where a different old file is kept."""
    if target.exists() and not target.is_file():
        raise FinserError("no file", where=target, do="move it away")
    kept = f"; the old {target} is {_keep(target)}" if target.exists() and target.read_bytes() != text.encode() else ""
    write_text(target, text)
    return kept


def _keep(path: Path) -> Path:
    """Copy a file to PATH.bak, or to PATH.2.bak and so on if those hold other content; return the path of the copy."""
    content = path.read_bytes()  # the file may be no text
    names = chain([f"{path}.bak"], (f"{path}.{number}.bak" for number in count(2)))
    free = next(name for name in map(Path, names) if not name.exists() or name.read_bytes() == content)
    with whole_file(free) as partial:
        partial.write_bytes(content)
    return free


def imitate(
    files: Annotated[list[Path], typer.Argument(help="recordings")],
    out: Annotated[Path, typer.Option("--out", help="folder for NAME.parquet")] = Path("results/imitated"),
) -> None:
    """Write the FINs' features of any recordings to Parquet, beside librosa's, and print R2."""
    from finser.config import params as parameters
    from finser.fins.imitate import imitate as imitations

    for line in imitations(parameters.load(), files, out):
        print(line)


def inspect(
    shard: Annotated[
        Path, typer.Argument(help="a file, or a folder: data/shards/ravdess, data/labels/ravdess, data/features/statistics/ravdess")
    ],
    rows: Annotated[int, typer.Option("--rows", help="rows to show", min=0)] = 20,
) -> None:
    """Show the content of shards or of a stored representation: rows and totals. No audio is played."""
    from finser.tools.inspection import describe

    print("\n".join(describe(shard, rows)))


def export(
    corpus: Annotated[list[str], typer.Argument(help="one corpus of the project or more, e.g. ravdess")],
    dest: Annotated[Path, typer.Argument(help="folder to make; it must not be there yet")],
    format_: Annotated[Literal["hf"], typer.Option("--format", help="hf: a folder that Hugging Face `datasets` loads")] = "hf",
    variants: Annotated[list[str] | None, typer.Option("--variants", help="original, or any of augment.variants; may be repeated")] = None,
    with_labels: Annotated[bool, typer.Option("--with-labels", help="add librosa's features")] = False,
    protocol: Annotated[str | None, typer.Option("--protocol", help="speaker, random or cross_corpus: its parts become the splits")] = None,
    fold: Annotated[int | None, typer.Option("--fold", help="of the protocol", min=1)] = None,
) -> None:
    """Write shards as a data set for other programs, with a card that states their licences."""
    from finser.config import params as parameters
    from finser.tools.export import ORIGINAL, Selection
    from finser.tools.export import export as write

    chosen = Selection(tuple(corpus), parameters.load().emotions, tuple(variants or ORIGINAL), with_labels, protocol, fold)
    counts = write(chosen, dest)
    print(f"{dest}: " + ", ".join(f"{name} {rows} rows" for name, rows in counts.items()))


def params(
    resolved: Annotated[
        bool, typer.Option("--resolved", help="all values, with the defaults of the keys that params.yaml leaves out")
    ] = False,
) -> None:
    """Print the choices of params.yaml: the values that differ from the defaults."""
    from finser.config import dump
    from finser.config import params as parameters

    params = parameters.load()
    print((dump.resolved if resolved else dump.dump)(params), end="")


def check() -> None:
    """Validate params.yaml and print a summary."""
    from finser.config import params as parameters
    from finser.config.inputs import check_inputs

    params = parameters.load()
    check_inputs(params)
    print(f"params.yaml is valid: preset {params.preset}; corpora {', '.join(params.corpora)}; models {', '.join(params.models)}")


def doctor() -> int:
    """Examine the installation, and what params.yaml needs: what is missing, and how to get it. Status 1 if something is missing."""
    from finser.tools.doctor import main as examined

    return examined()


def corpora(context: typer.Context) -> None:
    """List the published corpora, and what this project has of its own: paths, clips found, excluded and ignored. See also: add, table."""
    if context.invoked_subcommand is None:
        from finser.config import params as parameters
        from finser.tools.overview import overview

        print("\n".join(overview(parameters.load() if Path("params.yaml").exists() else None)))


def weights(name: Annotated[str | None, typer.Argument(help="name of weights: print their details")] = None) -> None:
    """List the published weights that finser knows by name: size, rate, licence, pins, and what this project has of them."""
    from finser.config import params as parameters
    from finser.tools.known_weights import details, overview

    params = parameters.load() if Path("params.yaml").exists() else None
    print("\n".join(details(name, params) if name else overview(params)))


def add(
    name: Annotated[str, typer.Argument(help="name of the corpus: lower-case letters, digits and _")],
    table: Annotated[Path, typer.Argument(help="CSV, TSV or Parquet with the columns path, speaker, emotion (docs/own_corpora.md)")],
    root: Annotated[Path | None, typer.Option("--root", help="folder to which the paths are relative; default: the table's")] = None,
    column: Annotated[list[str] | None, typer.Option("--column", help="OURS=THEIRS: a column with another name; may be repeated")] = None,
    only: Annotated[bool, typer.Option("--only", help="take the other corpora out, except those that FINs are trained on")] = False,
    title: Annotated[str, typer.Option("--title", help="name in the report")] = "",
    licence: Annotated[str, typer.Option("--licence", help="terms of use, for the report")] = "",
    home: Annotated[str, typer.Option("--home", help="address of the publisher's page, for the report")] = "",
    language: Annotated[str, typer.Option("--language", help="language of clips whose row states none")] = "",
) -> None:
    """Check a table of own recordings, and add it to params.yaml and local.yaml as a corpus."""
    from finser.tools.own_corpus import add as added

    check_root()
    new = added(name, table, root, only=only, columns=column or (), title=title, licence=licence, home=home, language=language)
    kept = _replace(Path("params.yaml"), new.params) + _replace(Path("local.yaml"), new.places)
    print(*new.said, f"params.yaml and local.yaml have the corpus {name}{kept}", sep="\n")


def table(
    recipe: Annotated[str, typer.Argument(help="emodb, emovo, hugging_face, iemocap, meld, msp_podcast or urdu")],
    folder: Annotated[Path, typer.Argument(help="the data set in its publisher's layout")],
    target: Annotated[Path, typer.Argument(help="the CSV file to write")],
    option: Annotated[list[str] | None, typer.Option("--option", help="NAME=VALUE, an option of the recipe; may be repeated")] = None,
) -> None:
    """Write the table of a published data set, by one of the recipes of docs/recipes.md."""
    from finser.corpora.recipes.write import options_of, write

    count = write(recipe, folder, target, **options_of(recipe, option or []))
    print(f"{target}: {count:,} clips; next: finser corpora add {recipe} {target} --root {folder}")


def cluster(
    partition: Annotated[list[str] | None, typer.Option("--partition", help="use this partition; may be repeated; else all")] = None,
    account: Annotated[str, typer.Option("--account", help="account of the jobs; else your default one")] = "",
    probe: Annotated[bool, typer.Option(help="run a job of a second on a node: does it see this folder and the internet?")] = True,
) -> None:
    """Ask the cluster's scheduler what there is, and write a Snakemake profile that fits: workflow/profiles/SCHEDULER."""
    from finser.tools.cluster.write import write

    check_root()
    contents, said, advice = write(tuple(partition or ()), account, probe)
    print(*said, sep="\n")
    kept = [_replace(path, text) for path, text in contents.items()]
    print(*(f"{path} is written{old}" for path, old in zip(contents, kept, strict=True)), *advice, sep="\n")


def schema() -> None:
    """Rewrite docs/params.schema.json and docs/params.md from the schema, and docs/architecture.md's table of stages from dvc.yaml."""
    from finser.config.schema_docs import write
    from finser.project.stage_docs import update

    check_root()
    write(Path("docs"))
    update(Path("docs/architecture.md"))


def readme() -> None:
    """Put the results of results/report.md into README.md."""
    from finser.report.readme import update

    update(Path("README.md"), layout.report())


def main() -> None:
    """Entry point: run a command; every error that a user can cause is one line and a nonzero status."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA reads it at its first call; other values give other bits
    give_numba_a_cache()
    sys.exit(_status(_checked))


def _own_code() -> None:
    """Restart with the code of the project in the current folder, if the running code is another copy's."""
    try:
        check_code()
    except FinserError:
        if os.environ.get(RESTARTED):
            raise
        above = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(Path("src").resolve()), *([above] if above else [])])
        os.execve(sys.executable, [sys.executable, "-m", "finser", *sys.argv[1:]], os.environ | {"PYTHONPATH": path, RESTARTED: "1"})


def _checked() -> object:
    """Run a command with the code of the project in the current folder."""
    _own_code()
    return program()(standalone_mode=False)


def _status(command: Callable[[], object]) -> int:
    """Run a command; return its status, and print one line on standard error if it is not 0."""
    try:
        result = command()
        if result == 130:  # typer's status for Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except FinserError as error:
        return _fail(str(error))
    except typer.Exit as exit_:
        return exit_.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except BrokenPipeError:  # `finser inspect ... | head` has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, FileNotFoundError) and error.filename is not None:
            return _fail(f"{error.filename}: no such file")
        if hasattr(error, "format_message"):  # an error of click: a wrong argument or option
            return _fail(f"{error.format_message()} See: finser --help", 2)
        if isinstance(error, OSError) and error.errno in (FULL if error.filename is None else (*FULL, *DENIED)):
            return _fail(f"{error.filename or 'the disk written to'}: {os.strerror(error.errno).lower()}; nothing half-written was kept")
        traceback.print_exc()
        return _fail(f"{type(error).__name__}: {' '.join(str(error).split())}; this is a defect of finser, please report it", 70)


def _fail(message: str, status: int = 1) -> int:
    """Print an error, one line per fault; return the status."""
    print(lines(message), file=sys.stderr)
    return status
