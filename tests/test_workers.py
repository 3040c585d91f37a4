"""Order and cores."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from finser.errors import FinserError
from finser.workers import cores, in_batches, map_in_order


def where(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_items(processes):
    results = list(map_in_order(where, iter(range(30)), processes=processes))
    assert [square for square, _ in results] == [number * number for number in range(30)]
    assert len({pid for _, pid in results}) <= processes
    assert (os.getpid() in {pid for _, pid in results}) == (processes == 1)


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise FinserError("seven", where="here")
    return number


def test_an_error_in_a_worker_reaches_the_caller():
    with pytest.raises(FinserError, match="^here: seven$"):
        list(map_in_order(fail_at_seven, range(20), processes=2))


def test_cores_come_from_the_rule(monkeypatch):
    monkeypatch.setenv("FINSER_CORES", "3")
    assert cores() == 3
    monkeypatch.setenv("FINSER_CORES", "many")
    with pytest.raises(FinserError, match="FINSER_CORES"):
        cores()


def threads_of_blas(_: int) -> set[int]:
    import numpy as np
    import scipy.linalg
    from threadpoolctl import threadpool_info

    scipy.linalg.inv(np.eye(3))
    return {library["num_threads"] for library in threadpool_info()}


def test_a_worker_has_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert list(map_in_order(threads_of_blas, range(4), processes=2)) == [{1}] * 4
    assert list(map_in_order(threads_of_blas, range(2), processes=1)) == [{1}] * 2


def forever(number: int) -> int:
    Path(f"{number}.pid").write_text(str(os.getpid()))
    time.sleep(600)
    return number


def test_workers_end_with_a_stage_that_is_killed(tmp_path):
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_workers as t; t.run_forever()"
    stage = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    deadline = time.monotonic() + 60
    while len(files := [path for path in tmp_path.glob("*.pid") if path.read_text()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = [psutil.Process(int(path.read_text())) for path in files]
    stage.kill()
    stage.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def run_forever() -> None:
    list(map_in_order(forever, range(2), processes=2))


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (3, [3]), (4, [4]), (9, [4, 4, 1])])
def test_batches_hold_everything_in_order(n, sizes):
    batches = list(in_batches(iter(range(n)), 4))
    assert [len(batch) for batch in batches] == sizes
    assert [item for batch in batches for item in batch] == list(range(n))
