"""Write the code and the libraries that every stage depends on to dvc.yaml: ``python -m finser.tools.closures``.

A stage depends on

- the modules that its step imports, directly or not, except those that change no result (:data:`finser.project.code.PURE`);
- the modules with the defaults of its sections of params.yaml;
- the versions of the libraries in workflow/libraries.yaml that these modules import.

Kinds of classifiers and representations are imported by name. The stages that prepare a classifier depend on the module of its kind, on
what any kind imports, and on the code of the training and of all representations. They write a digest of the kind's own code, of the
training's, and of that of the representations that the kind reads, to models/initial/NAME. The stage that trains depends on this folder and
lists no code itself: an edit of one kind, or of a comment, trains no other kind again, and dvc.lock, which DVC rewrites after every job,
stays short. tests/test_architecture.py compares dvc.yaml with the output of this program.
"""

import ast
import inspect
import re
from pathlib import Path
from typing import get_args

from finser.classifiers.prepare import TRAINING
from finser.config.base import Section
from finser.config.params import Params
from finser.config.reading import read
from finser.config.sections.classifiers import KINDS
from finser.config.sections.features import REPRESENTATIONS
from finser.project import stages
from finser.project.code import PACKAGE, closure, imports, modules, packages
from finser.project.graph import LIBRARIES
from finser.project.libraries import IMPORTED_AS

ROOT = PACKAGE.parents[1]
PREPARING = ("prepare_classifier", "prepare_fine_tuning")  # they digest the code of the stage `train_classifier`
KIND_MODULES = {f"models.{kind}" for kind in KINDS}
REPRESENTATION_MODULES = {f"features.{name}" for name in REPRESENTATIONS}
IMPORTED_BY_NAME = {  # stage -> modules; it depends on the one that an axis names, and on all imports of any of them
    "features": REPRESENTATION_MODULES,
    **dict.fromkeys(PREPARING, KIND_MODULES),
}


def code_of(stage: stages.Stage) -> list[str]:
    """Return the modules of finser that a stage depends on, sorted, except those that an axis alone names."""
    if stage.name == "train_classifier":
        return []
    by_name = IMPORTED_BY_NAME.get(stage.name, set())
    training = (TRAINING, *REPRESENTATION_MODULES) if stage.name in PREPARING else ()
    names = closure(stage.step, *by_name, *training)
    known = modules()
    imported = set().union(*(imports(known[name], known) for name in names))  # also a module that an axis names, by another one
    return [name for name in names if name not in by_name or name in imported]


def libraries_of(stage: stages.Stage) -> list[str]:
    """Return the libraries of workflow/libraries.yaml that a stage's code imports, sorted."""
    imported = packages([*code_of(stage), *IMPORTED_BY_NAME.get(stage.name, ())])
    return sorted(name for name in read(ROOT / LIBRARIES) if IMPORTED_AS.get(name, name) in imported)


def sections_of(annotation: object) -> set[type[Section]]:
    """Return every section that a value of a type can hold, with the base classes of its keys."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        own = {kind for kind in annotation.__mro__ if issubclass(kind, Section) and kind is not Section}
        return own.union(*(sections_of(field.annotation) for field in annotation.model_fields.values()))
    return set().union(*map(sections_of, get_args(annotation)))


def followed(key: str) -> set[type[Section]]:
    """Return the sections below a key that dvc.yaml lists as a parameter, such as ``fetch.${item.corpus}``."""
    annotations: list = [Params]
    for part in re.sub(r"\$\{[^}]*\}", "*", key).split("."):
        inner = []
        for annotation in annotations:
            fields = getattr(annotation, "model_fields", None)
            named = fields if fields and part == "*" else [part]
            inner += [fields[name].annotation for name in named] if fields else [get_args(annotation)[1]]
        annotations = inner
    return set().union(*map(sections_of, annotations))


def defaults_of(stage: stages.Stage, written: dict) -> list[str]:
    """Return the files with the defaults of a stage's sections, relative to the root, sorted; the report shows all values."""
    if stage.name == "report":
        return ["src/finser/config"]
    keys = [key for key in written.get("do", written).get("params", []) if isinstance(key, str)]
    sections = set().union(*(followed(key) for key in keys))
    return sorted({str(Path(inspect.getfile(section)).relative_to(ROOT)) for section in sections})


def dependencies(stage: stages.Stage, written: dict) -> list[str]:
    """Return all entries below ``src/finser`` for a stage in dvc.yaml, sorted; a folder of dependencies alone replaces its files."""
    known = modules()
    code = [known[name] for name in code_of(stage)]
    files = {path for path in code if _holds_code(path)} | set().union(*map(read_beside, code))
    for folder in sorted({path.parent for path in known.values()} - {PACKAGE}, key=lambda path: -len(path.parts)):
        inside = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc" and _holds_code(path)}
        if len(inside) > 1 and inside <= files:
            files = (files - inside) | {folder}
    return sorted({*(str(path.relative_to(ROOT)) for path in files), *defaults_of(stage, written)})


def read_beside(path: Path) -> set[Path]:
    """Return the files in a module's own folder that it names: tables, templates."""
    texts = {node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant)}
    return {other for other in path.parent.iterdir() if other.suffix not in ("", ".py") and other.name in texts}


def _holds_code(path: Path) -> bool:
    """Return whether a file has more than the docstring of a package."""
    return path.name != "__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def rewritten(text: str) -> str:
    """Return dvc.yaml with the correct code and libraries of every stage."""
    table, lines, result = stages.table(), text.split("\n"), []
    written, stage, at = read(ROOT / stages.DVC)["stages"], None, 0
    while at < len(lines):
        line = lines[at]
        if found := re.match(r"  (\w+):", line):
            stage = table.get(found[1])
        if stage and (found := re.match(r"( +)deps:", line)):
            end = at + 1
            while end < len(lines) and re.match(found[1] + r" +- ", lines[end]):
                end += 1
            body = written[stage.name].get("do", written[stage.name])
            others = [entry for entry in body["deps"] if not entry.startswith("src/finser") or "${" in entry]
            result += _block(found[1], list(dict.fromkeys([*dependencies(stage, written[stage.name]), *others])))
            at = end
            continue
        if stage and ("workflow/libraries.yaml: [" in line or re.match(r" +params: \[.*\]$", line)):
            line = _with_libraries(line, libraries_of(stage))
        result.append(line)
        at += 1
    return "\n".join(result)


def _with_libraries(line: str, names: list[str]) -> str:
    """A line of ``params`` with these libraries; without any there is no entry, because DVC reads an empty list as the whole file."""
    entry = f"workflow/libraries.yaml: [{', '.join(names)}]"
    if "workflow/libraries.yaml" not in line:
        return f"{line[:-1]}, {{{entry}}}]" if names else line
    if names:
        return re.sub(r"workflow/libraries.yaml: \[[^\]]*\]", entry, line)
    return re.sub(r"(, )?\{workflow/libraries.yaml: \[[^\]]*\]\}", "", line)


def _block(indent: str, entries: list[str]) -> list[str]:
    quoted = [f'"{entry}"' if "${" in entry else entry for entry in entries]
    one = f"{indent}deps: [{', '.join(quoted)}]"
    return [one] if len(one) <= 140 else [f"{indent}deps:", *(f"{indent}  - {entry}" for entry in quoted)]


def main() -> None:
    """Rewrite dvc.yaml in the current folder."""
    text = stages.DVC.read_text(encoding="utf-8")
    new = rewritten(text)
    if new != text:
        stages.DVC.write_text(new, encoding="utf-8")
        print("dvc.yaml: code and libraries of its stages rewritten")


if __name__ == "__main__":
    main()
