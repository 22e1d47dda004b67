"""Standard streams that are closed, full, or read by nobody, and limits of the system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import corpus
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from tests.support.reading import records

pytestmark = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a shell and a file that is always full"
)

BIGEARTHNET = registry()["bigearthnet"]


def shell(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script of bash in which ``rico`` is the command line; a traceback is a failure."""
    start = f'rico() {{ "{sys.executable}" -m rico_hdl "$@"; }}; '
    result = subprocess.run(
        ["bash", "-c", start + script, "bash", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in result.stderr
    assert "mistake in rico-hdl" not in result.stderr
    return result


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The source and the store of a conversion."""
    folder = tmp_path_factory.mktemp("stored")
    sources = corpus.generate(BIGEARTHNET, folder / "source", 3, modalities=["s1"])
    convert(BIGEARTHNET, sources, folder / "target")
    return sources["s1"], folder / "target"


STREAMS = {
    "closed output": (">&-", True),
    "full output": (">/dev/full", True),
    "closed errors": ("2>&-", False),
    "full errors": ("2>/dev/full", False),
    "closed errors, full output": ("2>&- >/dev/full", True),
    "all closed": ("<&- >&- 2>&-", True),
    "closed input": ("<&-", False),
}
"""How a shell redirects the streams, and whether this loses standard output."""


@pytest.mark.parametrize(("redirection", "is_lost"), STREAMS.values(), ids=STREAMS)
def test_no_stream_stops_a_conversion(stored, tmp_path, redirection, is_lost):
    """A conversion runs to its end without its streams; with --json, losing the result is 74."""
    source, _ = stored
    target = tmp_path / "target"
    command = 'rico bigearthnet --bigearthnet-s1-dir "$1" --target-dir "$2" '
    result = shell(f"{command} --progress bars {redirection}", source, target)
    assert result.returncode == 0, result.stderr
    assert len(records(target)) == 3
    assert json.loads((target / "rico-hdl.json").read_text())["complete"]

    again = shell(f"{command} --progress json --json {redirection}", source, target)
    assert again.returncode == (74 if is_lost else 0), again.stderr
    said = "the result can't be written to standard output" in again.stderr
    assert said == (is_lost and "2>" not in redirection)


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "bigearthnet --help",
        "datasets",
        'info "$2" --json',
        'verify "$2"',
        'bigearthnet --bigearthnet-s1-dir "$1" --target-dir "$2"/new --dry-run',
    ],
)
def test_a_lost_result_ends_with_74(stored, command):
    """Commands whose result is their output end with 74 if it is lost, and with 0 otherwise."""
    for redirection, expected in {">&-": 74, ">/dev/full": 74, "2>&-": 0}.items():
        result = shell(f"rico {command} {redirection}", *stored)
        assert result.returncode == expected, (redirection, result.stderr)


def test_errors_and_findings_keep_their_codes_without_streams(stored, tmp_path):
    """A missing folder stays 4, wrong usage 2 and a finding 1, whatever the streams are."""
    _, target = stored
    copy = tmp_path / "copy"
    shell('cp -r "$1" "$2"', target, copy)
    data = bytearray((copy / "data.mdb").read_bytes())
    data[3 * 4096 + 3000] ^= 1
    (copy / "data.mdb").write_bytes(data)
    for redirection in (">/dev/full 2>/dev/full", "<&- >&- 2>&-"):
        assert shell(f'rico info "$1" {redirection}', tmp_path / "nowhere").returncode == 4
        assert shell(f"rico info --nothing {redirection}").returncode == 2
        assert shell(f'rico verify "$1" {redirection}', copy).returncode == 1


def test_a_reader_that_leaves_is_no_error(stored):
    """`| head -1` ends as other programs do: with 141 for pipelines that look at it, silently."""
    for command in ("datasets --json", "--help", 'info "$2" --json', 'verify "$2" --json'):
        script = f"set -o pipefail; rico {command} | (exec <&-; sleep 0.2)"
        result = shell(script, *stored)
        assert (result.returncode, result.stderr.count("error")) == (141, 0), command
    first = shell("set -o pipefail; rico datasets --json | head -1")
    assert (first.stdout, first.stderr) == ("[\n", "")


def test_a_closed_stream_does_not_become_a_file(stored, tmp_path):
    """What a library writes to a closed stream never ends up in a file of the store."""
    code = (
        "import os, sys\n"
        "import rico_hdl.cli as cli\n"
        "from rico_hdl.observer import Observer\n"
        "from rico_hdl.store import StoreWriter\n"
        "put = StoreWriter.put\n"
        "def loud(writer, record):\n"
        "    for number in (0, 1, 2):\n"
        "        try: os.write(number, b'noise')\n"
        "        except OSError: pass\n"
        "    put(writer, record)\n"
        "StoreWriter.put = loud\n"
        "cli.main()"
    )
    source, target = stored
    new = tmp_path / "target"
    result = shell(
        f'"{sys.executable}" -c "$1" bigearthnet --bigearthnet-s1-dir "$2" --target-dir "$3" '
        "<&- >&- 2>&-",
        code,
        source,
        new,
    )
    assert result.returncode == 0
    assert (new / "data.mdb").read_bytes() == (target / "data.mdb").read_bytes()
    assert b"noise" not in (new / "rico-hdl.journal").read_bytes()
    assert shell('rico verify "$1"', new).returncode == 0


def test_output_in_another_encoding():
    """Characters that the terminal's encoding lacks are escaped, and don't end the command."""
    result = shell("PYTHONIOENCODING=latin-1 rico datasets hyspecnet-11k")
    assert (result.returncode, "\\u2026" in result.stdout) == (0, True), result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space as on Linux")
@pytest.mark.parametrize("command", ["bigearthnet", "verify", "info", "archive"])
def test_little_address_space_is_an_error_of_its_own(stored, tmp_path, command):
    """Under any `ulimit -v`, a command works or says that the system refuses memory (71)."""
    source, target = stored
    archive = tmp_path / "S1.tar.gz"
    shell('tar czf "$1" -C "$2" .', archive, source)
    commands = {
        "bigearthnet": ["bigearthnet", "--bigearthnet-s1-dir", source, "--target-dir"],
        "archive": ["bigearthnet", "--bigearthnet-s1-dir", archive, "--target-dir"],
        "verify": ["verify", target],
        "info": ["info", target],
    }
    seen = set()  # below 120 MB, OpenBLAS may end any program that imports numpy
    for megabytes in range(120, 900, 130):
        new = [tmp_path / f"{megabytes}"] if command in ("bigearthnet", "archive") else []
        result = shell(f'ulimit -v {megabytes * 1024}; rico "$@"', *commands[command], *new)
        seen.add(result.returncode)
        assert result.returncode in (0, 71), (megabytes, result.stderr)
        if result.returncode == 71:
            assert "ulimit -v" in result.stderr
    assert seen == ({0, 71} if command in ("bigearthnet", "archive") else {0})


@pytest.mark.parametrize("n_files", [5, 6, 7, 8, 9])
def test_too_few_open_files_are_an_error_of_their_own(stored, tmp_path, n_files):
    """Under `ulimit -n`, a command works or says that the system refuses files (71)."""
    command = 'rico bigearthnet --bigearthnet-s1-dir "$1" --target-dir "$2"'
    source, target = stored
    result = shell(f"ulimit -n {n_files}; {command}", source, tmp_path / "new")
    assert (result.returncode, "Too many open files" in result.stderr) == (71, True)
    assert "ulimit" in result.stderr
    assert shell(f'ulimit -n {n_files}; rico verify "$1"', target).returncode == 71
