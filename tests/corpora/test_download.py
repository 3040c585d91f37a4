import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from finser import layout
from finser.corpora import download
from finser.corpora.fetch import fetch
from finser.errors import FinserError
from finser.params import Download


def md5(data):
    return f"md5:{hashlib.md5(data).hexdigest()}"


@pytest.fixture
def server():
    """A server on loopback; `answers` maps a path to a list of (status, body), the last of which is repeated."""
    answers, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            queue = answers.get(self.path, [(404, b"")])
            status, body = queue.pop(0) if len(queue) > 1 else queue[0]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if body != b"CUT" else b"C")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        running.answers, running.asked = answers, asked
        running.address = f"http://127.0.0.1:{running.server_port}"
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)


@pytest.fixture
def client():
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        yield client


def test_503_then_200(server, client, tmp_path):
    server.answers["/a"] = [(503, b""), (429, b""), (200, b"audio")]
    download.save(client, f"{server.address}/a", tmp_path / "a", md5(b"audio"))
    assert (tmp_path / "a").read_bytes() == b"audio"
    assert len(server.asked) == 3


def test_a_connection_that_breaks_off_is_tried_again(server, client, tmp_path):
    server.answers["/a"] = [(200, b"CUT"), (200, b"whole")]
    download.save(client, f"{server.address}/a", tmp_path / "a", md5(b"whole"))
    assert (tmp_path / "a").read_bytes() == b"whole"


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, download.TRIES)])
def test_a_server_that_keeps_failing(server, client, tmp_path, status, tries):
    server.answers["/a"] = [(status, b"sorry")]
    with pytest.raises(FinserError, match=f"/a: cannot be downloaded.*{status}"):
        download.save(client, f"{server.address}/a", tmp_path / "a")
    assert len(server.asked) == tries
    assert list(tmp_path.iterdir()) == []


def test_no_server(client, tmp_path):
    with pytest.raises(FinserError, match="cannot be downloaded"):
        download.save(client, "http://127.0.0.1:9/a", tmp_path / "a")


def test_redirects_are_followed(server, client, tmp_path):
    server.answers["/a"] = [(302, b"/b")]
    server.answers["/b"] = [(200, b"audio")]
    download.save(client, f"{server.address}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"audio"


def test_a_wrong_checksum_names_both_and_leaves_nothing(server, client, tmp_path):
    server.answers["/a"] = [(200, b"other")]
    with pytest.raises(FinserError) as error:
        download.save(client, f"{server.address}/a", tmp_path / "a", md5(b"audio"))
    assert hashlib.md5(b"audio").hexdigest() in str(error.value)
    assert hashlib.md5(b"other").hexdigest() in str(error.value)
    assert list(tmp_path.iterdir()) == []


def packed(folder, write_wav):
    write_wav(folder / "AudioData/DC/a01.wav")
    return shutil.make_archive(str(folder.parent / "a b"), "zip", folder)


def test_any_corpus_from_a_file_address(project, write_wav, params_with, capsys):
    archive = project / packed(project / "source", write_wav)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    params = params_with("savee", Download(source="download", address=archive.as_uri(), checksum=f"sha256:{digest}"))
    fetch(params, "savee")
    root = layout.raw("savee")
    assert (root / "AudioData/DC/a01.wav").read_bytes() == (project / "source/AudioData/DC/a01.wav").read_bytes()
    assert sorted(path.name for path in root.iterdir()) == ["AudioData", "SOURCE.json"]
    said = json.loads((root / "SOURCE.json").read_text())
    assert said["address"] == archive.as_uri()
    assert (said["corpus"], said["source"]) == ("savee", "download")
    assert said["licence"] in capsys.readouterr().err


def test_a_wrong_checksum_is_never_unpacked(project, write_wav, params_with):
    archive = project / packed(project / "source", write_wav)
    params = params_with("savee", Download(source="download", address=archive.as_uri(), checksum=f"md5:{'0' * 32}"))
    with pytest.raises(FinserError, match="wrong md5"):
        fetch(params, "savee")
    assert list(layout.raw("savee").parent.iterdir()) == []


def test_a_missing_file_address(project, params_with):
    params = params_with("savee", Download(source="download", address=f"file://{project}/gone.zip", checksum=f"md5:{'0' * 32}"))
    with pytest.raises(FinserError, match="gone.zip: cannot be read"):
        fetch(params, "savee")


@pytest.mark.parametrize("corpus", ["savee", "esd"])
def test_what_cannot_be_downloaded_says_how_it_is_got(project, params_with, corpus):
    with pytest.raises(FinserError, match=r"no open download.*(register|sign the form).*`finser preset local PATH`"):
        fetch(params_with(corpus, Download(source="download")), corpus)
    assert not layout.raw(corpus).exists()


def test_crema_d_goes_on_from_the_mirror(server, client, tmp_path):
    files = {name: f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in ("1.wav", "2.wav", "3.wav")}
    server.answers |= {f"/mirror/{name}": [(200, name.encode())] for name in files}
    server.answers["/main/1.wav"] = [(200, b"1.wav")]
    server.answers["/main/2.wav"] = [(200, b"version https://git-lfs...")]  # quota used up: a pointer
    download.crema_d(client, (f"{server.address}/main", f"{server.address}/mirror"), files, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: name.encode() for name in files}
    assert server.asked == ["/main/1.wav", "/main/2.wav", "/mirror/2.wav", "/mirror/3.wav"]


def test_crema_d_when_both_fail(server, client, tmp_path):
    with pytest.raises(FinserError, match="/mirror/1.wav: cannot be downloaded"):
        download.crema_d(client, (f"{server.address}/main", f"{server.address}/mirror"), {"1.wav": md5(b"")}, tmp_path)


def dataverse(files):
    entries = [{"dataFile": {"id": number, "filename": name, "md5": md5(body)[4:]}} for number, (name, body) in enumerate(files.items())]
    return json.dumps({"status": "OK", "data": {"latestVersion": {"files": entries}}}).encode()


def test_tess_from_a_dataverse(server, client, tmp_path):
    files = {"OAF_back_angry.wav": b"one", "readme.pdf": b"two", "YAF_back_ps.wav": b"three"}
    server.answers[f"/api/datasets/:persistentId/?persistentId={download.TESS_RECORD}"] = [(200, dataverse(files))]
    server.answers |= {f"/api/access/datafile/{number}": [(200, body)] for number, body in enumerate(files.values())}
    download.tess(client, server.address, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"OAF_back_angry.wav": b"one", "YAF_back_ps.wav": b"three"}


@pytest.mark.parametrize("listing", [b"<html>", b"[]", b'{"data": {}}', dataverse({"../evil.wav": b""})])
def test_a_list_that_is_none(server, client, tmp_path, listing):
    server.answers[f"/api/datasets/:persistentId/?persistentId={download.TESS_RECORD}"] = [(200, listing)]
    with pytest.raises(FinserError, match="list"):
        download.tess(client, server.address, tmp_path)
    assert list(tmp_path.iterdir()) == []
