"""A small bundle, sounds, and servers: one as users start it, and some in threads, with limits of their own."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from finser.audio.frames import SR
from finser.config.sections.classifiers import Svm
from finser.emotions import EMOTIONS
from finser.features.examples import Examples
from finser.features.labels import features
from finser.features.rows import Row
from finser.models import begin, module_of
from finser.predict.bundle import Bundle, Member, Point, TrainedOn
from finser.predict.hub import Predictor
from finser.predict.traits import ranges, traits
from finser.serve.limits import Limits
from finser.serve.run import address, listening


def tone(emotion: int, rng: np.random.Generator) -> np.ndarray:
    """About 0.6 s of noise in which a tone of 300, 450, ... Hz comes and goes five times a second."""
    time_ = np.arange(int(SR * rng.uniform(0.5, 0.7))) / SR
    gate = np.sin(2 * np.pi * 5 * time_ + rng.uniform(0, 6)) > 0
    wave = 0.1 * rng.uniform(0.5, 2) * gate * np.sin(2 * np.pi * 300 * 1.5**emotion * time_)
    return np.round(32767 * (wave + 0.003 * rng.standard_normal(len(time_)))).clip(-32768, 32767).astype(np.int16)


class Running(NamedTuple):
    """A server that answers."""

    url: str
    process: int


def scores() -> dict:
    one = {"value": 0.75, "low": 0.6, "high": 0.85}
    classes = {name: {"precision": 0.7, "recall": 0.75, "f1": 0.72} for name in EMOTIONS}
    return {"uar": one, "wa": one, "f1_macro": one, "classes": classes, "n_test": 80, "n_test_speakers": 5}


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of an SVM that tells the tones of the miniature project apart; its scores are invented, and only shown."""
    folder, rng = tmp_path_factory.mktemp("serve") / "bundle", np.random.default_rng(0)
    options, targets = Svm(), np.repeat(np.arange(len(EMOTIONS)), 4)
    audio = [np.concatenate([tone(int(number), rng) for _ in range(1 + 4 * (n % 2))]) for n, number in enumerate(targets)]  # 0.6 and 3 s
    rows = [Row(str(n), "original", one, features(one)) for n, one in enumerate(audio)]
    inputs = [module_of(options).reader(options).convert(row) for row in rows]
    names = [row.clip_id for row in rows]
    classifier = begin(options, (), len(EMOTIONS))
    nothing = Examples("validation", [], [], [], targets[:0], [], EMOTIONS)
    classifier.solve(Examples("train", names, names, ["original"] * len(names), targets, inputs, EMOTIONS), nothing)
    (folder / "members/svm").mkdir(parents=True)
    classifier.save(folder / "members/svm")
    config = {"classes": EMOTIONS, "options": options.model_dump(mode="json")}
    (folder / "members/svm/config.json").write_text(json.dumps(config))
    made = Bundle(
        finser="0",
        name="tones",
        classes=EMOTIONS,
        quality="HQ",
        definition="frame",
        members=(Member(folder="members/svm", weight=1.0),),
        temperature=0.5,
        threshold=0.3,
        points=(Point(threshold=0.3, coverage=0.8, accuracy=0.9),),
        protocol="speaker",
        folds=(1,),
        n_tested=80,
        corpora=(TrainedOn(name="tones", title="Tones", licence="CC0", source="local", clips=32, speakers=32),),
        ranges=ranges(traits(row.features, row.audio) for row in rows),
        scores=scores(),
        confidence=0.95,
    )
    (folder / "config.json").write_text(made.model_dump_json())
    return folder


@pytest.fixture(scope="session")
def predictor(bundle_folder: Path) -> Predictor:
    return Predictor(bundle_folder)


def encoded(wave: np.ndarray, sr: int = SR, **options: str) -> bytes:
    """Samples as the bytes of a file, by default WAV."""
    target = io.BytesIO()
    soundfile.write(target, wave, sr, **{"format": "WAV", **options})
    return target.getvalue()


@pytest.fixture(scope="session")
def clip() -> bytes:
    return encoded(tone(4, np.random.default_rng(1)))


@pytest.fixture(scope="session")
def long_clip() -> bytes:
    """About 12 s, in which the tone changes after each 3 s or so."""
    rng = np.random.default_rng(2)
    return encoded(np.concatenate([tone(number, rng) for number in (0, 4, 3, 7) for _ in range(5)]))


@pytest.fixture(scope="session")
def served(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`finser serve` in a process of its own, which takes a minute of sound and has no limit of its clients' rate."""
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "finser", "serve", "--bundle", str(bundle_folder), "--port", "0", "--max-seconds", "60"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with (
        (folder.parent / "served.log").open("wb") as log,
        subprocess.Popen(
            [*command, "--rate", "1000000"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=wakes,
        ) as process,
    ):
        line = process.stdout.readline()
        found = re.search(r"tones answers at (http://127\.0\.0\.1:\d+)/", line)
        assert found, line + (folder.parent / "served.log").read_text()
        yield Running(found[1], process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert list(folder.iterdir()) == [], "an upload is left, or a file was written"
        assert (folder.parent / "served.log").read_text() == "error: interrupted\n", "and nothing of its requests"


@pytest.fixture
def serving(predictor: Predictor) -> Callable[..., object]:
    """Serve in a thread, with given limits: with serving(megabytes=1) as url."""
    from finser.serve.server import server

    @contextmanager
    def start(names: tuple[str, ...] = (), of: Predictor = predictor, **limits: float) -> Iterator[str]:
        bound = listening("127.0.0.1", 0)
        made = server(of, Limits(**limits), names)
        thread = threading.Thread(target=made.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not made.started:
            time.sleep(0.01)
        try:
            yield address(bound).rstrip("/")
        finally:
            made.should_exit = True
            thread.join(30)
            bound.close()

    return start


def wakes() -> None:
    """Let a process be interrupted even if the tests run in the background, where shells ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
