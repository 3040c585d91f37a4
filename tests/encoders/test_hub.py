"""Every fault of a hub, over HTTP on loopback: each is one line, nothing is left in models/weights, and the next run is right."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from finser import encoders, layout
from finser.config.dump import dump
from finser.encoders.fetch import fetch_weights
from finser.errors import FinserError
from finser.files import checksum, read_json

from .conftest import with_weights
from .fake_hub import TOKEN, Hub

REPO = "someone/wav2vec2"
HERE = Path(__file__).parents[2]


def section(**others: str) -> dict:
    return {"source": "hub", "family": "wav2vec2", "repo": REPO, **others}


def fetch(**others: str) -> dict:
    """Fetch, and return the origin that is recorded."""
    fetch_weights(with_weights(given=section(**others)), "given")
    return read_json(layout.weights("given") / "config.json")["origin"]


def refused(**others: str) -> str:
    """Return the one line of a fetch that fails, and see that nothing is left of it."""
    with pytest.raises(FinserError) as caught:
        fetch(**others)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(Path("models/weights").glob("*")) and not list(Path("models/weights").glob(".*"))
    return str(caught.value)


@pytest.fixture
def hub(served, wav2vec2) -> Hub:
    """A hub with one repository."""
    served.repositories[REPO] = dict(wav2vec2)
    return served


def digest(hub: Hub, name: str = "model.safetensors") -> str:
    path = Path("reference")
    path.write_bytes(hub.repositories[REPO][name])
    return checksum(path)


def test_a_branch_is_resolved_recorded_and_the_pin_is_printed(hub, capsys):
    commit, sha256 = hub.commit(REPO), digest(hub)
    assert fetch() == {
        "source": "hub",
        "repo": REPO,
        "commit": commit,
        "file": "model.safetensors",
        "sha256": sha256,
        "sha256_from": "the hub",
    }
    said = capsys.readouterr().err
    assert f"add to fetch_weights.given in params.yaml: {{revision: {commit}, sha256: {sha256}}}" in said
    assert f"{REPO}: licence as its publisher states; whoever downloads it accepts this licence" in said
    assert encoders.load(layout.weights("given")).n_layers == 3


def test_a_commit_and_a_checksum_are_pinned_and_recorded(hub, capsys):
    commit, sha256 = hub.commit(REPO), digest(hub)
    found = fetch(revision=commit, sha256=sha256, licence="CC0")
    assert (found["revision"], found["commit"], found["sha256"], found["sha256_from"]) == (commit, commit, sha256, "params.yaml")
    said = capsys.readouterr().err
    assert "note:" not in said and "licence CC0" in said


def test_safetensors_come_before_a_pickle_and_a_pickle_is_converted(hub, pickled):
    hub.repositories[REPO] |= pickled
    assert fetch()["file"] == "model.safetensors"
    one = (layout.weights("given") / "model.safetensors").read_bytes()
    del hub.repositories[REPO]["model.safetensors"]
    found = fetch()
    assert found["file"] == "pytorch_model.bin" and found["sha256_from"] == "the hub"
    assert (layout.weights("given") / "model.safetensors").read_bytes() == one


def test_a_broken_connection_resumes_with_the_bytes_that_are_missing(hub, monkeypatch):
    """Blocks of 1,000 bytes: huggingface_hub writes no incomplete block, and its blocks of 10 MB are larger than this file."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    hub.breaks, hub.times, size = 20_000, 2, len(hub.repositories[REPO]["model.safetensors"])
    fetch()
    ranges = [asked for method, path, asked in hub.asked if method == "GET" and path.startswith("cdn/") and asked]
    assert ranges == ["bytes=20000-", "bytes=40000-"] and size > 40_000 and hub.sent == size
    assert digest(hub) == read_json(layout.weights("given") / "config.json")["origin"]["sha256"]


def test_a_connection_that_stalls_is_given_up_and_made_again(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    hub.stall, hub.times, started = 20.0, 1, time.monotonic()
    fetch()
    sent = [path for method, path, _ in hub.asked if method == "GET" and path.startswith("cdn/")]
    assert len(sent) == 2 and time.monotonic() - started < 20


def test_a_connection_that_breaks_each_time_is_one_line_and_the_next_run_is_right(hub):
    hub.breaks, hub.times = 1, 99
    assert "model.safetensors of revision" in (line := refused())
    assert "cannot be downloaded" in line and line.endswith("run it again later")
    asked, hub.times = len(hub.asked), 0
    fetch()
    assert not any("config.json" in path for method, path, _ in hub.asked[asked:] if method == "GET"), "these are in the cache"


def test_a_second_fetch_takes_all_from_the_cache(hub):
    fetch()
    sent = hub.sent
    fetch(revision=hub.commit(REPO))
    assert hub.sent == sent


def test_a_wrong_checksum(hub):
    line = refused(sha256="0" * 64)
    assert f"wrong sha256; expected {'0' * 64}; found {digest(hub)}" in line and "correct revision and sha256 in params.yaml" in line


@pytest.mark.parametrize("cached", [False, True])
def test_other_bytes_than_the_hub_states(hub, cached):
    """On the way, of the same length, or on the disk."""
    right = hub.repositories[REPO]["model.safetensors"]
    if cached:
        fetch()
        layout.weights("given").rename("aside")
        blob = next(path for path in Path("cache").rglob("model.safetensors")).resolve()
        blob.write_bytes(right[:-1] + b"x")
    else:
        hub.swapped["model.safetensors"] = right[:-1] + b"x"
    line = refused()
    assert f"another sha256 than the hub states; expected {digest(hub)}; found" in line
    hub.swapped.clear()
    Path(line.split("delete ")[1].split(" and run")[0]).unlink()
    assert fetch()["sha256"] == digest(hub)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"repo": "someone/nothing"}, "/someone/nothing: no such repository, or a private one; correct repo in params.yaml"),
        ({"revision": "v2"}, "/someone/wav2vec2: no such revision; found v2; correct revision"),
        ({"revision": "0" * 40}, f"/someone/wav2vec2: no such revision; found {'0' * 40}"),
        ({"file": "weights.bin"}, "/someone/wav2vec2: no such file: weights.bin; found revision"),
        ({"family": "hubert"}, "config.json: another architecture; expected model_type hubert; found wav2vec2"),
    ],
)
def test_what_a_hub_does_not_have(hub, others, said):
    assert said in refused(**others)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (("config.json",), "no such file: config.json"),
        (("model.safetensors",), "no such file: model.safetensors or pytorch_model.bin"),
    ],
)
def test_a_repository_without_a_file(hub, missing, said):
    for name in missing:
        del hub.repositories[REPO][name]
    assert said in refused()


def test_a_repository_without_a_preprocessor(hub):
    del hub.repositories[REPO]["preprocessor_config.json"]
    assert "family wav2vec2: no preprocessor_config.json, or an empty one" in refused()


@pytest.mark.parametrize(("token", "said"), [("", "found no token"), ("hf_other", "found the account of your token has not accepted them")])
def test_a_gated_repository(hub, monkeypatch, token, said):
    """The hub answers 401 without a token, and 403 for an account without access."""
    hub.gated.add(REPO)
    monkeypatch.setenv("HF_TOKEN", token)
    line = refused()
    assert line.startswith(f"{hub.address}/{REPO}: gated: only for accounts that accepted its publisher's terms") and said in line
    assert f"accept them at {hub.address}/{REPO}, then set HF_TOKEN" in line
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch()["commit"] == hub.commit(REPO)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_hub_that_refuses_or_fails(hub, status):
    hub.status = status
    line = refused()
    assert line.startswith(f"{hub.address}/{REPO}: ") and str(status) in line


@pytest.mark.parametrize("failing", ["model.safetensors", "config.json"])
def test_a_hub_that_fails_for_one_file_alone(hub, pickled, failing):
    """The pickle is no replacement for safetensors that the repository has; a configuration is not taken as missing."""
    hub.repositories[REPO] |= pickled
    hub.failing = failing
    line = refused()
    assert f"{failing} of revision {hub.commit(REPO)} cannot be downloaded" in line and "503" in line


def test_a_hub_that_fails_after_the_weights_were_cached_is_not_needed(hub):
    fetch(revision=hub.commit(REPO))
    hub.status = 503
    assert fetch(revision=hub.commit(REPO))["commit"] == hub.commit(REPO)


def test_a_branch_is_never_that_of_an_earlier_run_unless_the_run_is_offline(hub, monkeypatch):
    """huggingface_hub alone would return the commit that its cache recorded last."""
    from huggingface_hub import close_session, constants

    earlier = hub.commit(REPO)
    fetch()
    shutil.rmtree(layout.weights("given"))
    hub.status = 503
    assert "revision main cannot be downloaded" in refused()
    close_session()  # else its connection lives on
    hub.shutdown()
    hub.server_close()
    assert "Connection refused" in refused()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch()["commit"] == earlier


def test_a_server_that_is_down(hub, monkeypatch):
    from huggingface_hub import constants

    hub.shutdown()
    hub.server_close()
    line = refused(revision="0" * 40)
    assert line.startswith(f"{constants.ENDPOINT}/{REPO}: ") and "cannot be downloaded" in line and "Connection refused" in line


def test_a_login_page_in_place_of_a_hub(hub):
    hub.page = True
    assert "the answer is not that of a hub; check HF_ENDPOINT and your proxy" in refused(revision=hub.commit(REPO))
    assert "the answer is not that of a hub" in refused()


def test_an_html_page_in_place_of_the_weights(hub):
    page = b"<!doctype html><html><head><title>Moved</title></head>"
    hub.repositories[REPO]["model.safetensors"] = page
    assert "an HTML page ('Moved') in place of weights" in refused()


def test_a_truncated_file(hub):
    hub.repositories[REPO]["model.safetensors"] = hub.repositories[REPO]["model.safetensors"][:-100]
    assert "model.safetensors: not a safetensors file" in refused()


def test_a_malicious_pickle_is_refused_and_runs_nothing(hub, project):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (project / "harm",))

    archive = BytesIO()
    torch.save({"a": Harmful()}, archive)
    del hub.repositories[REPO]["model.safetensors"]
    for data in (archive.getvalue(), pickle.dumps(Harmful())):
        hub.repositories[REPO]["pytorch_model.bin"] = data
        assert "nothing of it was run; use a safetensors file" in refused()
    hub.repositories[REPO]["model.safetensors"] = pickle.dumps(Harmful())
    assert "not a safetensors file" in refused()
    assert not (project / "harm").exists()


@pytest.mark.parametrize("content", [[1, 2], {"model": {"a": torch.zeros(1)}}, torch.zeros(1)])
def test_a_pickle_of_something_else(hub, content):
    del hub.repositories[REPO]["model.safetensors"]
    archive = BytesIO()
    torch.save(content, archive)
    hub.repositories[REPO]["pytorch_model.bin"] = archive.getvalue()
    assert "pytorch_model.bin: not a state dict; expected tensors by name" in refused()


def test_a_damaged_pickle(hub, pickled):
    del hub.repositories[REPO]["model.safetensors"]
    for cut in (100, len(pickled["pytorch_model.bin"]) - 100):
        hub.repositories[REPO]["pytorch_model.bin"] = pickled["pytorch_model.bin"][:cut]
        assert "pytorch_model.bin: " in refused()


def test_a_pickle_of_an_old_torch_is_read(hub, pickled):
    """Before version 1.6 torch wrote no zip archive, which cannot be mapped into memory."""
    fetch()
    one = (layout.weights("given") / "model.safetensors").read_bytes()
    old = BytesIO()
    torch.save(torch.load(BytesIO(pickled["pytorch_model.bin"])), old, _use_new_zipfile_serialization=False)
    del hub.repositories[REPO]["model.safetensors"]
    hub.repositories[REPO]["pytorch_model.bin"] = old.getvalue()
    fetch()
    assert (layout.weights("given") / "model.safetensors").read_bytes() == one


def test_code_of_the_repository(hub):
    config = hub.repositories[REPO]["config.json"]
    hub.repositories[REPO]["config.json"] = config.replace(b"{", b'{"auto_map": {"AutoModel": "modeling.Model"},', 1)
    hub.repositories[REPO]["modeling.py"] = b"raise SystemExit"
    assert "names code of the repository to run (auto_map); finser runs no such code" in refused()
    assert not any(path.endswith(".py") for _, path, _ in hub.asked)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("wav2vec2.encoder.layer_norm.bias"), "lacks 'encoder.layer_norm.bias'"),
        (lambda tensors: tensors.update({"wav2vec2.more": torch.zeros(1)}), "unknown tensor 'more'"),
        (lambda tensors: tensors.update({"more": torch.zeros(1)}), "unknown tensor 'more'"),
    ],
)
def test_tensors_that_miss_or_are_too_many(hub, change, said):
    tensors = load(hub.repositories[REPO]["model.safetensors"])
    change(tensors)
    hub.repositories[REPO]["model.safetensors"] = save(tensors)
    assert said in refused()


@pytest.mark.parametrize("pinned", [False, True])
def test_offline_with_and_without_the_cache(hub, monkeypatch, pinned):
    from huggingface_hub import constants

    revision = {"revision": hub.commit(REPO)} if pinned else {}
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    line = refused(**revision)
    assert f"is not in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is set; unset it, or copy the cache" in line
    assert not hub.asked
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    revision = {"revision": hub.commit(REPO)} if pinned else {}
    online = fetch(**revision)
    asked = len(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch(**revision) == online and len(hub.asked) == asked


def refused_on_a_full_disk() -> str:
    """Return the line of an error if no file may exceed 20,000 bytes."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        return refused()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk(hub, monkeypatch):
    line = refused_on_a_full_disk()
    assert "no space left to download" in line and "set HF_HOME to a folder on another disk" in line
    assert fetch()["commit"] == hub.commit(REPO)


def test_a_disk_that_is_full_for_the_output(hub, monkeypatch):
    fetch()
    layout.weights("given").rename("aside")
    line = refused_on_a_full_disk()
    assert line.startswith("models/weights/given: no space left to write it")


def process(hub: Hub, copy_stages, *more: str, **variables: str) -> subprocess.Popen:
    """Start `finser fetch_weights given` as a user or DVC does."""
    copy_stages(Path())
    Path("params.yaml").write_text(dump(with_weights(given=section())))
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": "home", "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(HERE / "src")}
    command = [sys.executable, "-m", "finser", "fetch_weights", "given"]
    return subprocess.Popen(command, env=environment | variables, stderr=subprocess.PIPE, text=True)


def test_a_killed_fetch_leaves_nothing_and_the_next_one_is_right(hub, copy_stages, monkeypatch):
    """The hub stops in the middle of the weights; environment variables are those that users know."""
    from .fake_hub import Handler

    whole = Handler._large

    def stuck(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:30_000])
        hub.sent += 30_000
        time.sleep(60)

    monkeypatch.setattr(Handler, "_large", stuck)
    first = process(hub, copy_stages)
    end = time.monotonic() + 120
    while not hub.sent and time.monotonic() < end and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert hub.sent and not Path("models/weights").exists()
    monkeypatch.setattr(Handler, "_large", whole)
    second = process(hub, copy_stages)
    said = second.communicate()[1]
    assert second.returncode == 0, said
    assert [path.name for path in Path("models/weights").iterdir()] == ["given"] and Path("home/hub").is_dir()
    third = process(hub, copy_stages, HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9")
    assert third.wait() == 0, "all is in the cache"
    fourth = process(hub, copy_stages, HF_HUB_OFFLINE="1", HF_HOME="empty")
    said = fourth.communicate()[1]
    assert fourth.returncode == 1 and said.splitlines()[-1].startswith("error: http") and "HF_HUB_OFFLINE is set" in said
