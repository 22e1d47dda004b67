"""The command line as a process: options, output, messages, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import corpus
from rico_hdl import __version__
from rico_hdl.cli.datasets import TOPICS, datasets_command
from rico_hdl.datasets import registry
from rico_hdl.errors import UsageError
from rico_hdl.spec import DatasetSpec
from rico_hdl.spec.portable import as_rows
from tests.support.reading import records
from tests.support.running import held_at, run, started

BIGEARTHNET = registry()["bigearthnet"]


def source_options(spec: DatasetSpec, sources: dict[str, Path]) -> list[object]:
    """The options for these sources."""
    return [part for m in spec.modalities for part in (m.option, sources[m.name])]


@pytest.mark.parametrize("name", [s.name for s in registry().values() if len(s.modalities) == 1])
def test_second_source_is_the_target(tmp_path, name):
    """`--dataset-dir SOURCE --dataset-dir TARGET`, as documented by the original, works."""
    spec = registry()[name]
    (source,) = corpus.generate(spec, tmp_path / "source", 1).values()
    target = tmp_path / "target"
    result = run(name, "--dataset-dir", source, "--dataset-dir", target)
    assert result.returncode == 0, result.stderr
    assert len(records(target)) == 1
    notices = [line for line in result.stderr.splitlines() if line.startswith("note:")]
    assert len(notices) == 1
    assert "--target-dir" in notices[0]


def test_documented_reference_maps_option_works(bigearthnet, tmp_path):
    """`--bigearthnet-reference-maps`, as documented by the original, works with a note."""
    options = ["--bigearthnet-reference-maps", bigearthnet["reference-maps"]]
    result = run("bigearthnet", *options, "--target-dir", tmp_path / "target")
    assert result.returncode == 0, result.stderr
    assert len(records(tmp_path / "target")) == 6
    assert "--bigearthnet-reference-maps-dir" in result.stderr


def test_quiet_prints_nothing(bigearthnet, tmp_path):
    """With --quiet, a successful conversion prints nothing."""
    options = source_options(BIGEARTHNET, bigearthnet)
    result = run("bigearthnet", *options, "--target-dir", tmp_path / "target", "--quiet")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_json_and_report_carry_the_summary(bigearthnet, tmp_path):
    """--json and --report contain counts, failures and the digest; stdout is only JSON."""
    next(bigearthnet["s1"].glob("*/*/*_VV.tif")).write_bytes(b"")
    target = tmp_path / "deep" / "er" / "target"
    options = [*source_options(BIGEARTHNET, bigearthnet), "--target-dir", target]
    result = run("bigearthnet", *options, "--json", "--report", tmp_path / "report.json")
    assert result.returncode == 1
    printed = json.loads(result.stdout)
    written = json.loads((tmp_path / "report.json").read_text())
    assert printed.items() <= written.items()
    assert printed["n_written"] == {"s1": 5, "s2": 6, "reference-maps": 6}
    (failure,) = printed["failures"]
    assert failure["band"] == "VV"
    assert failure["path"].endswith("_VV.tif")
    assert written["sources"]["s1"] == [str(bigearthnet["s1"])]
    assert failure["key"] in result.stderr


def test_dry_run_reports_and_writes_nothing(bigearthnet, tmp_path):
    """--dry-run shows patches, first keys, size and problems, and writes nothing."""
    bad = next(bigearthnet["s2"].glob("*/*/*_B02.tif"))
    bad.unlink()
    before = sorted(tmp_path.rglob("*"))
    target = tmp_path / "target"
    command = ["bigearthnet", *source_options(BIGEARTHNET, bigearthnet), "--target-dir", target]
    text = run(*command, "--dry-run")
    assert text.returncode == 1
    assert str(bigearthnet["s1"]) in text.stdout
    first = min(p.key for p in corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s1"), 6))
    assert first in text.stdout
    assert "missing band B02" in text.stdout

    result = run(*command, "--dry-run", "--json")
    assert sorted(tmp_path.rglob("*")) == before
    content = json.loads(result.stdout)
    assert content["modalities"]["s2"]["n_patches"] == 5
    assert content["modalities"]["s2"]["source"] == str(bigearthnet["s2"])
    run(*command)
    size = (target / "data.mdb").stat().st_size
    assert abs(content["n_bytes_expected"] - size) < 0.05 * size


def test_top_level_options():
    """--version and --help print to stdout; the help names every dataset."""
    assert __version__ in run("--version").stdout
    text = run("--help").stdout
    listed = text.partition("Datasets, ")[2].partition("\n\n")[0]
    assert re.findall(r"[\w.-]+(?=,|$)", listed.partition(":\n")[2]) == [*registry()]


@pytest.mark.parametrize("line", ["['--help']", "['--version']", "['verify', '--help']"])
def test_help_imports_no_spec_but_the_examples(line):
    """Help that names no dataset's folders imports at most the one spec of its example."""
    code = (
        f"import sys; from rico_hdl.cli import run; from rico_hdl.cli.commands import root; "
        f"run(root, {line}); "
        "print(sorted(m for m in sys.modules if 'hdl.datasets.' in m and '._' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first = next(iter(registry())).replace("-", "_")
    assert done.stdout.endswith(f"['rico_hdl.datasets.{first}']\n")


def test_help_of_every_dataset_says_where_files_are_looked_for(spec):
    """The help of a dataset has its options, its layout and an example."""
    result = run(spec.name, "--help")
    assert result.returncode == 0
    for modality in spec.modalities:
        assert modality.option in result.stdout
        assert str(modality.files) in result.stdout
    assert f"rico-hdl {spec.name} {spec.modalities[0].option}" in result.stdout


def test_datasets_lists_all():
    """`rico-hdl datasets` has a line of at most 80 columns for each dataset, below its topic."""
    text = run("datasets").stdout
    *parts, end = text.removesuffix("\n").split("\n\n")
    assert [part.partition("\n")[0] for part in parts] == list(TOPICS)
    assert end.startswith(f"{len(registry())} datasets.")
    assert max(map(len, text.splitlines())) <= 80
    found = {
        part.partition("\n")[0]: re.findall(r"^  (\S+)  +\S", part, re.MULTILINE) for part in parts
    }
    assert found == {
        topic: [spec.name for spec in registry().values() if spec.topic == topic]
        for topic in TOPICS
    }


def test_datasets_as_json():
    """`rico-hdl datasets --json` prints the specs of all datasets, or of those that are found."""
    rows = {row["name"]: row for row in json.loads(run("datasets", "--json").stdout)}
    assert rows == {name: as_rows(spec) for name, spec in registry().items()}
    found = json.loads(run("datasets", "sar", "flood", "--json").stdout)
    assert {row["name"] for row in found} >= {"kuro-siwo", "sen1floods11"}
    assert len(found) < 10
    (one,) = json.loads(run("datasets", "hydro", "--json").stdout)
    assert one == rows["hydro"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sar", ["eurosat-sar", "sen1floods11", "bigearthnet"]),  # keywords
        ("WATER flood", ["sen1floods11"]),  # any case; all words
        ("uc_merced", []),
        ("merced", ["uc-merced"]),
        ("trees", ["biomassters", "treesatai"]),
        ("s5p-co", ["copernicus-pretrain"]),  # a modality
        ("hyperspectral", ["hyspecnet-11k", "spectral-earth-enmap"]),
        ("mages", []),  # only inside of words
    ],
)
def test_datasets_finds_words(words, expected, capsys):
    """With words, only datasets with all of them in their names, texts or keywords are listed."""
    if not expected:
        with pytest.raises(UsageError):
            datasets_command.main(words.split(), standalone_mode=False)
        return
    datasets_command.main(words.split(), standalone_mode=False)
    found = re.findall(r"^  (\S+)", capsys.readouterr().out, re.MULTILINE)
    assert set(expected) <= set(found)
    assert len(found) < len(registry()) * 2 / 3


def test_datasets_describes_one(spec, capsys):
    """`rico-hdl datasets NAME` shows the layout, key, bands, licence and citation of a dataset."""
    datasets_command.main([spec.name], standalone_mode=False)
    text = capsys.readouterr().out
    assert text.startswith(f"{spec.name}: {spec.title}\n")
    for modality in spec.modalities:
        assert f"    key    {modality.key}\n" in text
        assert modality.files.description in text
    assert f"  licence: {spec.licence}\n" in text or not spec.licence
    assert f"  cite: {spec.citation}\n" in text
    assert text.count("\n  cite: ") == 1


def test_datasets_shows_paths_as_published():
    """A page shows files below their folder, patches in their store, and published archives."""
    zarr = run("datasets", "ssl4eo-s12-v1.1").stdout
    assert "    published as  S1GRD/ssl4eos12_*_seasonal_data_*.zarr.zip\n" in zarr
    assert "    such as  0080717/0/vv.npy, in a store\n" in zarr
    assert "    such as  hydro/patch_0.tif\n" in run("datasets", "hydro").stdout


def test_datasets_describes_a_file(tmp_path):
    """`rico-hdl datasets my.toml` shows a dataset of one's own."""
    path = tmp_path / "my.toml"
    path.write_text(
        'name = "my"\nlicence = "CC0-1.0"\nkeywords = ["lakes"]\n[[modality]]\nname = "rgb"\n'
        'files = "{id}.tif"\nkey = "{id}"\nbands = ["Red"]\n'
    )
    text = run("datasets", path).stdout
    assert text.startswith("my: my\n")
    assert text.endswith("  keywords: lakes\n  licence: CC0-1.0\n")


def test_an_unknown_dataset_is_guessed():
    """A name that is nearly right is corrected, and words that occur nowhere are an error."""
    unknown = run("datasets", "hydra")
    assert (unknown.returncode, "Did you mean hydro?" in unknown.stderr) == (2, True)
    nothing = run("datasets", "sar", "hydra")
    assert (nothing.returncode, "'sar', 'hydra'" in nothing.stderr) == (2, True)
    command = run("hydra")
    assert (command.returncode, "Did you mean hydro?" in command.stderr) == (2, True)


def test_usage_errors_suggest_a_correction(bigearthnet, tmp_path):
    """Wrong or missing options exit with 2, name the option, and write nothing."""
    s1, target = bigearthnet["s1"], tmp_path / "target"
    option = "--bigearthnet-s1-dir"
    command = ["bigearthnet", option, s1, "--target-dir", target]
    cases = [
        (["bigearth"], "No such command 'bigearth'. Did you mean bigearthnet?"),
        (["bigearthnet", "--target-dir", target], f"Give {option} or"),
        (["bigearthnet", option, s1], "Missing option '--target-dir'"),
        ([*command, option, s1], "expected one folder, or"),
        ([*command, "--num-workers", 0], "x>=1"),
        ([*command, "--on-error", "cry"], "skip"),
        (["bigearthnet", option, s1, "--target-dir", s1], "as a source and as the target"),
        (["bigearthnet", option, "", "--target-dir", target], f"{option} is empty"),
        (["bigearthnet", option, s1, "--target-dir", ""], "--target-dir is empty"),
        ([*command, "--nope"], "--nope"),
        ([*command, "--report", "/no/where.json"], "--report: can't write"),
        (["hydro", "--dataset-dir", s1], "Missing option '--target-dir'"),
    ]
    for arguments, expected in cases:
        result = run(*arguments)
        assert (result.returncode, expected in result.stderr) == (2, True), result.stderr
        assert result.stdout == ""
    assert not target.exists()


def test_target_errors_exit_with_4(bigearthnet, tmp_path):
    """A target that is a file, is below one, or is no LMDB is an error with its path."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.mdb").write_bytes(b"not LMDB" * 1024)
    for target in ("file", "file/below", "other"):
        path = tmp_path / target
        result = run("bigearthnet", "--bigearthnet-s1-dir", bigearthnet["s1"], "--target-dir", path)
        assert result.returncode == 4, result.stderr
        assert str(path) in result.stderr
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "other" / "data.mdb").read_bytes() == b"not LMDB" * 1024


def test_full_disk_is_an_error_and_the_same_command_continues(tmp_path):
    """If nothing more can be written (here: a file-size limit), exit with 4; later, continue."""
    sources = corpus.generate(BIGEARTHNET, tmp_path, 400, modalities=["s2"], noise=True)
    target = tmp_path / "target"
    command = [sys.executable, "-m", "rico_hdl", "bigearthnet", "--bigearthnet-s2-dir"]
    command += [str(sources["s2"]), "--target-dir", str(target)]
    limited = 'ulimit -f 49152; trap "" XFSZ; exec "$@"'  # 48 MiB in units of 1 KiB
    result = subprocess.run(
        ["bash", "-c", limited, "-", *command], capture_output=True, text=True, check=False
    )
    assert result.returncode == 4, result.stderr
    assert "Traceback" not in result.stderr
    assert str(target) in result.stderr
    assert "same command again" in result.stderr
    n_stored = len(records(target))
    assert 0 < n_stored < 400

    again = run(*command[3:], "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["n_present"] == {"s2": n_stored}
    whole = run(*command[3:-1], tmp_path / "whole", "--json")
    digests = [json.loads(result.stdout)["content_digest"] for result in (again, whole)]
    assert digests[0] == digests[1]
    assert records(target) == records(tmp_path / "whole")


@pytest.mark.usefixtures("interruptible", "stalling_pipes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_with_130_and_the_same_command_continues(bigearthnet, tmp_path, number):
    """Ctrl-C, SIGTERM and a closed terminal keep stored patches and say how to continue."""
    patches = sorted(p.key for p in corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s1"), 6))
    (blocking,) = bigearthnet["s1"].glob(f"*/{patches[4]}/*_VV.tif")
    good = blocking.read_bytes()
    blocking.unlink()
    os.mkfifo(blocking)
    target = tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s1-dir", bigearthnet["s1"], "--target-dir", target]
    process = started("-m", "rico_hdl", *command)
    # Once the pipe has a reader, the conversion is in the middle of that patch.
    with held_at(blocking, process):
        process.send_signal(number)
        # The main thread notes the signal; it waits for the worker, which waits for this test.
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert stdout == ""
    assert f"stopped by {signal.Signals(number).name}" in stderr
    assert "same command again" in stderr

    blocking.unlink()
    blocking.write_bytes(good)
    again = run(*command)
    assert again.returncode == 0, again.stderr
    assert records(target).keys() == set(patches)


def test_closed_stdout_is_no_traceback():
    """`rico-hdl datasets | head -1` ends without a traceback."""
    command = ["bash", "-c", '"$0" -m rico_hdl datasets --json | head -1', sys.executable]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "["
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


@pytest.mark.parametrize("command", [[], ["convert"]])
def test_a_command_without_arguments_shows_its_help(command):
    """A command that needs arguments and gets none prints its help, not an error."""
    done = run(*command)
    assert done.returncode == 2
    assert (done.stdout + done.stderr).startswith("Usage: rico-hdl")


def test_the_page_of_an_own_dataset_has_no_gaps(tmp_path):
    """The page of a dataset without a folder, a summary and a URL leaves these out."""
    path = tmp_path / "chips.toml"
    path.write_text(
        'name = "chips"\n[[modality]]\nname = "s2"\nfiles = "{id}.tif"\nkey = "{id}"\nbands = ["a"]'
    )
    lines = run("datasets", path).stdout.splitlines()
    assert "" not in [line.strip() for line in lines]
    assert "    such as  id.tif" in lines
