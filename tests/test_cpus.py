"""The same bytes on every CPU: what finser computes, under settings that make this CPU behave like others."""

import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from finser.audio.decibels import db_to_power, natural_log
from finser.seeds import generator

DIGESTS = Path(__file__).with_name("digests.py")
# GLIBC_TUNABLES: the C library's exp, log, pow, sin and cos exist with and without fused multiply-add
CPUS = {
    "AVX2": {
        "needs": {"AVX2", "FMA3"},
        "numpy": ("X86_V4", "AVX512_ICL", "AVX512_SPR"),
        "NUMBA_CPU_NAME": "haswell",
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL",
    },
    "SSE": {
        "needs": set(),
        "numpy": ("X86_V3", "X86_V4", "AVX512_ICL", "AVX512_SPR"),
        "NUMBA_CPU_NAME": "generic",
        "OPENBLAS_CORETYPE": "Nehalem",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL",
        "ARROW_USER_SIMD_LEVEL": "NONE",
    },
    "AVX-512": {"needs": {"AVX512F"}, "numpy": (), "NUMBA_CPU_NAME": "skylake-avx512", "OPENBLAS_CORETYPE": "SkylakeX"},
}

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the settings are those of x86-64")


def features() -> set[str]:
    """What this CPU has, as NumPy finds it."""
    from numpy._core._multiarray_umath import __cpu_features__

    return {name for name, found in __cpu_features__.items() if found}


def digests(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """What tests/digests.py prints; everything is compiled anew."""
    folder.mkdir()
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **one, "NUMBA_CACHE_DIR": str(folder / "numba"), **settings}
    done = subprocess.run([sys.executable, DIGESTS], cwd=folder, env=environment, capture_output=True, text=True)
    assert not done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """The digests of this CPU without any setting, once for all others."""
    return digests(tmp_path_factory.mktemp("cpu") / "native", {})


@pytest.mark.parametrize("cpu", CPUS)
def test_bytes_are_those_of_any_other_cpu(cpu, tmp_path, native):
    settings = dict(CPUS[cpu])
    missing = settings.pop("needs") - features()
    if missing:
        pytest.skip(f"this CPU has no {', '.join(sorted(missing))}")
    disabled = [name for name in settings.pop("numpy") if name in features()]  # NumPy refuses names of what is not there
    found = digests(tmp_path / "other", {**settings, "NPY_DISABLE_CPU_FEATURES": " ".join(disabled)})
    assert found.keys() == native.keys() and len(found) > 40
    assert not [name for name in found if found[name] != native[name]]


def test_natural_log_and_its_inverse():
    x = 10.0 ** generator("log").uniform(-300, 300, 100_000)
    exact = [math.log(value) for value in x]
    assert max(abs(a - b) / max(1, abs(b)) for a, b in zip(natural_log(x), exact, strict=True)) < 5e-16
    db = generator("exp").uniform(-200, 200, 100_000)
    assert max(abs(a / 10 ** (b / 10) - 1) for a, b in zip(db_to_power(db), db.tolist(), strict=True)) < 2e-14
    assert natural_log([1.0])[0] == 0 and db_to_power([0.0])[0] == 1
