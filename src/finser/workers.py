"""Worker processes of one job: as many as the rule's threads; results in the order of the items.

The standard library's executor is used, with a bounded number of items in flight, which `Executor.map` has only from Python 3.14.
``joblib.Parallel(return_as="generator")`` does the same and was tried: its workers outlive a stage that is killed, it reads the items in
another thread, an error in the items comes before results that are ready, and its import takes .17 to .25 s of CPU in every process.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import TypeVar

from threadpoolctl import threadpool_limits

from finser.errors import FinserError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Cores of this job: environment variable FINSER_CORES (the Snakemake rules set it to their threads), else all that it may use."""
    given = os.environ.get("FINSER_CORES", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))
    if not given.isdigit() or int(given) < 1:
        raise FinserError("not a number of cores", where="environment variable FINSER_CORES", expected="1 or more", found=given)
    return int(given)


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, the last one shorter: to hand over many items costs as much as to hand over one.

    ``itertools.batched`` does this from Python 3.12 on.
    """
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item], *, processes: int | None = None) -> Iterator[Result]:
    """Like ``map``, in worker processes; at most two items per worker are in flight, so that memory stays bounded.

    Parameters
    ----------
    function : callable
        A module-level function (it is pickled by name).
    items : iterable
        Consumed lazily.
    processes : int, optional
        Default: :func:`cores`. With 1, everything runs in this process.
    """
    processes = processes or cores()
    if processes == 1:
        with threadpool_limits(1):  # as in workers: with more threads BLAS adds in another order, which changes last bits
            yield from map(function, items)
        return
    # spawn: a forked child would inherit the threads' locks of torch and Arrow
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise FinserError("a worker process was killed", do="if memory ran out, give the job fewer cores or more memory") from None
        finally:
            for future in waiting:
                future.cancel()


def _begin_worker() -> None:
    """One thread per process, and no process without its parent: a killed stage leaves no worker behind."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))
    Thread(target=_end_with, args=(parent_process().sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
