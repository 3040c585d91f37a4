"""Upload to a hub on loopback, and download from it, in processes whose endpoint it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .fake_hub import TOKEN, Hub, hub

CODE = """
import json, sys
import numpy as np
from finser import Predictor
action, name, token = sys.argv[1:4]
audio = (3000 * np.random.default_rng(1).standard_normal(22_050)).astype(np.int16)
if action == "push":
    predictor = Predictor.from_pretrained(sys.argv[4])
    print(predictor.push_to_hub(name, token=token))
else:
    predictor = Predictor.from_pretrained(name, threshold=0.5)
print(json.dumps(predictor.predict(audio, 22_050).probabilities))
"""


@pytest.fixture
def endpoint():
    with hub() as server:
        yield server


def run(server: Hub, home: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return subprocess.run([sys.executable, "-c", CODE, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_a_bundle_that_is_pushed_is_the_bundle_that_is_loaded(project_of_bundles, endpoint, tmp_path):
    folder = project_of_bundles / "bundles/svm"
    pushed = run(endpoint, tmp_path / "a", "push", "user/emotions", TOKEN, str(folder))
    assert pushed.returncode == 0, pushed.stderr
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert endpoint.repositories["user/emotions"] == files
    loaded = run(endpoint, tmp_path / "b", "load", "user/emotions", "")
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout.splitlines()[-1]) == json.loads(pushed.stdout.splitlines()[-1])


def test_what_no_hub_has_is_one_line(endpoint, tmp_path):
    done = run(endpoint, tmp_path, "load", "user/nosuch", "")
    assert done.stderr.splitlines()[-1].startswith(
        "finser.errors.FinserError: user/nosuch: no such folder, and no bundle of this id on a hub"
    )


def test_a_hub_that_refuses_the_token(project_of_bundles, endpoint, tmp_path):
    done = run(endpoint, tmp_path, "push", "user/emotions", "hf_wrong", str(project_of_bundles / "bundles/svm"))
    assert done.returncode and "401" in done.stderr and not endpoint.repositories
