"""What tests of several parts share."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from .miniature import altered, built, denormals, finished, params, project, relabel, run_, second_corpus, trained, with_tess  # noqa: F401


def pytest_configure(config: pytest.Config) -> None:
    """Let librosa compile its loops before several workers do so at once: in a fresh environment that ends in a segmentation fault."""
    if hasattr(config, "workerinput"):
        return
    import librosa
    import numpy as np

    y = np.random.default_rng(0).standard_normal(4096)
    librosa.yin(y, fmin=100, fmax=500)
    librosa.feature.zero_crossing_rate(y)
    librosa.feature.chroma_stft(y=y)


@pytest.fixture(scope="module", autouse=True)
def one_process(request: pytest.FixtureRequest):
    """Stages compute in the process of the test: each start of workers, which import librosa and torch, takes seconds of CPU.

    Those that compute in several processes have tests of their own, which set FINSER_CORES; tests of the workflow run stages as users do.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "workflow" not in request.path.relative_to(Path(__file__).parent).parts:
            patch.setenv("FINSER_CORES", "1")
        yield


@pytest.fixture(scope="session")
def copy_stages():
    """Copy dvc.yaml and the versions that it names to a folder: what a stage command needs beside params.yaml."""

    def copy(folder: Path) -> None:
        (folder / "workflow").mkdir(exist_ok=True)
        for name in ("dvc.yaml", "workflow/libraries.yaml"):
            shutil.copy(Path(__file__).parents[1] / name, folder / name)

    return copy


@contextmanager
def nobody():
    """Root reads everything: become nobody for a while, where this process may."""
    if os.geteuid():
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def as_nobody():
    """:func:`nobody`, to be used in a with statement."""
    return nobody


@pytest.fixture
def open_folder():
    """A temporary folder that anybody may enter (pytest's own are for the user alone)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in folder.iterdir():
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def own_processes() -> list[str]:
    """Return the beginning of a command that runs in a process namespace of its own, as on another host or in a container."""
    namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    for command in (namespace, [*namespace, "--user", "--map-root-user"]):  # the second one needs no root
        try:
            tried = subprocess.run([*command, "true"], capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("unshare is not installed")
        if tried.returncode == 0:
            return command
    pytest.skip(f"no process namespace of its own: {tried.stderr.strip()}")
