"""Run one job of a stage, as ``finser STAGE ITEM`` does: checks, its step, checks again, and a line in the log."""

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import IO

from finser import layout
from finser.cards import take_one
from finser.config import params as parameters
from finser.config.params import Params
from finser.errors import FinserError
from finser.files import refusal
from finser.project import claims, dvc_locks, libraries, strays, unchanged
from finser.project.graph import LIBRARIES, MADE, Graph
from finser.project.place import check_place
from finser.project.stages import Stage
from finser.workers import cores


def run(stage: str, *values: str) -> None:
    """Validate params.yaml and the item, run the step, and log its status in logs/commands.jsonl.

    Parameters
    ----------
    stage : str
        A stage of dvc.yaml.
    *values : str
        The item, as in its command, e.g. ``"svm", "speaker", "1", "0"``.

    Raises
    ------
    FinserError
        params.yaml is invalid or names no such item, a library has another version than DVC records, an input is missing, or something
        that the job reads was edited while it ran.
    """
    check_place()
    params, graph = parameters.load(), Graph()
    item = check_item(graph, stage, values)
    reads = [*graph.paths(stage, item, "deps"), "params.yaml", str(LIBRARIES)]
    with dvc_locks.kept(reads, graph.paths(stage, item, *MADE)), claims.claim(graph.address(stage, item), wait=False):
        _run(params, graph, stage, item)


def _run(params: Params, graph: Graph, stage: str, item: dict[str, str]) -> None:
    values = tuple(item.values())
    lock = choose_card(params, graph.stages[stage], item)  # noqa: F841  (held to the end of the process)
    libraries.check(graph, stage)
    _clear_strays(graph, stage, item)
    before = unchanged.snapshot(stage, values)
    params = parameters.load()  # as the snapshot has them
    started, clock = datetime.now(UTC), time.monotonic()

    def log(status: str) -> None:
        """Append the line of this run to the log."""
        entry = {"preset": params.preset, "stage": stage, "item": list(values), "status": status, "cores": cores()}
        _log({**entry, "seconds": round(time.monotonic() - clock, 3), "started": started.isoformat(timespec="seconds")})

    try:
        graph.stages[stage].function()(params, *graph.typed(stage, item))
        unchanged.check(before, stage, values)
    except BaseException:
        with suppress(FinserError):  # report the error of the step, not that of a full disk
            log("failed")
        raise
    log("ok")


def check_item(graph: Graph, stage: str, values: tuple[str, ...]) -> dict[str, str]:
    """Map the values to wildcards, and raise an error for an item that is no job of the stage.

    No job would read the output of such an item, but DVC would count it in the folders that other jobs read.
    """
    item = dict(zip(graph.axes(stage), values, strict=True))
    for axis, value, named in zip(graph.stages[stage].axes, values, graph.axes(stage).values(), strict=True):
        if value not in named:
            expected = f"one of {', '.join(named)}" if named else "one that it names, and it names none"
            close = get_close_matches(value, named, n=1, cutoff=0.5)
            do = f"did you mean '{close[0]}'?" if close else "" if axis == "feature" else "add it there first"  # the features are fixed
            raise FinserError(f"unknown {axis} '{value}'", where="params.yaml", expected=expected, do=do)
    return item


def choose_card(params: Params, stage: Stage, item: dict[str, str]) -> IO | None:
    """Restrict this process to one GPU if the job uses one, and otherwise to none, so that each GPU serves one job.

    Returns
    -------
    file or None
        The lock of the card; see :func:`finser.cards.take_one`.
    """
    if uses_gpu(params, stage, item):
        return take_one()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return None


def uses_gpu(params: Params, stage: Stage, item: dict[str, str]) -> bool:
    """Return whether a job can use a GPU: its stage can, and its classifier, if it has one, is a network other than the MLP."""
    section = params.classifiers.get(item.get("model", item.get("trunk")))
    return stage.gpu and (section is None or section.on_gpu)


def _clear_strays(graph: Graph, stage: str, item: dict[str, str]) -> None:
    """Remove outputs that params.yaml no longer names from the folders that a job reads; raise an error for unknown files."""
    deps = graph.paths(stage, item, "deps")
    if strays.unknown(graph, deps):  # a look at the folders is cheap; dvc.lock, where removed outputs are recorded, may be long
        strays.clear_and_say(graph, deps)
        strays.check(graph, deps)


def _log(entry: dict) -> None:
    """Append one line to logs/commands.jsonl."""
    try:
        layout.COMMANDS_LOG.parent.mkdir(parents=True, exist_ok=True)
        with layout.COMMANDS_LOG.open("a", encoding="utf-8") as log:  # one write of one line: appending is atomic
            log.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise refusal(layout.COMMANDS_LOG, error) from None
