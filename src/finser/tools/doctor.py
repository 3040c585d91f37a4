"""`finser doctor`: what is installed, what params.yaml needs beside it, what is missing, and how to get it.

Each section is examined on its own, and imports what it needs when it runs: a broken library, an invalid params.yaml or a folder that
cannot be read is a line, and the other sections follow. Nothing is written. Without typer or rich `finser` does not start, but
``python -m finser.tools.doctor`` does.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

import finser
from finser.errors import FinserError
from finser.tools import installed

if TYPE_CHECKING:
    from finser.config.params import Params

OK, NOTE, WARNING, MISSING = "ok", "note", "warning", "missing"
WIDTH, MARGIN, MOST = 100, 20, 4  # characters of a line, of its beginning, and lines of a finding
OLDEST = (3, 11)
ENVIRONMENT = "make environment"


@dataclass(frozen=True)
class Finding:
    """A line: state, what it is about, what was found, and what to do if it is not ok."""

    state: str
    name: str
    found: str
    do: str = ""


def examine(root: Path | None = None) -> list[Finding]:
    """Return all findings, in the order in which they are shown.

    Parameters
    ----------
    root : path, optional
        The folder of the project; default: the current one. The process changes into no other.
    """
    root = root or Path.cwd()
    there = (root / "dvc.yaml").exists()
    findings = [*_guarded("Python", of_python), *of_installation(root), *_guarded("tools", of_programs), *_guarded("cores", of_cores)]
    if not there:
        findings.append(Finding(NOTE, "project", f"none in {root}: only the installation was examined", "run it in a project's root"))
        return [*findings, *_guarded("bundles", of_bundles)]
    params, said = of_params()
    findings += [*_guarded("project", of_project), *said]
    if params is not None:
        for name, section in (("inputs", of_inputs), ("corpora", of_corpora), ("disk", of_disk)):
            findings += _guarded(name, partial(section, params))
    return [*findings, *_guarded("cache", of_cache), *_guarded("bundles", of_bundles)]


def _guarded(name: str, section: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return the findings of a section, and its fault as one of them."""
    findings = []
    try:
        findings.extend(section())
    except FinserError as error:
        findings += _faults(name, error)
    except Exception as error:  # whatever is broken here, the other sections are shown
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        findings.append(Finding(WARNING, name, f"cannot be examined ({reason})", "mend what is reported above first"))
    return findings


def _faults(name: str, error: FinserError) -> Iterator[Finding]:
    """Yield the first lines of an error as what is missing."""
    first, *rest = str(error).splitlines()
    yield Finding(MISSING, name, first, f"{len(rest)} more faults: finser check" if rest else "")


def of_python() -> Iterator[Finding]:
    """Yield the version of Python and the place of finser."""
    here = f"{sys.version.split()[0]}, {sys.executable}"
    wanted = ".".join(map(str, OLDEST))
    yield Finding(OK, "Python", here) if sys.version_info >= OLDEST else Finding(MISSING, "Python", here, f"install {wanted} or newer")
    yield Finding(OK, "finser", str(Path(finser.__file__).parent))


def of_installation(root: Path) -> list[Finding]:
    """Return what the imports of all libraries show, their versions, GPUs, and optional extras."""
    try:
        needs, extras = installed.declared()
    except PackageNotFoundError:
        return [Finding(MISSING, "libraries", "finser is not installed as a package", ENVIRONMENT)]
    names = {name: installed.module_of(name) for name in (*needs, *(name for some in extras.values() for name in some))}
    probed = installed.probe(list(dict.fromkeys(names.values())))
    for module in probed.faults:
        sys.modules.setdefault(module, None)  # the other sections must not import what may end this process: they get an error instead
    faults = {name: probed.faults[module] for name, module in names.items() if module in probed.faults}
    return [
        *of_libraries(needs, faults),
        *_guarded("versions", partial(of_versions, root)),
        *of_extras(extras, faults),
        *_guarded("GPU", partial(of_gpus, probed)),
    ]


def of_libraries(needs: list[str], faults: dict[str, str]) -> Iterator[Finding]:
    """Yield whether all libraries that finser needs can be imported."""
    absent = [name for name in needs if faults.get(name) == installed.ABSENT]
    if absent:
        yield Finding(MISSING, "libraries", f"not installed: {_few(absent)}", ENVIRONMENT)
    for name in (name for name in needs if name in faults and name not in absent):
        yield Finding(MISSING, "libraries", f"{name} cannot be imported ({faults[name]})", f"reinstall it, or: {ENVIRONMENT}")
    if not any(name in faults for name in needs):
        yield Finding(OK, "libraries", f"all {len(needs)} can be imported")


def of_versions(root: Path) -> Iterator[Finding]:
    """Yield which installed versions differ from constraints.txt; a stage refuses those of workflow/libraries.yaml."""
    pinned = installed.pins(root)
    if not pinned:
        yield Finding(NOTE, "versions", "there is no constraints.txt to compare them with")
        return
    others = {name: f"{name} {found} (pinned: {pin})" for name, (found, pin) in installed.others(pinned).items()}
    refused = [others.pop(name) for name in sorted(followed(root) & others.keys())]
    if refused:
        yield Finding(MISSING, "versions", f"stages refuse {_few(refused)}", ENVIRONMENT)
    if others:
        yield Finding(WARNING, "versions", f"not those of constraints.txt: {_few(list(others.values()))}", ENVIRONMENT)
    if not refused and not others:
        yield Finding(OK, "versions", f"those of constraints.txt ({len(pinned)} pins)")


def followed(root: Path) -> set[str]:
    """Return the libraries whose versions are recorded with results, those of workflow/libraries.yaml."""
    path = root / "workflow/libraries.yaml"
    if not path.exists():
        return set()
    from finser.config.reading import read

    return set(read(path))


def of_extras(extras: dict[str, list[str]], faults: dict[str, str]) -> Iterator[Finding]:
    """Yield which optional extras are there, which fail, and how to get the others."""
    absent = [extra for extra, names in extras.items() if any(faults.get(name) == installed.ABSENT for name in names)]
    failing = {
        name: fault for names in extras.values() for name in names if (fault := faults.get(name, installed.ABSENT)) != installed.ABSENT
    }
    there = [extra for extra, names in extras.items() if extra not in absent and not any(name in failing for name in names)]
    if there:
        yield Finding(OK, "extras", f"{', '.join(f'{extra} ({_few(extras[extra])})' for extra in there)}")
    for name, fault in failing.items():
        yield Finding(WARNING, "extras", f"{name} cannot be imported ({fault})", "docs/predict.md says what it needs")
    if absent:
        shown = ", ".join(f"{extra} ({_few(extras[extra])})" for extra in absent)
        yield Finding(NOTE, "extras", f"optional, not installed: {shown}", f'pip install "finser[{",".join(absent)}]"')


def of_gpus(probed: installed.Probed) -> Iterator[Finding]:
    """Yield the GPUs that torch sees."""
    from rich.filesize import decimal

    if probed.gpus:
        yield Finding(OK, "GPU", ", ".join(f"{name}, {decimal(memory)}" for name, memory in probed.gpus))
    elif "torch" not in probed.faults and Path("/proc/driver/nvidia/version").exists():
        do = "nvidia-smi, and CUDA_VISIBLE_DEVICES, show why; or install torch for the driver's CUDA"
        yield Finding(WARNING, "GPU", "there is a driver, but torch sees no GPU: networks are trained on the CPU", do)
    else:
        yield Finding(NOTE, "GPU", "none that torch sees: networks are trained on the CPU, which takes longer")


def of_programs() -> Iterator[Finding]:
    """Yield whether git and make are there."""
    absent = [name for name in ("git", "make") if shutil.which(name) is None]
    if absent:
        do = "install them by the system's packages; dvc repro runs everything without make"
        yield Finding(WARNING, "tools", f"not found: {', '.join(absent)}", do)
    else:
        yield Finding(OK, "tools", "git, make")


def of_cores() -> Iterator[Finding]:
    """Yield cores and memory, against the largest job of dvc.yaml."""
    import psutil
    from rich.filesize import decimal

    from finser.project import stages
    from finser.workers import cores

    memory = psutil.virtual_memory()
    found = f"{cores()}; memory {decimal(memory.total)}, of which {decimal(memory.available)} are free"
    jobs = stages.table().values() if stages.DVC.exists() else ()
    most = max((stage.mem_mb for stage in jobs), default=0) * 1_000_000
    if most > memory.total:
        yield Finding(WARNING, "cores", found, f"the largest job asks for {decimal(most)}: run it on a larger machine")
    else:
        yield Finding(OK, "cores", found + (f"; the largest job asks for {decimal(most)}" if most else ""))


def of_project() -> Iterator[Finding]:
    """Yield whether stages may run and write in this folder."""
    from finser.project import dvc_locks
    from finser.project.place import check_git, check_lock, check_place

    for check in (check_place, check_git, check_lock):
        check()
    if not dvc_locks.is_whole():
        do = "the next job of Snakemake writes it anew; before dvc repro, and if no DVC runs here: rm .dvc/tmp/rwlock"
        yield Finding(WARNING, "project", ".dvc/tmp/rwlock is cut short: DVC writes it, or was killed while it wrote it", do)
    closed = [name for name in (".", "data", "models", "results", ".dvc") if Path(name).exists() and not os.access(name, os.W_OK)]
    if closed:
        yield Finding(MISSING, "project", f"cannot be written: {', '.join(closed)}", "copy the project to a folder of yours")
    else:
        yield Finding(OK, "project", str(Path.cwd()))


def of_params() -> "tuple[Params | None, list[Finding]]":
    """Return the parameters, if they are valid, and what was found."""
    loaded = []

    def load() -> Iterator[Finding]:
        """Read params.yaml."""
        from finser.config import params as parameters

        params = parameters.load()
        loaded.append(params)
        yield Finding(OK, "params.yaml", f"valid: preset {params.preset}; models {', '.join(params.models)}")

    findings = _guarded("params.yaml", load)
    return (loaded[0] if loaded else None), findings


def of_inputs(params: "Params") -> Iterator[Finding]:
    """Yield what else params.yaml relies on: local.yaml, the file of folds, recordings of noise, published weights."""
    from finser import layout
    from finser.config import locations
    from finser.config.inputs import check_inputs
    from finser.tools.known_weights import to_download

    check_inputs(params)
    yield Finding(OK, "inputs", "local.yaml" if locations.FILE.exists() else "params.yaml needs no local.yaml")
    wanted = {"recordings of noise": locations.noise} if "noise_file" in params.augment.variants else {}
    given = [name for name, one in params.fetch_weights.items() if one.source == "local" and not layout.weights(name).exists()]
    wanted |= {f"the weights '{name}'": partial(locations.weights, name) for name in given}
    yield from (Finding(NOTE, "weights", line) for line in to_download(params))
    for what, where in wanted.items():
        yield from _guarded("inputs", partial(_of_path, what, where))


def _of_path(what: str, where: Callable[[], Path]) -> Iterator[Finding]:
    path = where()
    if path.exists():
        yield Finding(OK, "inputs", f"{what}: {path}")
    else:
        yield Finding(MISSING, "inputs", f"{what}: {path} does not exist", "correct its path in local.yaml")


def of_corpora(params: "Params") -> Iterator[Finding]:
    """Yield which corpora are there, which `fetch` makes or downloads, and a line for each that is missing."""
    there: dict[str, list[str]] = {}
    for corpus in params.corpora:
        try:
            there.setdefault(state_of(params, corpus), []).append(corpus)
        except FinserError as error:
            (fault,) = _faults("corpora", error)
            yield Finding(MISSING, "corpora", f"{corpus}: {fault.found}", fault.do or "how to get it: finser corpora")
    for state, names in there.items():
        yield Finding(OK, "corpora", f"{', '.join(names)}: {state}")


def state_of(params: "Params", corpus: str) -> str:
    """Return where a corpus is, or what `fetch` will do for it.

    Raises
    ------
    FinserError
        Its folder or table is missing, faulty or incomplete.
    """
    from finser import layout
    from finser.files import read_json

    source, said = params.fetch[corpus], layout.raw(corpus) / "SOURCE.json"
    if said.exists() and read_json(said).get("source") == source.source:
        return f"fetched ({source.source})"
    if source.source == "table":
        from finser.config import locations
        from finser.corpora.tables.listing import check_table

        check_table(locations.table(corpus), locations.root(corpus), source, corpus, params.emotions)
        return "found; fetch copies it"
    if source.source == "local":
        from finser.corpora import local

        folder = local.folder_of(corpus)
        local.survey(folder, corpus, partial(params.index.refuses, corpus))
        local.check_complete(folder, source, corpus)
        return "found; fetch copies it"
    return "synthesised by fetch" if source.source == "synthetic" else "downloaded by fetch"


def of_disk(params: "Params") -> Iterator[Finding]:
    """Yield the free space, against an estimate of what the data of the run still need."""
    from rich.filesize import decimal

    from finser.tools import disk

    folder, linked = disk.cache()
    try:
        whole = disk.needed(params)
    except FinserError:  # which the corpora's lines report
        found = f"{decimal(shutil.disk_usage('.').free)} free; what the run needs is estimated when all corpora are there"
        yield Finding(NOTE, "disk", found)
        return
    there = disk.size_of(Path("data"))
    kept = 0 if linked else max(whole - disk.size_of(folder), 0)
    same = disk.device_of(folder) == disk.device_of(Path())
    here = max(whole - there, 0) + (kept if same else 0)
    about = f"the data of this run are about {decimal(whole)}, by an estimate without models" + ("" if linked else ", and DVC keeps a copy")
    for path, more in ((Path(), here), *(() if same else ((folder, kept),))):
        free = shutil.disk_usage(disk.existing(path)).free
        found = f"{decimal(free)} free{'' if path == Path() else f' for {path}'}, {decimal(more)} still needed: {about}"
        if free > more:
            yield Finding(OK, "disk", found)
        else:
            yield Finding(MISSING, "disk", found, "make room, or keep DVC's copies elsewhere: dvc cache dir PATH")


def of_cache() -> Iterator[Finding]:
    """Yield the place and size of DVC's cache."""
    from rich.filesize import decimal

    from finser.tools import disk

    folder, linked = disk.cache()
    if not folder.exists():
        yield Finding(OK, "cache", f"{folder}: empty; the first run fills it")
    elif os.access(folder, os.W_OK):
        yield Finding(OK, "cache", f"{folder}, {decimal(disk.size_of(folder))}{', linked' if linked else ''}")
    else:
        yield Finding(MISSING, "cache", f"{folder} cannot be written", "choose another: dvc cache dir --local PATH")


def of_bundles() -> Iterator[Finding]:
    """Yield the bundle of the package, those right below this folder or in bundles/, and classifiers of which one can be made."""
    from finser.predict.bundle import CONFIG, SHIPPED, read

    found, own = [], []
    try:
        found.append(f"installed ({read(SHIPPED).name})")
    except FinserError as error:
        what = f"damaged ({error.brief})" if (SHIPPED / CONFIG).exists() else "missing"
        yield Finding(WARNING, "bundles", f"the example is {what}", "install finser again")
    for path in filter(_is_bundle, sorted((*Path().glob(f"*/{CONFIG}"), *Path().glob(f"bundles/*/{CONFIG}")))):
        try:
            own.append(f"{path.parent} ({read(path.parent).name})")
        except FinserError as error:
            yield Finding(WARNING, "bundles", str(error))
    kept = sorted(path.name for path in Path("models/final").glob("*") if path.is_dir())
    do = f"finser bundle {kept[0]} FOLDER writes one" if kept else "" if own else "docs/predict.md describes how to make your own"
    yield Finding(OK if own else NOTE, "bundles", _few([*found, *own]) or "none", do)


def _is_bundle(path: Path) -> bool:
    """Return whether a config.json is of a bundle, perhaps a damaged one: other programs write files of this name, too."""
    from finser.files import read_json

    if (path.parent / "members").is_dir():
        return True
    try:
        return "members" in read_json(path)
    except (FinserError, TypeError):
        return False


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the findings as text of 100 columns: state, name, what was found, what to do; what is very long is cut."""
    for one in findings:
        text = one.found + (f"; {one.do}" if one.do else "")
        wrapped = textwrap.wrap(text, WIDTH - MARGIN, max_lines=MOST, placeholder=" ...") or [""]
        heads = [f"{one.state:<8}{one.name:<12}", *[" " * MARGIN] * (len(wrapped) - 1)]
        yield from (f"{head}{rest}" for head, rest in zip(heads, wrapped, strict=True))


def main() -> int:
    """Print all findings; return 1 if something is missing, and otherwise 0."""
    findings = examine()
    print(*lines(findings), sep="\n")
    return int(any(one.state == MISSING for one in findings))


if __name__ == "__main__":
    sys.exit(main())
