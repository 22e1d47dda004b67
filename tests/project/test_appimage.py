"""The AppImage's runtime, with a small program in place of rico-hdl.

`make appimage` builds the whole and runs it on other machines; here is what takes no more than a
compiler and a second.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "packaging" / "appimage"
# At the end: PyPI has a package `build`, too.
sys.path.append(str(FOLDER))

import native  # noqa: E402 - next to the script that uses it
import steps  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="AppImages run on Linux")

NOT_STARTED = 127

# What the AppImage runs in these tests: it does what its first argument says.
PROGRAM = r"""#!/bin/sh
set -eu
what=$1
shift
case $what in
  arguments) printf '[%s]\n' "$@" ;;
  world)
    printf '%s\n' "$APPIMAGE" "$APPDIR" "$ARGV0" "$OWD" "$(pwd)" ;;
  read) cat "$APPDIR/folder/numbers" ;;
  umask) umask ;;
  exit) exit "$1" ;;
  wait) trap 'echo caught; exit 130' INT; echo ready; while :; do sleep 0.01; done ;;
  die) kill -"$1" $$ ;;
  leave) (sleep 0.5; cat "$APPDIR/folder/numbers" >"$1" 2>&1) <&- >&- 2>&- & ;;
esac
"""
NUMBERS = "".join(f"{number}\n" for number in range(50_000))


@pytest.fixture(scope="module")
def appimage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small AppImage with our own runtime."""
    folder = tmp_path_factory.mktemp("appimage")
    try:
        steps.need("gcc", "mksquashfs")
        native.build_runtime(folder / "runtime")
    except steps.NotHereError as error:
        pytest.skip(str(error).splitlines()[-1])
    content = folder / "AppDir"
    (content / "folder").mkdir(parents=True)
    (content / "folder" / "numbers").write_text(NUMBERS)
    (content / "link").symlink_to("folder/numbers")
    (content / "AppRun").write_text(PROGRAM)
    (content / "AppRun").chmod(0o755)
    steps.run("mksquashfs", content, folder / "squashfs", "-comp", "zstd", "-quiet", "-all-root")
    file = folder / "small.AppImage"
    file.write_bytes((folder / "runtime").read_bytes() + (folder / "squashfs").read_bytes())
    file.chmod(0o755)
    return file


def run_mounted(script: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a shell script that mounts folders noexec, which only root can."""
    private = ["unshare", "--mount", "sh", "-c"]
    is_root = not os.geteuid() and shutil.which("unshare")
    if not is_root or subprocess.run([*private, "true"], check=False).returncode:
        pytest.skip("only root can mount folders noexec")
    command = [*private, script]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    """The environment of an AppImage that is extracted to a folder of the test."""
    (tmp_path / "tmp").mkdir()
    return {**os.environ, "TMPDIR": str(tmp_path / "tmp")}


def run(
    file: Path, *arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run an AppImage to its end."""
    command = [str(file), *map(str, arguments)]
    return subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


def assert_cleaned(world: dict[str, str]) -> None:
    """No files are left a moment after the program has ended."""
    folder = Path(world["TMPDIR"])
    for _ in range(1000):
        if not any(folder.iterdir()):
            return
        time.sleep(0.01)
    raise AssertionError(f"left behind: {list(folder.iterdir())}")


def test_the_file_is_an_appimage_of_type_2(appimage):
    """The head has the mark of type 2, and --appimage-offset prints the squashfs's offset."""
    content = appimage.read_bytes()
    offset = int(run(appimage, "--appimage-offset").stdout)
    assert content[:4] == b"\x7fELF"
    assert content[8:11] == b"AI\x02"
    assert content[offset : offset + 4] == b"hsqs"


@pytest.mark.parametrize("code", [0, 1, 2, 77, 130, 255])
def test_the_exit_code_is_the_programs(appimage, world, code):
    """Every exit code is passed on unchanged, with no output and no files left."""
    result = run(appimage, "exit", code, env=world)
    assert (result.returncode, result.stdout, result.stderr) == (code, "", "")
    assert_cleaned(world)


@pytest.mark.parametrize("own", [[], ["--appimage-extract-and-run"]])
def test_arguments_come_through(appimage, world, own):
    """All arguments reach the program, even empty ones, but for a first one of the runtime."""
    words = ["two words", "", "--appimage-help", "-x", "ü"]
    result = run(appimage, *own, "arguments", *words, env=world)
    assert result.stdout.splitlines() == [f"[{word}]" for word in words]


def test_the_program_learns_where_it_is(appimage, world, tmp_path):
    """The current folder is the caller's, and the variables are those of the published runtime."""
    link = tmp_path / "link"
    link.symlink_to(appimage)
    result = run(link, "world", env=world, cwd=tmp_path)
    file, appdir, name, old, current = result.stdout.splitlines()
    assert Path(file) == appimage
    assert Path(appdir).is_relative_to(Path(world["TMPDIR"]).resolve())
    assert name == str(link)
    assert old == current == str(tmp_path.resolve())
    assert_cleaned(world)


def test_the_umask_is_the_callers_and_does_no_harm(appimage, world):
    """Files are readable even with a umask that forbids it, and the program keeps the umask."""
    command = [appimage, "umask"]
    result = subprocess.run(
        command, env=world, umask=0o777, capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("0777\n", "")
    assert_cleaned(world)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_killed_program_is_distinguished_from_a_failed_one(appimage, world, name):
    """The caller sees the signal that ended the program, and all files are removed."""
    number = signal.Signals[name]
    assert run(appimage, "die", number.value, env=world).returncode == -number
    assert_cleaned(world)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_reaches_the_program_once(appimage, world):
    """A terminal's signal interrupts the program, which decides how it ends."""
    process = subprocess.Popen(
        [appimage, "wait"], env=world, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "caught\n")
    assert_cleaned(world)


def test_the_caller_waits_for_no_process_in_the_background(appimage, world, tmp_path):
    """A process that outlives the program does not delay the caller, and still finds its files."""
    begin = time.monotonic()
    assert run(appimage, "leave", tmp_path / "read", env=world).returncode == 0
    assert time.monotonic() - begin < 0.45
    assert_cleaned(world)
    assert (tmp_path / "read").read_text() == NUMBERS


def test_many_start_at_once(appimage, world):
    """Programs that start at the same time do not disturb each other."""
    with ThreadPoolExecutor(8) as executor:
        results = list(executor.map(lambda _: run(appimage, "read", env=world), range(16)))
    assert all(result.stdout == NUMBERS for result in results)
    assert_cleaned(world)


def test_a_folder_that_allows_no_programs_is_not_used(appimage, tmp_path):
    """If TMPDIR is mounted noexec, the files are extracted to another folder."""
    script = f'mount -t tmpfs -o noexec none "$TMPDIR" && exec {appimage} world'
    result = run_mounted(script, {**os.environ, "TMPDIR": str(tmp_path)})
    assert not result.stdout.splitlines()[1].startswith(str(tmp_path))


def test_no_writable_folder_is_an_error_that_lists_them(appimage):
    """If no folder is writable, the message names each folder and what to do."""
    folders = ("/tmp", "/var/tmp", "/dev/shm")
    script = "".join(f"mount -t tmpfs -o noexec none {f}\n" for f in folders if Path(f).is_dir())
    keep = f"exec 9<{appimage}\n"  # its folder may be hidden
    script = f"{keep}{script}exec /proc/self/fd/9 exit 0"
    result = run_mounted(script, {"PATH": os.environ["PATH"]})
    assert result.returncode == NOT_STARTED
    for words in ("/tmp: mounted noexec", "/dev/shm: mounted noexec", "Let TMPDIR name"):
        assert words in result.stderr


def test_a_file_that_was_cut_off_is_an_error(appimage, tmp_path):
    """A truncated download is reported as such."""
    offset = int(run(appimage, "--appimage-offset").stdout)
    for n_bytes in (offset, offset + 1000):
        cut = tmp_path / "cut.AppImage"
        cut.write_bytes(appimage.read_bytes()[:n_bytes])
        cut.chmod(0o755)
        result = run(cut, "exit", 0)
        assert result.returncode == NOT_STARTED
        assert "not complete" in result.stderr
        cut.unlink()


def test_options_of_the_runtime(appimage):
    """Help is printed, and an unknown option is an error that names the help."""
    assert "--appimage-extract-and-run" in run(appimage, "--appimage-help").stdout
    unknown = run(appimage, "--appimage-portable-home")
    assert unknown.returncode == 1
    assert "--appimage-help" in unknown.stderr


def test_files_are_extracted_as_they_were(appimage, tmp_path):
    """Content, permissions and links are those that were packed, in a folder that was not there."""
    assert run(appimage, "--appimage-extract", cwd=tmp_path).returncode == 0
    folder = tmp_path / "squashfs-root"
    assert (folder / "folder" / "numbers").read_text() == NUMBERS
    assert (folder / "link").readlink() == Path("folder/numbers")
    assert (folder / "AppRun").read_text() == PROGRAM
    assert (folder / "AppRun").stat().st_mode & 0o777 == 0o755
    again = run(appimage, "--appimage-extract", cwd=tmp_path)
    assert (again.returncode, "File exists" in again.stderr) == (1, True)


def test_another_runtime_must_be_an_executable(tmp_path):
    """A runtime is checked before it is put at the head of the file."""
    file = tmp_path / "runtime"
    file.write_bytes(b"#!/bin/sh\n" * 100)
    with pytest.raises(steps.StepError, match="executable"):
        native.mark(file)


def test_a_missing_tool_is_distinguished_from_a_failure(tmp_path):
    """A missing tool is exit code 77, with its name in the last line."""
    result = subprocess.run(
        [sys.executable, FOLDER / "build.py", "--output", tmp_path / "file"],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == steps.NOT_HERE_CODE
    assert re.search(r"needs .*mksquashfs.*\n\Z", result.stderr)
    assert not (tmp_path / "file").exists()


def test_every_codec_in_use_is_bundled():
    """The AppImage contains the codecs of imagecodecs that rico-hdl calls."""
    import appdir

    sources = "".join(file.read_text() for file in (ROOT / "src").rglob("*.py"))
    used = re.findall(r"from imagecodecs import (.+)_decode|imagecodecs\.(\w+)_decode\(", sources)
    assert {first or second for first, second in used} == appdir.CODECS


def test_every_dependency_is_pinned_with_hashes(tmp_path, monkeypatch):
    """The bundled libraries are the project's dependencies, in the versions of the lock files."""
    import appdir

    lines = list(appdir.pins(appdir.closure("rico-hdl")))
    names = [line.partition("==")[0] for line in lines]
    assert {"numpy", "mdurl"} <= set(names)
    assert not {"pytest", "torch", "rasterio", "pyarrow"} & set(names)
    assert all("--hash=sha256:" in line for line in lines)

    with pytest.raises(steps.StepError, match="no-such-package"):
        appdir.pins({"numpy", "no-such-package"})
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("a==1 ; python_version < '3.12' \\\n  --hash=x\na==2 \\\n  --hash=y\n")
    second.write_text("A_b==3 \\\n  --hash=z\na==9 \\\n  --hash=w\n")
    monkeypatch.setattr(appdir, "LOCKS", (first, tmp_path / "none.txt", second))
    assert "".join(appdir.pins({"a", "a-b"})) == first.read_text() + "A_b==3 \\\n  --hash=z\n"
