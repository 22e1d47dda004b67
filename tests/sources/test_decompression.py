"""Decompression: the output for intact files, and the errors for others."""

from __future__ import annotations

import bz2
import gc
import gzip
import lzma
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources import decompression
from rico_hdl.sources.decompression import decompress
from rico_hdl.testing.contracts.files import open_files
from tests.support.archives import long_xz
from tests.support.running import held_at, measured, started
from tests.support.tar_files import our_threads, saved

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
"""Each format, with all checksums that it supports."""
FORMATS = sorted(set(COMPRESSIONS) - {"plain"})
TOOLS = {
    "gzip": ["gzip", "-c"],
    "zstd": ["zstd", "-c", "-q"],
    "zstd in frames": ["zstd", "-c", "-q", "-B1024", "-T2"],
    "zstd --long": ["zstd", "-c", "-q", "--long=27"],
    "zstd -19": ["zstd", "-c", "-q", "-19", "--no-check"],
    "xz": ["xz", "-c"],
    "xz -9": ["xz", "-c", "-9", "--check=sha256"],
    "xz in blocks": ["xz", "-c", "--block-size=1000"],
    "bzip2": ["bzip2", "-c"],
}

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def sample(n_bytes: int = 3000, seed: int = 0) -> bytes:
    """Bytes of which some compress and some don't; no two places are alike."""
    rng = random.Random(seed)
    parts = []
    while sum(map(len, parts)) < n_bytes:
        parts += [rng.randbytes(rng.randrange(300)), bytes([rng.randrange(256)]) * 200]
    return b"".join(parts)[:n_bytes]


def decompressed(files: list[Path], **options) -> bytes:
    """The whole output."""
    return b"".join([chunk.data for chunk in decompress(files, **options)])


def outcome(files: list[Path]) -> tuple[bytes, str]:
    """The output before an error, and the error, if any."""
    chunks = []
    try:
        chunks.extend(chunk.data for chunk in decompress(files))
    except ArchiveError as error:
        return b"".join(chunks), str(error)
    return b"".join(chunks), ""


@pytest.mark.parametrize("name", sorted(COMPRESSIONS))
@pytest.mark.parametrize("part_bytes", [1, 7, 100, 10**6])
def test_every_format_comes_out_whole_however_it_is_split(tmp_path, name, part_bytes):
    """The parts of a split file are read as one, whatever their size and name."""
    data = sample()
    packed = COMPRESSIONS[name](data)
    files = saved(tmp_path, packed, *range(part_bytes, len(packed), part_bytes))
    assert decompressed(files) == data


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_output_of_command_line_tools(tmp_path, name):
    """The output of the usual command-line tools decompresses to their input."""
    if shutil.which(TOOLS[name][0]) is None:
        pytest.skip(f"needs {TOOLS[name][0]}")
    (tmp_path / "plain").write_bytes(data := sample(1_000_000))
    packed = subprocess.run([*TOOLS[name], tmp_path / "plain"], check=True, capture_output=True)
    assert packed.stdout
    assert packed.stdout != data
    assert decompressed(saved(tmp_path, packed.stdout)) == data


@given(data=st.data())
@pytest.mark.parametrize("name", FORMATS)
def test_streams_that_follow_each_other_are_one(tmp_path, name, data):
    """Any streams, with zeros between and after them and cuts anywhere, give the same bytes."""
    contents = data.draw(st.lists(st.binary(max_size=60), min_size=1, max_size=6))
    paddings = data.draw(st.lists(st.integers(0, 600), min_size=6, max_size=6))
    packed = b"".join(
        COMPRESSIONS[name](content) + bytes(padding)
        for content, padding in zip(contents, paddings, strict=False)
    )
    stops = data.draw(st.lists(st.integers(0, len(packed)), max_size=4))
    assert decompressed(saved(tmp_path, packed, *sorted(stops))) == b"".join(contents)


@pytest.mark.parametrize("name", FORMATS)
def test_many_small_streams(tmp_path, name):
    """Thousands of streams in one piece, as some compressors write them, stay in order."""
    contents = [struct.pack("<I", i) * 10 for i in range(3000)]
    packed = b"".join(map(COMPRESSIONS[name], contents))
    assert decompressed(saved(tmp_path, packed)) == b"".join(contents)


def test_frames_to_be_skipped(tmp_path):
    """Skippable zstd frames before, between and after others, as by pzstd, are ignored."""
    skipped = struct.pack("<II", 0x184D2A5E, 12) + b"x" * 12
    data = sample()
    packed = b"".join(
        skipped + COMPRESSIONS["zstd"](data[i : i + 500]) for i in range(0, 3000, 500)
    )
    assert decompressed(saved(tmp_path, packed + skipped)) == data


@pytest.mark.parametrize("flags", range(0, 32, 4))
def test_headers_of_gzip(tmp_path, flags):
    """Extra fields, names and comments of gzip headers are skipped."""
    data = sample()
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(data) + deflate.flush()
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    head += (b"\x05\0extra" if flags & 4 else b"") + (b"name\0" if flags & 8 else b"")
    head += b"comment\0" if flags & 16 else b""
    packed = head + body + struct.pack("<II", zlib.crc32(data), len(data))
    assert decompressed(saved(tmp_path, packed)) == data


def test_data_that_only_looks_compressed_is_passed_on(tmp_path):
    """A tar whose first file is named BZh9, and files shorter than any magic, pass unchanged."""
    for data in (b"BZh9/file" + bytes(503), b"\x1f\x8b", b"\xfd7zX", b"(", b""):
        assert decompressed(saved(tmp_path, data)) == data


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_was_cut_short_anywhere(tmp_path, name):
    """At every length, the data before the cut is returned; the error names file and length."""
    data = sample(700)
    packed = COMPRESSIONS[name](data)
    for n_bytes in range(10, len(packed)):
        found, error = outcome(saved(tmp_path, packed[:n_bytes], n_bytes // 2))
        assert data.startswith(found)
        assert f"/x.tar.1: is cut short: it ends at byte {n_bytes - n_bytes // 2}" in error
        assert "last part" in error
    assert outcome(saved(tmp_path, packed)) == (data, "")


@pytest.mark.parametrize("name", FORMATS)
def test_every_flipped_byte_is_noticed(tmp_path, name):
    """A change anywhere is an error that names the file, unless the output is the same."""
    data = sample(700)
    packed = COMPRESSIONS[name](data)
    n_same = 0
    for i in range(len(packed)):
        changed = bytearray(packed)
        changed[i] ^= 1 << i % 8
        found, error = outcome(saved(tmp_path, bytes(changed)))
        if error:
            assert str(tmp_path) in error
            assert re.search(r"byte|window", error)
            assert "Download it again" in error or "Decompress it first" in error
        elif found == changed:  # no longer recognised: the magic was changed
            assert i < 10
        else:
            assert found == data
            n_same += 1
    assert n_same < 25  # the time stamp in a gzip header, padding bits of a block


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_damage_is_found_where_it_is(tmp_path, name):
    """Data before the damage is returned, and the error names the part and the position."""
    piece = decompression._PIECE_BYTES
    data = random.Random(1).randbytes(3 * piece)
    packed = bytearray(COMPRESSIONS[name](data))
    where = 2 * piece + 1000
    packed[where : where + 64] = bytes(64)
    found, error = outcome(saved(tmp_path, bytes(packed), 1000))
    assert len(found) >= piece / 2
    assert data.startswith(found[: piece // 2])
    (part, start, stop) = re.search(r"x\.tar\.(\d).* between bytes (\d+) and (\d+)", error).groups()
    assert part == "1"
    # A checksum is compared at the end of a block: not before the damage.
    assert int(stop) > where - 1000
    assert int(start) % piece == 0


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("garbage", [b"x", b"garbage that is no stream", None])
def test_data_after_the_last_stream_is_an_error(tmp_path, name, garbage):
    """Other data after the last stream is an error with its offset; all streams are returned."""
    data = sample()
    packed = COMPRESSIONS[name](data)
    if garbage is None:  # a stream of another format
        garbage = COMPRESSIONS[FORMATS[FORMATS.index(name) - 1]](data)
    found, error = outcome(saved(tmp_path, packed + bytes(100) + garbage, 50))
    assert found == data
    assert f"x.tar.1: is damaged: the data after its {name} stream" in error
    assert f"at byte {len(packed) + 50}, " in error


def zstd_frame(window_log: int, data: bytes) -> bytes:
    """A frame of one raw block that requests a window (RFC 8878, section 3.1.1)."""
    block = (len(data) << 3 | 1).to_bytes(3, "little") + data
    return b"\x28\xb5\x2f\xfd\0" + bytes([window_log - 10 << 3]) + block


@pytest.mark.parametrize(
    ("largest", "larger", "command"),
    [
        (zstd_frame(27, b"data"), zstd_frame(28, b"data"), "zstd -d --long=31"),
        (long_xz(b"data", 30), long_xz(b"data", 31), "xz -d"),
    ],
)
def test_a_window_beyond_the_limit_is_an_error(tmp_path, largest, larger, command):
    """A window of 128 MiB is accepted; a larger one is refused, with advice, before allocation."""
    assert decompressed(saved(tmp_path, largest)) == b"data"
    found, error = outcome(saved(tmp_path, larger))
    assert found == b""
    assert "window of more than 128 MiB" in error
    assert command in error


_BOMB = """
import hashlib
from rico_hdl.sources.decompression import decompress
next(decompress([Path(sys.argv[1])]))
before, n_bytes = peak(), 0
for chunk in decompress([Path(sys.argv[1])]):
    n_bytes += len(chunk.data)
    hashlib.blake2b(chunk.data)  # slower than what makes them
print(n_bytes, peak() - before)
"""


def bomb(name: str) -> tuple[bytes, int]:
    """A small file, and the number of bytes that it expands to."""
    if name == "zstd":  # blocks of one byte, repeated (RFC 8878, section 3.1.1.2.2)
        n_blocks = 6000
        block = (2**17 << 3 | 2).to_bytes(3, "little") + b"x"
        head = b"\x28\xb5\x2f\xfd\0" + bytes([27 - 10 << 3])
        return head + block * n_blocks + b"\x01\0\0", 2**17 * n_blocks
    n_bytes, n_streams = 2**24, {"gzip": 32, "xz": 16, "bzip2": 16}[name]
    return COMPRESSIONS[name](bytes(n_bytes)) * n_streams, n_bytes * n_streams


@needs_proc
@pytest.mark.parametrize("name", FORMATS)
def test_a_small_file_that_becomes_a_large_one_takes_little_memory(tmp_path, name):
    """However far a stream expands, only a few chunks exist at any time."""
    packed, n_bytes = bomb(name)
    (path,) = saved(tmp_path, packed)
    found, kilobytes = map(int, measured(_BOMB, path).split())
    assert found == n_bytes
    assert len(packed) < n_bytes / 500
    # In addition, zstd keeps the window of 128 MiB that this frame requests.
    assert kilobytes < 60_000 + (135_000 if name == "zstd" else 0)


def test_progress_follows_the_files(tmp_path):
    """Each chunk has the number of bytes of the files that were consumed so far."""
    n_bytes = 3 * decompression._PIECE_BYTES + 5
    (tmp_path / "x").write_bytes(random.Random(0).randbytes(n_bytes))
    n_seen = 0
    for chunk in decompress([tmp_path / "x"]):
        n_seen += len(chunk.data)
        assert chunk.n_bytes_read == n_seen
    assert n_seen == n_bytes


def large(folder: Path) -> list[Path]:
    """Files that are larger than the read-ahead."""
    n_bytes = 5 * decompression._N_AHEAD * decompression._PIECE_BYTES
    (folder / "large").write_bytes(b"")
    os.truncate(folder / "large", n_bytes)
    return [folder / "large", folder / "large"]


@needs_proc
@pytest.mark.parametrize("how", ["closed", "error", "forgotten", "not begun"])
def test_nothing_is_left_when_the_consumer_stops(tmp_path, how):
    """Threads end and files are closed when the generator is closed, fails, or is garbage."""
    before = our_threads()
    raw = []
    chunks = decompress(large(tmp_path), on_raw=lambda data: raw.append(len(data)))
    if how != "not begun":
        next(chunks)
        assert len(our_threads()) > len(before)
        assert open_files(tmp_path)
    if how == "closed":
        chunks.close()
        assert next(chunks, None) is None
    elif how == "error":
        with pytest.raises(KeyError), closing(chunks):
            raise KeyError
    else:
        del chunks
        gc.collect()
    assert our_threads() == before
    assert not open_files(tmp_path)
    # Never more than the read-ahead: pieces, chunks, and the one that was taken.
    assert len(raw) <= 2 * decompression._N_AHEAD + 1


@pytest.mark.usefixtures("interruptible")
@needs_proc
def test_ctrl_c_ends_the_threads(tmp_path):
    """Ctrl-C while the main thread waits for data is raised there, and nothing is left behind."""
    main = threading.main_thread()
    assert threading.current_thread() is main
    before = our_threads()
    interrupted = threading.Event()

    def interrupt(_: bytes) -> None:
        if not interrupted.is_set():
            interrupted.set()
            signal.pthread_kill(main.ident, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        decompressed(large(tmp_path), on_raw=interrupt)
    gc.collect()
    assert our_threads() == before
    assert not open_files(tmp_path)


@needs_proc
@pytest.mark.parametrize("number", [1, 2])
def test_ctrl_c_while_a_thread_starts_leaves_none(tmp_path, monkeypatch, number):
    """Neither thread goes on if Ctrl-C arrives just when it, or the other one, has been started."""
    before = our_threads()
    started = []

    class Interrupted(threading.Thread):
        def start(self):
            super().start()
            started.append(self)
            if len(started) == number:
                raise KeyboardInterrupt

    monkeypatch.setattr(decompression, "Thread", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        decompressed(large(tmp_path))
    assert len(started) >= number
    assert our_threads() == before
    assert not open_files(tmp_path)


_WAITING = """
import sys
from pathlib import Path
from rico_hdl.sources.decompression import decompress
for chunk in decompress([Path(sys.argv[1])]):
    pass
"""


@pytest.mark.usefixtures("interruptible", "stalling_pipes")
@pytest.mark.skipif(os.name != "posix", reason="needs named pipes and signals")
def test_ctrl_c_ends_a_process_that_waits_for_data(tmp_path):
    """Ctrl-C while a file blocks ends the process once the file unblocks."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with started("-c", _WAITING, pipe) as process:
        with held_at(pipe, process):
            process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in stderr


def test_an_error_of_the_raw_bytes_callback_is_raised(tmp_path):
    """An error in the callback's thread is raised in the consumer."""

    def fail(_: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decompressed(saved(tmp_path, COMPRESSIONS["gzip"](sample())), on_raw=fail)


def test_files_that_cannot_be_opened(tmp_path):
    """A missing file and a folder are named, even as a later part."""
    first = saved(tmp_path, sample())
    for path, reason in ((tmp_path / "gone", "No such file"), (tmp_path, "directory")):
        with pytest.raises(SourceError, match=f"{re.escape(str(path))}: can't be opened.*{reason}"):
            decompressed([path])
        with pytest.raises(SourceError, match=re.escape(str(path))):
            decompressed([*first, path])


@needs_proc
def test_a_read_that_fails_names_the_file_and_the_place(tmp_path):
    """A file that opens but can't be read is an error with the offset."""
    files = [*saved(tmp_path, sample()), Path("/proc/self/mem")]
    with pytest.raises(
        ArchiveError, match="/proc/self/mem: can't be read from byte 0 on"
    ) as caught:
        decompressed(files)
    assert isinstance(caught.value.__cause__, OSError)


def test_libraries_are_imported_when_they_are_needed(tmp_path):
    """ISA-L and zstd are only imported for files that need them."""
    (path,) = saved(tmp_path, COMPRESSIONS["xz"](sample()))
    code = (
        f"import sys, pathlib; sys.argv[1:] = [{str(path)!r}]\n{_WAITING}"
        "assert not {'isal', 'backports', 'compression.zstd', 'zstandard'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
