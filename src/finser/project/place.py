"""Whether the current folder is a project that this finser may work in."""

from pathlib import Path

import finser
from finser.errors import FinserError

FOLDERS = ("data", "models", "results")


def check_place() -> None:
    """Refuse a folder whose results would be recorded wrongly or not at all.

    Raises
    ------
    FinserError
        It is no project, the code is another copy's, or data/, models/, results/ or a folder in them is a link out of the project.
    """
    root = Path.cwd()
    if not Path("dvc.yaml").exists():
        raise FinserError("no dvc.yaml here", where=root, do="run in the project's root")
    check_code()
    folders = [path for name in FOLDERS for depth in ("", "/*", "/*/*") for path in sorted(Path().glob(name + depth)) if path.is_dir()]
    for path in folders:
        target = path.resolve()
        if path.is_symlink() and not target.is_relative_to(root.resolve()):
            raise FinserError(
                f"a link to {target}, which DVC cannot record",
                where=path,
                expected="a folder of the project",
                do="move DVC's cache to the other disk instead: dvc cache dir PATH, and dvc config cache.type symlink",
            )


def check_git() -> None:
    """Refuse a folder in which DVC would not run, such as an unpacked archive."""
    root = Path.cwd()
    if not any((folder / ".git").exists() for folder in (root, *root.parents)) and not _without_git(root):
        raise FinserError("no git repository here, and DVC works in one only", where=root, do="run: git init")


def check_lock() -> None:
    """Refuse an empty dvc.lock, as a full disk leaves it."""
    lock = Path("dvc.lock")
    if lock.exists() and not lock.stat().st_size:
        raise FinserError("empty: the disk was full when DVC wrote it", where=lock, do="git checkout dvc.lock, or remove it and run again")


def check_code() -> None:
    """Refuse to run the code of another copy of the project: DVC records the code that lies in this one."""
    here, runs = Path("src/finser").resolve(), Path(finser.__file__).resolve().parent
    if here.is_dir() and here != runs:
        raise FinserError("the code of another copy of the project", where=runs, expected=here, do="run workflow/finser")


def _without_git(root: Path) -> bool:
    """Whether DVC was told to do without git (``dvc config core.no_scm true``)."""
    files = (root / ".dvc/config", root / ".dvc/config.local")
    return any("no_scm = true" in file.read_text(encoding="utf-8").lower() for file in files if file.exists())
