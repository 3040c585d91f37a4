import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from finser import files, layout
from finser.config import presets
from finser.config.dump import dump
from finser.config.sections.fetch import Download
from finser.corpora.known import crema_d, ravdess, registry, tess
from finser.errors import FinserError
from finser.fetching import archives, download, http, publishers
from finser.fetching.fetch import fetch

ROOT = Path(__file__).parents[2]
FINSER = Path(sys.executable).parent / "finser"
EAGER = http.Patience(tries=3, pause=0.0, silence=5.0)
LISTING = f"/api/datasets/:persistentId/versions/1.0?persistentId={tess.CORPUS.published.record}"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
PARTIAL = Download(source="download", allow_partial=True)


def md5(data):
    return f"md5:{hashlib.md5(data).hexdigest()}"


def sha256(path):
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(http, "Patience", lambda: EAGER)


@pytest.fixture
def link():
    with http.client(EAGER) as client:
        yield http.Link(client, EAGER)


@pytest.fixture
def publish(monkeypatch):
    """Let a corpus be offered otherwise: at the test's own server, for example."""

    def change(corpus, **fields):
        known = registry.CORPORA[corpus]
        monkeypatch.setitem(registry.CORPORA, corpus, replace(known, published=replace(known.published, **fields)))

    return change


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def packed(folder, write_wav):
    for number in range(1, 6):
        write_wav(folder / f"AudioData/DC/a{number:02d}.wav", hertz=100 * number)
    return Path(shutil.make_archive(str(folder.parent / "a b"), "zip", folder)).absolute()


def from_(address, checksum, **more):
    return Download(source="download", address=address, checksum=checksum, **{"allow_partial": True} | more)


def disk_with(free):
    return lambda _: files.shutil._ntuple_diskusage(10**9, 10**9, free)


# ------------------------------------------------------------------------------------------------ archives, and the stage


def test_any_corpus_from_a_file_address(project, write_wav, params_with, capsys):
    archive = packed(project / "source", write_wav)
    fetch(params_with("savee", from_(archive.as_uri(), sha256(archive))), "savee")
    found = tree(layout.raw("savee"))
    said = json.loads(found.pop("SOURCE.json"))
    assert found == tree(project / "source")
    assert (said["address"], said["checksum"]) == (archive.as_uri(), sha256(archive))
    assert (said["corpus"], said["source"]) == ("savee", "download")
    assert said["licence"] in capsys.readouterr().err
    assert archive.exists()
    assert not tree(layout.downloads("savee"))  # a file is read where it lies


def test_the_licence_is_shown_before_anything_is_asked_for(server, project, params_with, capsys):
    with pytest.raises(FinserError, match="404"):
        fetch(params_with("ravdess", from_(f"{server.address}/a.zip", md5(b""))), "ravdess")
    assert capsys.readouterr().err.startswith("RAVDESS: licence CC BY-NC-SA 4.0; https://zenodo.org")


def test_an_archive_from_a_server_goes_on_in_the_next_run(server, answer, project, write_wav, params_with):
    archive = packed(project / "source", write_wav)
    body = archive.read_bytes()
    server.answers["/a.zip"] = [answer(body, cut=1000), answer(status=404)]
    made = params_with("savee", from_(f"{server.address}/a.zip", sha256(archive)))
    with pytest.raises(FinserError, match="the received part is kept"):
        fetch(made, "savee")
    assert not layout.raw("savee").exists()
    assert (layout.downloads("savee") / "a.zip.part").read_bytes() == body[:1000]
    server.answers["/a.zip"] = [answer(body)]
    fetch(made, "savee")
    assert len(tree(layout.raw("savee"))) == 6
    assert server.served == len(body)
    fetch(made, "savee")  # what was downloaded is kept
    assert server.served == len(body)
    assert len(tree(layout.raw("savee"))) == 6


def test_an_archive_that_was_not_unpacked_is_not_fetched_again(server, answer, project, write_wav, params_with, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    archive = packed(project / "source", write_wav)
    server.answers["/a.zip"] = [answer(archive.read_bytes())]
    made = params_with("savee", from_(f"{server.address}/a.zip", sha256(archive)))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archives, "unpack", interrupted)
        fetch(made, "savee")
    fetch(made, "savee")
    assert len(server.asked) == 1
    assert len(tree(layout.raw("savee"))) == 6


def test_a_wrong_checksum_is_never_unpacked(project, write_wav, params_with):
    archive = packed(project / "source", write_wav)
    with pytest.raises(FinserError, match=f"wrong md5; expected {'0' * 32}; found [0-9a-f]{{32}}; it was not used"):
        fetch(params_with("savee", from_(archive.as_uri(), f"md5:{'0' * 32}")), "savee")
    assert list(layout.raw("savee").parent.iterdir()) == []
    assert archive.exists()


def test_a_wrong_archive_from_a_server_is_set_aside(server, answer, project, params_with):
    server.answers["/a.zip"] = [answer(b"PK no")]
    with pytest.raises(FinserError, match=r"wrong md5.*set aside as data/downloads/savee/a.zip.wrong"):
        fetch(params_with("savee", from_(f"{server.address}/a.zip", f"md5:{'0' * 32}")), "savee")
    assert tree(layout.downloads("savee")) == {"a.zip.wrong": b"PK no"}


def test_file_addresses_that_are_none(project, params_with):
    with pytest.raises(FinserError, match="gone.zip: cannot be read"):
        fetch(params_with("savee", from_(f"file://{project}/gone.zip", f"md5:{'0' * 32}")), "savee")
    with pytest.raises(FinserError, match="not the address of a file.*expected file:///"):
        fetch(params_with("savee", from_("file://data/gone.zip", f"md5:{'0' * 32}")), "savee")
    (project / "page.zip").write_text("<html><title>Log in</title>")
    with pytest.raises(FinserError, match=r"an HTML page \('Log in'\) in place"):
        fetch(params_with("savee", from_(f"file://{project}/page.zip", f"md5:{'0' * 32}")), "savee")


def test_an_incomplete_archive_is_refused_and_says_what_is_missing(project, write_wav, params_with):
    archive = packed(project / "source", write_wav)
    with pytest.raises(
        FinserError, match="a%20b.zip: SAVEE is incomplete; expected 480 clips; found 5 clips, 475 missing: none of savee/JE"
    ):
        fetch(params_with("savee", from_(archive.as_uri(), sha256(archive), allow_partial=False)), "savee")
    assert not layout.raw("savee").exists()


def test_pointers_in_an_archive(project, params_with):
    (project / "source/AudioWAV").mkdir(parents=True)
    (project / "source/AudioWAV/1001_DFA_ANG_XX.wav").write_bytes(POINTER)
    archive = Path(shutil.make_archive("a", "zip", "source")).absolute()
    with pytest.raises(FinserError, match="1001_DFA_ANG_XX.wav: a Git LFS pointer in place of audio"):
        fetch(params_with("crema_d", from_(archive.as_uri(), sha256(archive))), "crema_d")


@pytest.mark.parametrize("corpus", ["savee", "esd"])
def test_what_cannot_be_downloaded_says_how_it_is_got(project, params_with, corpus):
    with pytest.raises(FinserError, match=r"no open download.*(register|sign the form).*zip.*`finser preset local PATH`"):
        fetch(params_with(corpus, Download(source="download")), corpus)
    assert not layout.raw(corpus).exists()
    assert not layout.downloads(corpus).exists()


def test_the_published_sources():
    """As the publishers give them: a change here is a change of what is downloaded."""
    published = ravdess.CORPUS.published
    assert published.address == "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip"
    assert published.checksum == "md5:bc696df654c87fed845eb13823edef8a"
    assert ravdess.CORPUS.size == published.size == 208_468_073
    wanted = publishers.single_files(crema_d.CORPUS.published)
    assert len(wanted) == 7442
    assert sum(file.size for file in wanted) == crema_d.CORPUS.size == 605_899_936
    assert all(file.checksum.startswith("sha256:") and len(file.checksum) == 71 for file in wanted)


def test_the_publishers_archive_is_recorded_with_its_checksum(server, answer, project, write_wav, params_with, publish):
    write_wav(project / "source/Actor_01/03-01-05-01-01-01-01.wav")
    packed = Path(shutil.make_archive("a", "zip", "source")).absolute()
    server.answers["/a.zip"] = [answer(packed.read_bytes())]
    publish("ravdess", address=f"{server.address}/a.zip", checksum=sha256(packed), size=packed.stat().st_size)
    fetch(params_with("ravdess", PARTIAL), "ravdess")
    assert json.loads((layout.raw("ravdess") / "SOURCE.json").read_text())["checksum"] == sha256(packed)


def test_room_for_the_archive_and_its_content_is_asked_for_first(server, project, params_with, monkeypatch, publish):
    publish("ravdess", address=f"{server.address}/a.zip")
    monkeypatch.setattr(files.shutil, "disk_usage", disk_with(600_000_000))
    with pytest.raises(FinserError, match="not enough disk space; expected 798.8 MB free; found 600.0 MB; make room"):
        fetch(params_with("ravdess", Download(source="download")), "ravdess")
    assert server.asked == []


# ------------------------------------------------------------------------------------------------ single files, several at once


def clips(count):
    """So many files of CREMA-D: their bodies by name, and what is known of them."""
    bodies = {
        file.name: hashlib.sha256(file.name.encode()).digest() * 60 for file in publishers.single_files(crema_d.CORPUS.published)[:count]
    }
    return bodies, [download.File(name, PurePosixPath(name).name, md5(body), len(body)) for name, body in bodies.items()]


def offer(server, answer, bodies, base, **trouble):
    server.answers |= {f"/{base}/{PurePosixPath(name).name}": [answer(**{"body": body} | trouble)] for name, body in bodies.items()}
    return f"{server.address}/{base}"


def test_files_come_several_at_once(server, answer, link, tmp_path):
    bodies, wanted = clips(40)
    base = offer(server, answer, bodies, "main")
    everyone = threading.Barrier(download.CONNECTIONS)
    plain = server.RequestHandlerClass.answer

    class Together(server.RequestHandlerClass):
        def answer(self, what):
            everyone.wait(10)  # as many as are allowed have to ask before one is answered
            plain(self, what)

    server.RequestHandlerClass = Together
    download.singly(link, (base,), wanted, tmp_path / "store", tmp_path / "to")
    assert tree(tmp_path / "to") == bodies
    assert server.most == download.CONNECTIONS


def test_what_is_there_and_right_is_not_fetched_again(server, answer, link, tmp_path):
    bodies, wanted = clips(6)
    base, store = offer(server, answer, bodies, "main"), tmp_path / "store"
    (store / "AudioWAV").mkdir(parents=True)
    (store / wanted[0].name).write_bytes(bodies[wanted[0].name])
    (store / wanted[1].name).write_bytes(bytes(wanted[1].size))  # spoilt by a power cut
    (store / f"{wanted[2].name}.part").write_bytes(bodies[wanted[2].name][:500])
    download.singly(link, (base,), wanted, store, tmp_path / "to")
    assert tree(tmp_path / "to") == bodies
    assert sorted(path for path, _ in server.asked) == sorted(f"/main/{file.path}" for file in wanted[1:])
    assert server.served == sum(file.size for file in wanted[1:]) - 500


def test_the_mirror_goes_on(server, answer, link, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "CONNECTIONS", 1)
    bodies, wanted = clips(3)
    bases = offer(server, answer, bodies, "main"), offer(server, answer, bodies, "mirror")
    server.answers[f"/main/{wanted[1].path}"] = [answer(POINTER)]  # quota used up
    download.singly(link, bases, wanted, tmp_path / "store", tmp_path / "to")
    assert tree(tmp_path / "to") == bodies
    assert [path.split("/")[1] for path, _ in server.asked] == ["main", "main", "mirror", "mirror"]
    said = capsys.readouterr().err
    assert f"{wanted[1].path}: a Git LFS pointer" in said
    assert f"continuing with {bases[1]}" in said


TROUBLES = [{"status": 404}, {"status": 503}, {"body": POINTER}, {"body": b"<html>"}, {"body": b"wrong"}, {"cut": 5, "ranges": False}]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_once_the_first_has_failed_all_threads_ask_the_mirror(server, answer, link, tmp_path, trouble):
    bodies, wanted = clips(60)
    bases = offer(server, answer, bodies, "main", **trouble), offer(server, answer, bodies, "mirror")
    download.singly(link, bases, wanted, tmp_path / "store", tmp_path / "to")
    assert tree(tmp_path / "to") == bodies
    assert len({path for path, _ in server.asked if path.startswith("/main/")}) < 60


def test_when_both_fail_the_file_is_named_and_the_others_stay(server, answer, link, tmp_path):
    bodies, wanted = clips(30)
    bases = f"{server.address}/main", offer(server, answer, bodies, "mirror")
    server.answers[f"/mirror/{wanted[-1].path}"] = [answer(status=404)]
    with pytest.raises(FinserError, match=f"/mirror/{wanted[-1].path}: cannot be downloaded.*404"):
        download.singly(link, bases, wanted, tmp_path / "store", tmp_path / "to")
    assert not (tmp_path / "to").exists()
    kept = {name: body for name, body in tree(tmp_path / "store").items() if name.endswith(".wav")}
    assert kept
    assert all(bodies[name] == body for name, body in kept.items())


def test_one_failure_ends_the_other_downloads(server, answer, link, tmp_path):
    bodies, wanted = clips(200)
    base = offer(server, answer, bodies, "main")
    server.answers[f"/main/{wanted[0].path}"] = [answer(status=404)]
    with pytest.raises(FinserError, match="404"):
        download.singly(link, (base,), wanted, tmp_path / "store", tmp_path / "to")
    assert link.stop.is_set()
    assert len(server.asked) < 200


def test_the_disk_must_have_room_for_what_is_still_missing(server, answer, link, tmp_path, monkeypatch):
    bodies, wanted = clips(3)
    base, store = offer(server, answer, bodies, "main"), tmp_path / "store"
    monkeypatch.setattr(files.shutil, "disk_usage", disk_with(sum(file.size for file in wanted) - 1))
    with pytest.raises(FinserError, match="not enough disk space"):
        download.singly(link, (base,), wanted, store, tmp_path / "to")
    assert server.asked == []
    (store / "AudioWAV").mkdir(parents=True)
    (store / f"{wanted[0].name}.part").write_bytes(bodies[wanted[0].name][:1])
    download.singly(link, (base,), wanted, store, tmp_path / "to")
    assert tree(tmp_path / "to") == bodies


def test_files_are_copied_where_they_cannot_be_linked(server, answer, link, tmp_path, monkeypatch):
    def cannot(*_):
        raise OSError("Invalid cross-device link")

    bodies, wanted = clips(2)
    monkeypatch.setattr(download.os, "link", cannot)
    download.singly(link, (offer(server, answer, bodies, "main"),), wanted, tmp_path / "store", tmp_path / "to")
    assert tree(tmp_path / "to") == bodies


def test_crema_d_as_a_stage(server, answer, project, params_with, publish):
    bodies, wanted = clips(20)
    mirrors = (offer(server, answer, bodies, "mirror"),)
    offered = {PurePosixPath(file.name).name: (file.checksum, file.size) for file in wanted}
    publish("crema_d", address=f"{server.address}/main", mirrors=mirrors, files=lambda: offered)
    fetch(params_with("crema_d", PARTIAL), "crema_d")
    found = tree(layout.raw("crema_d"))
    said = json.loads(found.pop("SOURCE.json"))
    assert said["licence"] == "ODbL 1.0 (contents DbCL 1.0)"
    assert said["files"] == {file.name: file.checksum for file in wanted}
    assert found == bodies
    served = server.served
    fetch(params_with("crema_d", PARTIAL), "crema_d")
    assert server.served == served  # what was downloaded is kept


# ------------------------------------------------------------------------------------------------ TESS


def dataverse(bodies, version=(1, 0), **more):
    entries = [
        {"label": "x", "dataFile": {"id": number, "filename": name, "md5": md5(body)[4:], "filesize": len(body)} | more}
        for number, (name, body) in enumerate(bodies.items())
    ]
    data = {"versionNumber": version[0], "versionMinorNumber": version[1], "versionState": "RELEASED", "files": entries}
    return json.dumps({"status": "OK", "data": data}).encode()


def offer_tess(server, answer, bodies):
    server.answers[LISTING] = [answer(dataverse(bodies))]
    server.answers |= {f"/api/access/datafile/{number}": [answer(body)] for number, body in enumerate(bodies.values())}


def test_tess_is_sorted_into_folders_by_name(server, answer, project, params_with, publish):
    publish("tess", address=server.address)
    names = ("OAF_back_angry.wav", "readme.pdf", "YAF_back_ps.wav", "OA_bite_neutral.wav", "OAF_food_fear.WAV")
    offer_tess(server, answer, {name: name.encode() for name in names})
    fetch(params_with("tess", PARTIAL), "tess")
    found = tree(layout.raw("tess"))
    said = json.loads(found.pop("SOURCE.json"))
    assert (said["record"], said["version"], said["address"]) == (tess.CORPUS.published.record, "1.0", server.address)
    assert said["files"] == {name: md5(body) for name, body in found.items()}
    assert found == {
        "OAF_angry/OAF_back_angry.wav": b"OAF_back_angry.wav",
        "YAF_pleasant_surprised/YAF_back_ps.wav": b"YAF_back_ps.wav",
        "OAF_neutral/OA_bite_neutral.wav": b"OA_bite_neutral.wav",
        "OAF_Fear/OAF_food_fear.WAV": b"OAF_food_fear.WAV",
    }
    for name in found:
        assert tess.parse(PurePosixPath(name)).clip_id.split("/")[1] == name.split("/")[0]


def test_a_list_that_lacks_clips_is_refused_before_any_is_fetched(server, answer, project, params_with, publish):
    publish("tess", address=server.address)
    offer_tess(server, answer, {"OAF_back_angry.wav": b"1", "YAF_back_sad.wav": b"2"})
    with pytest.raises(
        FinserError, match="TESS is incomplete; expected 2800 clips; found 2 clips, 2798 missing: tess/OAF_disgust/OAF_back"
    ):
        fetch(params_with("tess", Download(source="download")), "tess")
    assert len(server.asked) == 1


@pytest.mark.parametrize("version", [(1, 1), (2, 0)])
def test_another_version_of_tess_is_refused_before_any_file_is_fetched(server, answer, project, params_with, publish, version):
    publish("tess", address=server.address)
    server.answers[LISTING] = [answer(dataverse({"OAF_back_angry.wav": b"1"}, version))]
    with pytest.raises(FinserError, match=rf"another version of the data set; expected 1.0; found {version[0]}.{version[1]}"):
        fetch(params_with("tess", PARTIAL), "tess")
    assert len(server.asked) == 1


LISTS_THAT_ARE_NONE = [
    b"<html>",
    b"[]",
    b'{"data": {}}',
    dataverse({"../evil.wav": b""}),
    dataverse({"a.wav": b""}, id="x"),
    dataverse({"a.wav": b""}, filename=1),
]


@pytest.mark.parametrize("listing", LISTS_THAT_ARE_NONE)
def test_a_list_that_is_none(server, answer, link, tmp_path, listing, publish):
    publish("tess", address=server.address)
    server.answers[LISTING] = [answer(listing)]
    with pytest.raises(FinserError, match="list|HTML page"):
        publishers.listed_files(link, registry.get("tess"), tmp_path, PARTIAL)


def test_a_listed_name_that_tess_does_not_have(server, answer, link, tmp_path, publish):
    publish("tess", address=server.address)
    server.answers[LISTING] = [answer(dataverse({"OAF_back_bored.wav": b""}))]
    with pytest.raises(FinserError, match="OAF_back_bored.wav: unknown emotion code"):
        publishers.listed_files(link, registry.get("tess"), tmp_path, PARTIAL)


# ------------------------------------------------------------------------------------------------ killed


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_stage_goes_on(server, answer, project, write_wav, heed_interrupts, number, copy_stages):
    archive = packed(project / "source", write_wav)
    body = archive.read_bytes()
    server.answers["/a.zip"] = [answer(body, cut=len(body) // 2, stall=True), answer(body)]
    demo = presets.demo()
    made = demo.model_copy(update={"fetch": demo.fetch | {"savee": from_(f"{server.address}/a.zip", sha256(archive))}})
    (project / "params.yaml").write_text(dump(made))
    copy_stages(project)
    child = subprocess.Popen([FINSER, "fetch", "savee"], stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts)
    part, deadline = layout.downloads("savee") / "a.zip.part", time.monotonic() + 60
    while http.length(part) < len(body) // 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(number)
    time.sleep(0.2)
    server.over.set()
    said = child.communicate()[1]
    assert child.returncode != 0
    assert number != signal.SIGINT or said.endswith("error: interrupted\n")
    assert not layout.raw("savee").exists()
    assert subprocess.run([FINSER, "fetch", "savee"], capture_output=True).returncode == 0
    assert len(tree(layout.raw("savee"))) == 6
    assert server.served == len(body)
    assert [path.name for path in layout.raw("savee").parent.iterdir()] == ["savee"]
