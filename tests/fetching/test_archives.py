import errno
import io
import shutil
import stat
import tarfile
import zipfile

import pytest

from finser import files
from finser.errors import FinserError
from finser.fetching.archives import FLOOR, unpack

GOOD = {"Actor_01/a.wav": b"RIFF" * 100, "readme.txt": b"hello"}


def a_zip(path, files, change=lambda info: None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, data)
    return path


def a_tar(path, files, change=lambda info: None):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            change(info)
            archive.addfile(info, io.BytesIO(data))
    return path


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make", [a_zip, a_tar])
def test_a_good_archive(tmp_path, make):
    unpack(make(tmp_path / "a", GOOD), tmp_path / "to")
    assert files_in(tmp_path / "to") == GOOD


@pytest.mark.parametrize("make", [a_zip, a_tar])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "C:/evil", "a\\..\\evil"])
def test_a_path_that_leaves_the_folder(tmp_path, make, name):
    archive = make(tmp_path / "a", {"good": b"1", name: b"2"})
    with pytest.raises(FinserError, match="unsafe archive.*leaves the folder"):
        unpack(archive, tmp_path / "to")
    assert not (tmp_path / "to").exists()
    assert not (tmp_path / "evil").exists()


def make_link(info):
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(tmp_path, kind):
    def change(info):
        if info.name == "odd":
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    archive = a_tar(tmp_path / "a", {"good": b"1", "odd": b""}, change)
    with pytest.raises(FinserError, match="'odd' is a link or device"):
        unpack(archive, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_link_in_a_zip(tmp_path):
    with pytest.raises(FinserError, match="a link or device"):
        unpack(a_zip(tmp_path / "a", {"link": b"/etc/passwd"}, make_link), tmp_path / "to")


@pytest.mark.parametrize("make", [a_zip, a_tar])
def test_a_bomb(tmp_path, make):
    archive = make(tmp_path / "a", {"zeros.wav": bytes(FLOOR + 1)})
    with pytest.raises(FinserError, match="far more than it should"):
        unpack(archive, tmp_path / "to")
    assert not (tmp_path / "to").exists()
    with pytest.raises(FinserError, match="at most 10 bytes"):
        unpack(make(tmp_path / "b", {"a": b"123456", "b": b"123456"}), tmp_path / "to", limit=10)


def test_a_zip_that_lies_about_its_size(tmp_path):
    archive = a_zip(tmp_path / "a", {"zeros.wav": bytes(100_000)})
    data = bytearray(archive.read_bytes())
    for start, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        position = data.index(start) + offset
        data[position : position + 4] = (5).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(FinserError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "to")


def test_an_encrypted_zip(tmp_path):
    archive = a_zip(tmp_path / "a", GOOD)
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # general purpose flag, bit 0
    archive.write_bytes(data)
    with pytest.raises(FinserError, match="is encrypted"):
        unpack(archive, tmp_path / "to")


def test_damage(tmp_path):
    archive = a_zip(tmp_path / "a", {"noise": bytes(range(256)) * 50})
    data = bytearray(archive.read_bytes())
    data[60] ^= 255
    archive.write_bytes(data)
    with pytest.raises(FinserError, match="cannot be unpacked.*it may be damaged"):
        unpack(archive, tmp_path / "to")
    cut = a_tar(tmp_path / "b", {"noise": bytes(range(256)) * 5000})
    cut.write_bytes(cut.read_bytes()[:-200])
    with pytest.raises(FinserError, match="cannot be unpacked|neither a zip nor a tar"):
        unpack(cut, tmp_path / "to")
    (tmp_path / "c").write_bytes(b"<html>not found</html>")
    with pytest.raises(FinserError, match="neither a zip nor a tar"):
        unpack(tmp_path / "c", tmp_path / "to")


def test_a_member_that_stands_twice(tmp_path):
    with tarfile.open(tmp_path / "a", "w") as archive:
        for data in (b"1", b"2"):
            info = tarfile.TarInfo("same")
            info.size = 1
            archive.addfile(info, io.BytesIO(data))
    with pytest.raises(FinserError, match="'same' twice"):
        unpack(tmp_path / "a", tmp_path / "to")


@pytest.mark.parametrize("make", [a_zip, a_tar])
@pytest.mark.parametrize("names", [("a", "./a"), ("a", "a/b")])
def test_members_that_lie_on_each_other(tmp_path, make, names):
    with pytest.raises(FinserError, match="cannot be unpacked"):
        unpack(make(tmp_path / "x", dict.fromkeys(names, b"1")), tmp_path / "to")


@pytest.mark.parametrize("make", [a_zip, a_tar])
def test_what_the_system_refuses_is_no_damage(tmp_path, make):
    """A name that is too long, a file in the way, a file in place of the folder: each is called so."""
    archive = make(tmp_path / "x", {"a": b"1", "b" * 300: b"2"})
    with pytest.raises(FinserError, match=r"cannot be unpacked \(File name too long: .*bbb\); names in it are longer") as raised:
        unpack(archive, tmp_path / "to")
    assert "damaged" not in str(raised.value)
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a").touch()
    with pytest.raises(FinserError, match=r"cannot be unpacked \(File exists: .*there/a\)") as raised:
        unpack(make(tmp_path / "y", {"a": b"1"}), tmp_path / "there")
    assert "damaged" not in str(raised.value)
    (tmp_path / "plain").touch()
    with pytest.raises(FinserError, match=r"cannot be unpacked \((Not a directory|File exists): ") as raised:
        unpack(make(tmp_path / "z", {"a": b"1"}), tmp_path / "plain")
    assert "damaged" not in str(raised.value)


@pytest.mark.parametrize("make", [a_zip, a_tar])
def test_an_archive_that_does_not_fit_is_not_begun(tmp_path, make, monkeypatch):
    archive = make(tmp_path / "a", GOOD)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: files.shutil._ntuple_diskusage(1000, 1000, 404))
    with pytest.raises(FinserError, match=r"to: not enough disk space; expected 405 bytes free; found 404 bytes"):
        unpack(archive, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_disk_that_fills_up_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = a_zip(tmp_path / "a", GOOD)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(archive, tmp_path / "to")
