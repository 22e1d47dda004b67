"""Links, pipes and files of others under the names of a store's files."""

from __future__ import annotations

import os
import shutil
import socket
import sys

import pytest

import corpus
import rico_hdl
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.errors import RicoError, StoreError
from tests.support.reading import records
from tests.support.running import python, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")

BIGEARTHNET = registry()["bigearthnet"]
NAMES = ["data.mdb", "lock.mdb", "rico-hdl.journal", "rico-hdl.json", ".rico-hdl.json.part"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A source and a store of its patches."""
    folder = tmp_path_factory.mktemp("made")
    sources = corpus.generate(BIGEARTHNET, folder / "source", 3, modalities=["s1"])
    convert(BIGEARTHNET, sources, folder / "store")
    return sources, folder / "store"


@pytest.fixture
def store(made, tmp_path):
    """A copy of the store."""
    return shutil.copytree(made[1], tmp_path / "store")


def link(path, elsewhere):
    """Replace a file by a symbolic link to it."""
    path.rename(elsewhere) if path.exists() else elsewhere.write_bytes(b"precious")
    path.symlink_to(elsewhere)


def hard_link(path, elsewhere):
    """Give a file a second name."""
    path.rename(elsewhere) if path.exists() else elsewhere.write_bytes(b"precious")
    path.hardlink_to(elsewhere)


def dangling(path, elsewhere):
    """Replace a file by a link to a file that does not exist."""
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere)


def pipe(path, elsewhere):
    """Replace a file by a named pipe."""
    del elsewhere
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def unix_socket(path, elsewhere):
    """Replace a file by a socket."""
    del elsewhere
    path.unlink(missing_ok=True)
    before = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # a socket's path may have about a hundred characters
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.fchdir(before)
        os.close(before)


def folder(path, elsewhere):
    """Replace a file by a folder."""
    del elsewhere
    path.unlink(missing_ok=True)
    path.mkdir()


KINDS = {
    link: "a symbolic link to",
    hard_link: "a hard link",
    dangling: "a symbolic link to",
    pipe: "a named pipe",
    unix_socket: "a socket",
    folder: "a directory",
}
"""What is in a file's place, and what the error calls it."""


def state(path):
    """What is at a path, without opening a pipe."""
    status = os.lstat(path)
    return status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != pipe], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "continued"])
def test_nothing_is_written_through_a_stranger(made, tmp_path, name, kind, is_new):
    """A conversion refuses it, names it, and leaves it and its target as they were."""
    sources, old = made
    target = tmp_path / "target"
    target.mkdir() if is_new else shutil.copytree(old, target)
    elsewhere = tmp_path / "elsewhere"
    kind(target / name, elsewhere)
    before = state(target / name)
    content = elsewhere.read_bytes() if elsewhere.exists() else None
    for overwrite in (False, True):
        with pytest.raises(StoreError) as error:
            convert(BIGEARTHNET, sources, target, overwrite=overwrite)
        assert f"{target / name} is {KINDS[kind]}" in error.value.message
        assert "Move it away" in error.value.hint
        assert state(target / name) == before
        assert (elsewhere.read_bytes() if elsewhere.exists() else None) == content


@pytest.mark.parametrize("name", NAMES)
def test_no_pipe_is_waited_for(made, store, name):
    """Conversions end with 4 for a pipe under any name, and readers for those that they read."""
    sources, _ = made
    pipe(store / name, None)
    command = ["bigearthnet", "--bigearthnet-s1-dir", sources["s1"], "--target-dir", store]
    done = run(*command, timeout=60)
    assert (done.returncode, str(store / name) in done.stderr) == (4, True), done.stderr
    assert "named pipe" in done.stderr
    read = f"import rico_hdl; store = rico_hdl.open({str(store)!r}); store[next(iter(store))]"
    is_read = name in ("data.mdb", "rico-hdl.journal", "rico-hdl.json")
    for arguments in (["info", store], ["verify", store]):
        done = run(*arguments, timeout=60)
        assert done.returncode == (4 if is_read else 0), (arguments, done.stderr)
        assert not is_read or str(store) in done.stderr
    assert run("verify", store, "--sources", timeout=60).returncode in (0, 4)
    python("-c", read, timeout=60)


def test_readers_follow_links(made, store, tmp_path):
    """A store whose files are links to files elsewhere can be read and verified."""
    for name in NAMES[:4]:
        link(store / name, tmp_path / name)
    assert rico_hdl.inspect(store).complete
    assert not rico_hdl.verify(store).findings
    assert records(store) == records(made[1])


def test_a_target_that_is_a_link_is_written_to(made, tmp_path):
    """The target folder itself may be a link."""
    sources, old = made
    (tmp_path / "disk").mkdir()
    (tmp_path / "target").symlink_to(tmp_path / "disk")
    assert convert(BIGEARTHNET, sources, tmp_path / "target").complete
    assert records(tmp_path / "disk") == records(old)


@pytest.mark.parametrize("name", ["lock.mdb", "rico-hdl.journal"])
@pytest.mark.parametrize("content", [b"x", b"my own notes\n" * 1000])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_of_another_tool_is_not_overwritten(made, tmp_path, name, content, overwrite):
    """A lock file that is not LMDB's, and a journal without a block, are refused and kept."""
    target = tmp_path / "target"
    target.mkdir()
    (target / name).write_bytes(content)
    with pytest.raises(StoreError, match="was not written by rico-hdl"):
        convert(BIGEARTHNET, made[0], target, overwrite=overwrite)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {name: content}


def test_overwrite_removes_no_database_with_foreign_files_next_to_it(made, tmp_path):
    """A journal or a manifest of another tool does not make a database rico-hdl's own."""
    for name in ("rico-hdl.journal", "rico-hdl.json"):
        target = tmp_path / name
        target.mkdir()
        (target / name).write_text("{}")
        (target / "data.mdb").write_bytes(b"mine" * 4096)
        with pytest.raises(RicoError, match="not written by"):
            convert(BIGEARTHNET, made[0], target, overwrite=True)
        assert (target / "data.mdb").read_bytes() == b"mine" * 4096
        assert (target / name).read_text() == "{}"


def test_what_a_kill_leaves_is_not_foreign(made, tmp_path):
    """An empty or zeroed lock file, the beginning of a journal and an old draft are rico-hdl's."""
    for name, content in {
        "lock.mdb": bytes(8192),
        "rico-hdl.journal": b"RJ1\n\1\0",
        ".rico-hdl.json.part": b'{"form',
    }.items():
        target = tmp_path / name
        target.mkdir()
        (target / name).write_bytes(content)
        assert convert(BIGEARTHNET, made[0], target).complete
        assert not rico_hdl.verify(target).findings
        assert not (target / ".rico-hdl.json.part").exists()
