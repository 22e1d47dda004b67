"""The progress of conversions and verifications, on real terminals and in logs."""

from __future__ import annotations

import json
import os
import re
import signal
import tarfile

import pytest
from rich.console import Console

import corpus
from rico_hdl.cli.progress.bars import draw
from rico_hdl.cli.progress.rows import Row
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from tests.support.running import held_at, run
from tests.support.terminal import Terminal

BIGEARTHNET = registry()["bigearthnet"]
NAMES = [modality.name for modality in BIGEARTHNET.modalities]
WIDTHS = [60, 80, 100, 200]
N_PUBLISHED = 549_488


def work(row, seconds, *, start=0.0, new=0, present=0, archive=0):
    """Let a row do so many new and known patches, or bytes of an archive, in each second."""
    for i in range(1, round(5 * seconds) + 1):
        now = start + i / 5
        row.n_new += new // 5
        row.n_bytes += 1000 * (new // 5)
        row.n_present += present // 5
        row.n_archive_bytes_read += archive // 5
        row.change(now, start)
        row.sample(now)
    return start + seconds


def test_a_rate_is_that_of_the_last_seconds():
    """A rate is shown after a second, and follows a change of speed within ten."""
    row = Row(100_000)
    now = work(row, 1, new=1000)
    assert row.rate is None
    now = work(row, 20, start=now, new=1000)
    assert row.rate == pytest.approx(1000)
    assert row.per_second("n_bytes") == pytest.approx(1_000_000)
    work(row, 10, start=now, new=50)
    assert row.rate == pytest.approx(50)


def test_the_time_left_is_hidden_until_it_is_right():
    """The time left is unknown for three seconds, and then right from the beginning."""
    row = Row(100_000)
    now = work(row, 3, new=1000)
    assert row.seconds_left is None
    now = work(row, 1, start=now, new=1000)
    assert row.seconds_left == pytest.approx(96)
    work(row, 30, start=now, new=100)
    assert row.seconds_left == pytest.approx(930)


def test_a_finished_row_stays_as_it_is():
    """A finished row has its mean rate and all its time, however long others take."""
    row = Row(3000)
    row.n_failed = -2  # left out of the total, and not reported yet
    now = work(row, 2, new=1000)
    work(row, 2, start=now, new=500)
    for later in range(5, 100):
        row.sample(later)
    assert (row.rate, row.seconds, row.share) == (750, 4, 1)
    assert row.seconds_left is None


def test_present_patches_do_not_affect_the_time_left():
    """Known patches are counted with their own rate; the time left is that of the new ones."""
    row = Row(1_001_000)
    now = work(row, 10, present=100_000)
    assert row.is_checking
    assert row.rate == pytest.approx(100_000)
    assert row.seconds_left is None
    work(row, 5, start=now, new=100)
    assert not row.is_checking
    assert row.rate == pytest.approx(100)
    assert row.seconds_left == pytest.approx(5)
    assert (row.n_done, row.n_present) == (1_000_500, 1_000_000)


def test_missing_patches_among_known_ones():
    """Where few patches are missing, those between them count for the time left."""
    row = Row(1_000_000)
    work(row, 40, new=10, present=10_000)
    assert row.seconds_left == pytest.approx((1_000_000 - 40 * 10_010) / 10_010)


def test_the_next_archive_begins_at_its_own_beginning():
    """An archive's share and time left go by its bytes; those of the one before don't matter."""
    row = Row()
    row.archive, row.n_archive_bytes = "/data/one.tar", 10_000
    now = work(row, 10, new=100, archive=1000)
    assert (row.is_finished, row.rate) == (True, 100)
    row.archive, row.n_archive_bytes_read, row.n_archive_bytes = "/data/two.tar", 0, 100_000
    row.sample(now)
    assert (row.share, row.seconds_left) == (0, None)
    work(row, 10, start=now, new=100, archive=100)
    assert row.seconds_left == pytest.approx(990)
    assert row.n_done == 2000


def drawn(rows, width):
    """The lines of bars in a terminal of some width."""
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(draw(list(rows.items()), width))
    return capture.get().splitlines()


def test_checked_patches_have_a_rate():
    """While existing patches are found, the rate is shown even at 60 columns."""
    rows = {name: Row(N_PUBLISHED) for name in NAMES}
    work(rows["s1"], 4, present=60_000)
    lines = drawn(rows, 60)
    assert "240,000/549,488" in lines[0]
    assert lines[0].endswith(" 60k/s checking")
    assert lines[1].endswith(" waiting")


@pytest.mark.parametrize("width", [30, 40, 50, *WIDTHS])
@pytest.mark.parametrize("archives", [False, True])
def test_bars_fit_the_terminal(width, archives):
    """From 60 columns on each row has bar, share, count, rate and time left, in one line."""
    rows = {name: Row(N_PUBLISHED) for name in NAMES}
    if archives:
        for name, row in rows.items():
            row.archive, row.n_archive_bytes = f"/data/BigEarthNet-{name}.tar.zst", 10**10
    now = work(rows["s1"], 10, new=0, present=10_000)
    for row in rows.values():
        work(row, 20, start=now, new=1200, archive=10_000_000)
    lines = drawn(rows, width)
    assert len(lines) == 3
    for name, line in zip(NAMES, lines, strict=True):
        assert len(line) <= width
        assert re.search(r"\d+%", line)
        if width >= 60:
            assert line.startswith(name)
            count = "124,000" if name == "s1" else "24,000"
            assert (count if archives else f"{count}/549,488") in line
            assert "1,200" in line
            assert re.search(r"0:\d\d:\d\d", line)
        assert ("MB/s" in line) == (width == 200)
    if width >= 80:
        assert archives or "100,000 already there" in lines[0] or "100,000 there" in lines[0]
        assert ("BigEarthNet-s2" in lines[1]) == archives
    if width >= 100:
        assert "100,000 " in lines[0]


@pytest.fixture
def many(tmp_path):
    """Sources with more than a thousand reference maps."""
    few = corpus.generate(BIGEARTHNET, tmp_path / "few", 6, modalities=["s1", "s2"])
    return few | corpus.generate(
        BIGEARTHNET, tmp_path / "many", 1200, modalities=["reference-maps"]
    )


def options(sources):
    """The options that name these sources."""
    return [part for name in sources for part in (BIGEARTHNET.modality(name).option, sources[name])]


def bars(terminal):
    """The line of each modality: there must be exactly one, with a bar and a share."""
    lines = {name: terminal.line_of(name) for name in NAMES}
    assert all("━" in line or "%" not in line for line in lines.values())
    return lines


def hold(folder, position):
    """Make one file of a folder a pipe, which is waited for until `let_go` opens it, empty.

    The test uses the fixture `stalling_pipes`.
    """
    path = sorted(folder.rglob("*.tif"))[position]
    path.unlink()
    os.mkfifo(path)
    return path


def let_go(pipe):
    """Let a conversion go on that waits for a pipe."""
    os.close(os.open(pipe, os.O_WRONLY))


@pytest.mark.usefixtures("stalling_pipes")
def test_a_bar_for_each_modality_on_a_terminal(many, tmp_path):
    """Each modality has one line with bar, share and count; all come to 100%."""
    pipe = hold(many["reference-maps"], -20)
    for width in WIDTHS:
        command = ["bigearthnet", *options(many), "--target-dir", tmp_path / str(width)]
        terminal = Terminal(width, *command)
        terminal.until(lambda lines: any(re.search(r" 9\d% 1,\d+/1,200", line) for line in lines))
        assert len(terminal.lines) == 3
        assert "100% " in bars(terminal)["s1"]
        let_go(pipe)
        code, stdout = terminal.end()
        assert (code, "1199 written" in stdout) == (1, True)
        assert "100% 1,199/1,200" in bars(terminal)["reference-maps"]
        assert not terminal.screen.cursor.hidden


def test_a_continued_conversion_shows_present_patches(many, tmp_path):
    """Patches that are stored already are done at once, and called so where there is room."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, {"reference-maps": many["reference-maps"]}, target)
    for width in WIDTHS:
        terminal = Terminal(width, "bigearthnet", *options(many), "--target-dir", target)
        assert terminal.end()[0] == 0
        line = bars(terminal)["reference-maps"]
        assert "100% 1,200/1,200" in line
        assert ("1,200 already there" if width >= 100 else "1,200 there") in line or width == 60


def test_bars_of_archives_go_by_bytes(many, tmp_path):
    """An archive's bar goes by its bytes and comes to 100%; its patches and its name are shown."""
    paths = sorted(many["reference-maps"].rglob("*.tif"))
    archives = []
    for name, part in (("one", paths[:700]), ("two", paths[700:])):
        archives.append(tmp_path / f"Reference_Maps-{name}.tar.gz")
        with tarfile.open(archives[-1], "w:gz") as tar:
            for path in part:
                tar.add(path, path.relative_to(many["reference-maps"].parent))
    option = BIGEARTHNET.modality("reference-maps").option
    command = ["bigearthnet", option, archives[0], option, archives[1]]
    for width in WIDTHS:
        terminal = Terminal(width, *command, "--target-dir", tmp_path / str(width))
        seen = set()
        while terminal.read(0.01):
            seen |= {line for line in terminal.lines if line.startswith("reference-maps")}
            assert len(terminal.lines) <= 2
        assert terminal.end()[0] == 0
        (line,) = terminal.lines
        assert re.match(r"reference-maps ━+ 100% +1,200\b", line)
        assert ("Reference_Maps-two" in line) == (width >= 80)
        assert any(re.search(r" \d?\d% ", line) for line in seen)
    terminal = Terminal(80, "verify", tmp_path / "80", "--sources")
    assert terminal.end()[0] == 0
    assert re.fullmatch(r"records ━+ 100% +1,200 .* Reference_Maps-two.*", *terminal.lines)


def test_failures_are_printed_above_the_bars(bigearthnet, tmp_path):
    """Failures stay on the screen above the bars, which they don't disturb."""
    for path in sorted(bigearthnet["s1"].glob("*/*/*_VV.tif"))[:4]:
        path.write_bytes(b"no TIFF")
    command = ["bigearthnet", *options(bigearthnet), "--target-dir", tmp_path / "target"]
    terminal = Terminal(1000, *command)
    code, _ = terminal.end()
    assert code == 1
    lines = terminal.lines
    assert [line.startswith("left out: ") for line in lines[:4]] == [True] * 4
    assert [re.match(r"[-\w]*", line).group() for line in lines[4:7]] == NAMES
    assert "100% 2/6" in lines[4]
    assert lines[7].startswith("4 patches were left out")


@pytest.mark.usefixtures("interruptible", "stalling_pipes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_terminal_stays_usable(bigearthnet, tmp_path, number):
    """After Ctrl-C, and even when the process is killed, the cursor is visible."""
    pipe = hold(bigearthnet["s2"], -1)
    command = ["bigearthnet", *options(bigearthnet), "--target-dir", tmp_path / "target"]
    terminal = Terminal(80, *command)
    terminal.until(lambda lines: any("6/6" in line for line in lines))
    with held_at(pipe, terminal.process):
        terminal.process.send_signal(number)
    assert terminal.end()[0] in {130, -number}
    assert not terminal.screen.cursor.hidden
    assert terminal.line_of("s1").endswith(" s")
    if number == signal.SIGINT:
        assert any(line.startswith("error: stopped by SIGINT") for line in terminal.lines)


def test_terminals_without_colour(bigearthnet, tmp_path):
    """NO_COLOR leaves out colours, not bars; a dumb terminal has plain lines."""
    command = ["bigearthnet", *options(bigearthnet), "--target-dir", tmp_path / "target"]
    terminal = Terminal(80, *command, NO_COLOR="1")
    assert terminal.end()[0] == 0
    assert not re.search(rb"\x1b\[[\d;]*[34]\d[\d;]*m", terminal.raw)
    assert all("━" in line for line in bars(terminal).values())
    terminal = Terminal(80, *command, TERM="dumb")
    assert terminal.end()[0] == 0
    assert b"\x1b" not in terminal.raw
    assert terminal.lines == ["found 6 s1, 6 s2, 6 reference-maps patches"]


@pytest.mark.usefixtures("stalling_pipes")
def test_plain_lines_in_a_log(many, tmp_path):
    """Without a terminal there are plain lines every few seconds, no control characters."""
    pipe = hold(many["reference-maps"], -20)
    command = ["bigearthnet", *options(many), "--target-dir", tmp_path / "target"]
    terminal = Terminal(200, *command, "--progress", "lines")
    terminal.until(lambda lines: len(lines) > 1)
    let_go(pipe)
    terminal.end()
    assert terminal.lines[0] == "found 6 s1, 6 s2, 1,200 reference-maps patches"
    assert re.search(
        r"s1 6/6 \(100%\), in .*; reference-maps 1,\d\d\d/1,200 \(9\d%\)", terminal.lines[1]
    )
    assert b"\x1b" not in terminal.raw


@pytest.mark.usefixtures("stalling_pipes")
def test_json_lines(many, tmp_path):
    """A line of JSON at the beginning, the end and every few seconds has all counts."""
    pipe = hold(many["reference-maps"], -20)
    command = ["bigearthnet", *options(many), "--target-dir", tmp_path / "target", "--quiet"]
    terminal = Terminal(2000, *command, "--progress", "json")
    terminal.until(lambda lines: len(lines) > 1)
    let_go(pipe)
    assert terminal.end()[0] == 1
    contents = [json.loads(line) for line in terminal.lines if line.startswith("{")]
    assert [content["stage"] for content in contents] == ["looking", "converting", "converting"]
    for content in contents:
        assert content["modalities"].keys() == set(NAMES)
        assert content["n_warnings"] == 0
    middle, end = (content["modalities"]["reference-maps"] for content in contents[1:])
    assert (middle["n_total"], middle["n_present"], end["n_present"]) == (1200, 0, 0)
    assert 1000 < middle["n_done"] < 1200
    assert (end["n_done"], end["seconds_left"]) == (1199, 0)
    assert end["n_bytes"] > 1199 * 120 * 120 * 2
    assert [content["n_failures"] for content in contents] == [0, 0, 1]
    assert any(line.startswith("left out: ") for line in terminal.lines)


def test_verification_on_terminals_and_in_logs(bigearthnet, tmp_path):
    """A verification has one bar, or lines, or JSON; nothing with --quiet or none."""
    store = tmp_path / "target"
    convert(BIGEARTHNET, bigearthnet, store)
    for width in WIDTHS:
        terminal = Terminal(width, "verify", store)
        code, stdout = terminal.end()
        assert (code, "18 records" in stdout) == (0, True)
        assert re.fullmatch(r"records ━+ 100% 18/18 .*\d s", *terminal.lines)
    for silent in (["--quiet"], ["--progress", "none"]):
        terminal = Terminal(80, "verify", store, *silent)
        assert (terminal.end()[0], terminal.raw) == (0, b"")
    done = run("verify", store, "--progress", "json", "--sources")
    first, last = map(json.loads, done.stderr.splitlines())
    assert (first["stage"], last["stage"]) == ("looking", "verifying")
    assert last["modalities"]["records"]["n_done"] == 18
