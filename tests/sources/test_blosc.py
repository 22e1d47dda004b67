"""Decompressing parts of blosc chunks: the result of numcodecs, or an error."""

import random
import struct

import numpy as np
import pytest
from numcodecs import blosc

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.zarr.blosc import can_be_cut, cut

NAMES = ["lz4", "lz4hc", "zstd", "zlib", "blosclz"]
SIZES = [1, 100, 33_000, 150_000]
HEADER_BYTES = 16


def values(n, n_bytes, *, random_bits=3):
    """Compressible integers; no two parts are equal."""
    generator = np.random.default_rng(n)
    noise = generator.integers(0, 1 << random_bits, n)
    return (np.arange(n) // 11 % 100 + noise).astype(f"u{n_bytes}")


def ranges(n_bytes):
    """Some ranges of a number of bytes, including those at both ends."""
    generator = random.Random(n_bytes)
    found = [(0, n_bytes), (0, 1), (n_bytes - 1, n_bytes)]
    for _ in range(10):
        start = generator.randrange(n_bytes)
        found.append((start, generator.randrange(start, n_bytes) + 1))
        found.append((start, n_bytes))
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shuffle", [blosc.NOSHUFFLE, blosc.SHUFFLE, blosc.BITSHUFFLE])
@pytest.mark.parametrize("n_bytes", [1, 2, 4, 8])
def test_parts_are_those_of_the_whole(name, shuffle, n_bytes):
    """Any part of a chunk is that part of the original, for all block sizes."""
    for n in SIZES:
        for block_bytes in (0, 128, 1_000, 2**16):
            whole = values(n, n_bytes)
            chunk = blosc.compress(whole, name.encode(), 5, shuffle, block_bytes)
            assert can_be_cut(chunk, whole.nbytes)
            for start, stop in ranges(whole.nbytes):
                assert cut(chunk, start, stop) == whole.tobytes()[start:stop], (n, start, stop)


def test_parts_of_an_incompressible_chunk():
    """A chunk of noise, which is stored uncompressed, is cut, too."""
    whole = np.random.default_rng(0).bytes(100_000)
    chunk = blosc.compress(whole, b"lz4", 5, blosc.SHUFFLE)
    assert len(chunk) == HEADER_BYTES + len(whole)
    for start, stop in ranges(len(whole)):
        assert cut(chunk, start, stop) == whole[start:stop]


def reordered(chunk):
    """The same chunk with its blocks in reverse order, as several threads may write them."""
    n_bytes, block_bytes = struct.unpack_from("<2I", chunk, 4)
    n_blocks = -(-n_bytes // block_bytes)
    starts = [*struct.unpack_from(f"<{n_blocks}I", chunk, HEADER_BYTES), len(chunk)]
    assert starts == sorted(starts)
    at, places, blocks = starts[0], [0] * n_blocks, []
    for i in reversed(range(n_blocks)):
        places[i] = at
        blocks.append(chunk[starts[i] : starts[i + 1]])
        at += len(blocks[-1])
    listed = struct.pack(f"<{n_blocks}I", *places)
    return b"".join([chunk[:HEADER_BYTES], listed, *blocks])


def test_blocks_may_be_in_any_order():
    """Blocks are found by the chunk's list, whatever their order in the chunk."""
    whole = values(50_000, 2)
    chunk = reordered(blosc.compress(whole, b"zstd", 5, blosc.SHUFFLE, 8_192))
    assert blosc.decompress(chunk) == whole.tobytes()
    for start, stop in ranges(whole.nbytes):
        assert cut(chunk, start, stop) == whole.tobytes()[start:stop]


def test_unneeded_blocks_are_not_decompressed():
    """A chunk with damaged blocks still gives its intact parts, and only these."""
    whole = values(50_000, 2)
    chunk = bytearray(blosc.compress(whole, b"zstd", 5, blosc.SHUFFLE, 8_192))
    (second,) = struct.unpack_from("<I", chunk, HEADER_BYTES + 4)
    chunk[second + 4 : second + 40] = bytes(36)
    assert cut(bytes(chunk), 0, 8_192) == whole.tobytes()[:8_192]
    with pytest.raises(ArchiveError, match="can't be decompressed by blosc"):
        cut(bytes(chunk), 8_000, 8_200)


def test_chunks_that_contradict_themselves_are_not_cut():
    """A chunk whose length contradicts its header or the expected one is left to the library."""
    whole = values(50_000, 2)
    chunk = blosc.compress(whole, b"lz4", 5, blosc.SHUFFLE)
    assert can_be_cut(chunk, whole.nbytes)
    assert not can_be_cut(chunk, whole.nbytes + 2)
    for damaged in (b"", chunk[:10], chunk[:-1], chunk + b"\0"):
        assert not can_be_cut(damaged, whole.nbytes)
    for block_bytes in (0, 1, 2**31):
        damaged = bytearray(chunk)
        struct.pack_into("<I", damaged, 8, block_bytes)
        assert not can_be_cut(bytes(damaged), whole.nbytes)


def test_chunks_of_very_many_blocks_are_not_cut():
    """A chunk whose list of blocks would take long to read is left to the library."""
    for n_blocks, is_cut in ((2**16, True), (2**16 + 1, False)):
        whole = values(64 * n_blocks, 2)
        chunk = blosc.compress(whole, b"zstd", 1, blosc.NOSHUFFLE, 128)
        assert struct.unpack_from("<2I", chunk, 4) == (whole.nbytes, 128)
        assert can_be_cut(chunk, whole.nbytes) is is_cut


def test_damaged_chunks_do_no_harm():
    """However a chunk is damaged, its parts have their length, or there is an error."""
    generator = random.Random(0)
    n_errors = 0
    for name in NAMES:
        whole = values(20_000, 2)
        chunk = blosc.compress(whole, name.encode(), 5, blosc.SHUFFLE, 4_096)
        for _ in range(500):
            damaged = bytearray(chunk)
            for _ in range(generator.choice([1, 2, 5])):
                place = generator.randrange(generator.choice([100, len(chunk)]))
                damaged[place] = generator.randrange(256)
            if not can_be_cut(bytes(damaged), whole.nbytes):
                continue
            start = generator.randrange(whole.nbytes - 5_000)
            try:
                assert len(cut(bytes(damaged), start, start + 5_000)) == 5_000
            except ArchiveError:
                n_errors += 1
    assert n_errors > 100
