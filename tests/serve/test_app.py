"""The HTTP API: its answers are the predictor's, and its description is complete."""

import json
import os
import re
import socket
import tempfile
from copy import copy
from dataclasses import asdict
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import uvicorn
from openapi_spec_validator import validate

from finser.audio.frames import SR
from finser.errors import FinserError
from finser.predict.bundle import SHIPPED
from finser.predict.hub import Predictor
from finser.predict.predictor import LocalPredictor, Prediction
from finser.serve import run
from finser.serve.answers import about
from finser.serve.limits import Limits
from finser.serve.run import is_loopback, listening

from .conftest import Running, encoded

ENDPOINTS = {"/api/health": "get", "/api/bundle": "get", "/api/predict": "post", "/api/batch": "post"}


def as_answer(prediction: Prediction) -> dict:
    values = asdict(prediction)
    del values["path"]
    return {**values, "warnings": list(prediction.warnings)}


@pytest.mark.parametrize(
    ("sr", "channels", "options"),
    [
        (SR, 1, {}),
        (48_000, 2, {"subtype": "PCM_24"}),
        (16_000, 1, {"format": "FLAC"}),
        (44_100, 2, {"format": "OGG"}),
        (44_100, 1, {"format": "MP3"}),
    ],
)
def test_a_prediction_is_the_predictors_for_the_file(served: Running, predictor: Predictor, tmp_path: Path, sr, channels, options):
    time = np.arange(sr) / sr
    wave = np.stack([0.2 * np.sin(2 * np.pi * 450 * time) * (np.sin(31 * time) > 0)] * channels, 1)
    (tmp_path / "a").write_bytes(encoded(wave, sr, **options))
    answer = httpx.post(f"{served.url}/api/predict", content=(tmp_path / "a").read_bytes()).json()
    expected = as_answer(predictor.predict(tmp_path / "a"))
    assert answer["prediction"].pop("probabilities") == pytest.approx(expected.pop("probabilities"), abs=1e-9)
    assert answer["prediction"].pop("confidence") == pytest.approx(expected.pop("confidence"), abs=1e-9)
    assert answer["prediction"] == expected
    assert (answer["rate"], answer["windows"], answer["picture"]) == (sr, [], None)


def test_windows_are_the_predictors(served: Running, predictor: Predictor, tmp_path: Path, long_clip: bytes):
    (tmp_path / "long.wav").write_bytes(long_clip)
    answer = httpx.post(f"{served.url}/api/predict?window=2&hop=0.5", content=long_clip).json()
    expected = list(predictor.predict_windows(tmp_path / "long.wav", length=2, hop=0.5))
    assert [(one["start"], one["end"]) for one in answer["windows"]] == [(one.start, one.end) for one in expected]
    for found, one in zip(answer["windows"], expected, strict=True):
        assert found["probabilities"] == pytest.approx(one.probabilities, abs=1e-3)
    third = httpx.post(f"{served.url}/api/predict?window=3", content=long_clip).json()["windows"]
    assert third[1]["start"] == 1, "the default is a third of a window"


def test_a_batch_is_its_files(served: Running, clip: bytes, long_clip: bytes):
    answer = httpx.post(f"{served.url}/api/batch", files=[("files", ("ä.wav", clip)), ("files", ("../b", long_clip))], timeout=60).json()
    alone = [httpx.post(f"{served.url}/api/predict", content=one).json()["prediction"] for one in (clip, long_clip)]
    assert [one["prediction"] for one in answer["results"]] == alone


def test_a_recording_too_long_for_one_clip_has_windows_alone(serving, long_clip: bytes):
    with serving(clip_seconds=5) as url:
        answer = httpx.post(f"{url}/api/predict?window=2", content=long_clip).json()
        assert answer["prediction"] is None and len(answer["windows"]) > 5 and answer["seconds"] > 5
        alone = httpx.post(f"{url}/api/predict", content=long_clip)
        assert alone.status_code == 413 and "too long for one clip; expected at most 5 s" in alone.json()["error"]
        (item,) = httpx.post(f"{url}/api/batch", files={"files": long_clip}).json()["results"]
        assert "send it to /api/predict" in item["error"]


def test_the_bundle_says_who_answers(served: Running, predictor: Predictor):
    found = httpx.get(f"{served.url}/api/bundle").json()
    assert found["name"] == "tones" and tuple(found["classes"]) == predictor.bundle.classes
    assert found["uar"] == {"value": 0.75, "low": 0.6, "high": 0.85} and found["temperature"] == 0.5 and found["threshold"] == 0.3
    assert found["corpora"] == [{"title": "Tones", "licence": "CC0", "synthetic": False, "clips": 32, "speakers": 32}]
    assert found["limits"]["seconds"] == 60 and found["others"] == [] and found["example"] is False


def test_the_example_says_that_it_is_one_and_how_it_fares_elsewhere(serving):
    config = json.loads((SHIPPED / "config.json").read_text())
    with serving(of=LocalPredictor()) as url:
        found = httpx.get(f"{url}/api/bundle").json()
    assert found["example"] is True and len(config["others"]) == len(found["others"]) > 0
    for shown, stated in zip(found["others"], config["others"], strict=True):
        uar = {end: stated["uar"][end] for end in ("value", "low", "high")}
        assert shown == {**{key: stated[key] for key in ("name", "title", "clips")}, "uar": uar}


def test_every_status_that_is_described_is_in_the_documentation(served: Running):
    described = httpx.get(f"{served.url}/openapi.json").json()["paths"]
    statuses = {status for path, method in ENDPOINTS.items() for status in described[path][method]["responses"]} - {"200"}
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", (Path(__file__).parents[2] / "docs/serve.md").read_text(), re.MULTILINE)
    assert {status for row in rows for status in row.split(", ")} == statuses


def test_the_description_is_valid_and_whole(served: Running):
    described = httpx.get(f"{served.url}/openapi.json").json()
    validate(described)
    assert {path: next(iter(methods)) for path, methods in described["paths"].items()} == ENDPOINTS
    for path, method in ENDPOINTS.items():
        operation = described["paths"][path][method]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert schema["$ref"] and operation["summary"] and operation["description"]
        assert {"403", "404", "405", "413", "500"} <= set(operation["responses"])
        assert method == "get" or {"400", "408", "415", "422", "429", "503", "507"} <= set(operation["responses"])
        assert all(status == "200" or one["content"]["application/json"]["schema"]["$ref"].endswith("/Fault")
                   for status, one in operation["responses"].items())  # fmt: skip
    assert httpx.get(f"{served.url}/docs").status_code == 404, "FastAPI's page of documentation loads scripts from elsewhere"


def test_answers_have_the_shape_that_is_described(served: Running, long_clip: bytes):
    from jsonschema import Draft202012Validator

    described = httpx.get(f"{served.url}/openapi.json").json()
    answers = {
        "Health": httpx.get(f"{served.url}/api/health"),
        "About": httpx.get(f"{served.url}/api/bundle"),
        "Answer": httpx.post(f"{served.url}/api/predict?window=3&picture=true", content=long_clip),
        "Several": httpx.post(f"{served.url}/api/batch", files=[("files", long_clip), ("files", b"no sound")]),
        "Fault": httpx.post(f"{served.url}/api/predict", content=b"no sound"),
    }
    for name, answer in answers.items():
        Draft202012Validator({"$ref": f"#/components/schemas/{name}", **described}).validate(answer.json())
        assert answer.json().keys() == described["components"]["schemas"][name]["properties"].keys()


def test_other_sites_are_refused(served: Running, clip: bytes):
    url = f"{served.url}/api/predict"
    port = served.url.rsplit(":", 1)[1]
    for headers in (
        {"Host": "attacker.example"},
        {"Host": f"127.0.0.1.attacker.example:{port}"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = httpx.post(url, content=clip, headers=headers)
        assert answer.status_code == 403 and "error" in answer.json(), headers
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for headers in ({"Host": "localhost"}, {"Host": "[::1]:8300"}, {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}):
        assert httpx.post(url, content=clip, headers=headers).status_code == 200, headers
    assert httpx.get(f"{served.url}/", headers={"Host": "attacker.example"}).status_code == 403
    assert httpx.options(url, headers={"Origin": "https://attacker.example"}).status_code == 403


def test_a_name_that_is_given_is_answered_to(serving):
    with serving(names=("finser.example",)) as url:
        assert httpx.get(f"{url}/api/health", headers={"Host": "Finser.example:80"}).status_code == 200
        assert httpx.get(f"{url}/api/health", headers={"Host": "other.example"}).status_code == 403


def hardened(answer: httpx.Response) -> None:
    """An answer has each header that tells a browser to load and keep nothing, and has it once."""
    assert "default-src 'none'" in answer.headers["content-security-policy"] and answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store" and "server" not in answer.headers
    names = [name.lower() for name, _ in answer.headers.raw]
    assert len(names) == len(set(names)) and b"x-frame-options" in names


def test_every_answer_tells_browsers_to_load_and_keep_nothing(served: Running):
    for path in ("/", "/page.js", "/api/health", "/nothing"):
        hardened(httpx.get(served.url + path))


def test_the_page_names_no_other_site():
    folder = Path(__file__).parents[2] / "src/finser/serve/page"
    for path in folder.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "//" not in text.replace("// ", ""), path


def test_nothing_is_stored_even_on_errors(predictor: Predictor, serving, clip: bytes, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serving() as url:
        for content in (clip, b"no sound", clip * 100):
            httpx.post(f"{url}/api/predict", content=content)
            httpx.post(f"{url}/api/batch", files={"files": content * 20})
            assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(serving, clip: bytes, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _: bytes):
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr("finser.serve.app.tempfile.TemporaryFile", Full)
    with serving() as url:
        answer = httpx.post(f"{url}/api/predict", content=clip)
        assert (answer.status_code, answer.json()) == (507, {"error": "no space left for the upload"})


def test_an_error_of_the_server_is_one_line_and_it_lives_on(serving, predictor: Predictor, clip: bytes, monkeypatch):
    with serving() as url:
        with monkeypatch.context() as patch:
            patch.setattr(predictor, "predict", lambda *_: 1 / 0)
            answer = httpx.post(f"{url}/api/predict", content=clip)
            assert (answer.status_code, answer.json()) == (500, {"error": "an error of the server (ZeroDivisionError)"})
            hardened(answer)
            patch.setattr(predictor, "predict", lambda *_: Path("/no/such/file").stat())
            answer = httpx.post(f"{url}/api/predict", content=clip)
            assert (answer.status_code, answer.json()) == (500, {"error": "an error of the server (FileNotFoundError)"})
            hardened(answer)
        assert httpx.post(f"{url}/api/predict", content=clip).status_code == 200


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            FinserError, match=rf"127.0.0.1:{port}: cannot listen \(Address already in use.*; choose others: --host, --port"
        ):
            listening("127.0.0.1", port)
    with pytest.raises(FinserError, match="no.such.host:0: cannot listen"):
        listening("no.such.host", 0)


def test_loopback():
    assert is_loopback("127.0.0.1") and is_loopback("127.9.9.9") and is_loopback("::1")
    assert not is_loopback("0.0.0.0") and not is_loopback("::") and not is_loopback("192.168.0.1") and not is_loopback("fe80::1%eth0")


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_an_address_that_others_reach_is_a_warning(predictor: Predictor, monkeypatch, capsys, host: str, warned: bool):
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: print(sockets[0].getsockname()))
    run.serve(predictor, host, 0, Limits())
    said = capsys.readouterr()
    port = re.search(rf"tones answers at http://{host}:(\d+)/", said.out)[1]
    assert f"('{host}', {port})" in said.out
    warning = f"warning: {host} is not loopback: others can use this server, and nothing is encrypted\n"
    assert said.err == (warning if warned else "")


def test_missing_packages_are_one_line(monkeypatch):
    monkeypatch.setattr(run, "NEEDED", ("fastapi", "nosuchpackage"))
    with pytest.raises(FinserError, match=r'not installed: nosuchpackage; pip install "finser\[serve\]"'):
        run.check_installed()


def test_soundfile_reads_what_is_promised():
    """The formats that a message names."""
    for name in ("WAV", "FLAC", "OGG", "MP3", "AIFF"):
        assert name in soundfile.available_formats()


def test_a_class_of_which_no_clip_was_tested_has_no_recall(predictor):
    scores = predictor.bundle.scores
    missing = predictor.bundle.classes[0]
    untested = {**scores, "classes": {**scores["classes"], missing: {"precision": None, "recall": None}}}
    one = copy(predictor)
    one.bundle = predictor.bundle.model_copy(update={"scores": untested})
    assert about(one, Limits()).recalls[missing] is None
