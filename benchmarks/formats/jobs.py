"""Run jobs, each in a process that can be stopped, and keep their results in a working folder.

In: a working folder, readers. Out: results, or the reason for a failure. A job that crashes, hangs
or lacks its library affects no others, and finished jobs are not repeated.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

_BENCHMARKS: Final = Path(__file__).resolve().parents[1]
_ROOT: Final = _BENCHMARKS.parent
_QUIET: Final = {
    # Libraries must not look for newer versions or datasets online.
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "LITDATA_DISABLE_VERSION_CHECK": "1",
    "DISABLE_PANDERA_IMPORT_WARNING": "True",
    "TRANSFORMERS_VERBOSITY": "error",
}
_N_LINES: Final = 3
"""Lines of a failed job's messages to show."""


class JobError(Exception):
    """A job failed; the message gives the reason in one line."""


class Jobs:
    """Jobs in one working folder."""

    def __init__(self, work: Path, timeout_seconds: float) -> None:
        self._work = work
        self._timeout_seconds = timeout_seconds
        paths = [str(_BENCHMARKS), str(_ROOT), str(_ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        caches = {"HF_HOME": str(work / "cache"), "XDG_CACHE_HOME": str(work / "cache")}
        search = {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self._environment = os.environ | _QUIET | caches | search

    def corpus(self, n_patches: int) -> None:
        """Generate the corpus.

        Raises:
            JobError: It failed.
        """
        self._once(self._work / "corpus", ["corpus", str(self._work), str(n_patches)])

    def write(self, reader: str, store: str) -> int:
        """Write a reader's files, and return their size in bytes.

        Raises:
            JobError: It failed.
        """
        folder = self._work / "stores" / store
        written = self._once(folder, ["write", str(self._work), reader])
        return int(json.loads(written.splitlines()[-1])["n_bytes"])

    def measure(self, reader: str, number: int, options: list[str]) -> list[dict[str, Any]]:
        """Measure a reader in one round, and return its process's notes, cell by cell.

        If the process fails, the last note has the single key ``failed``.
        """
        output = self._work / "results" / f"{reader}.{number}.jsonl"
        output.parent.mkdir(exist_ok=True)
        if not (notes := _notes(output)) or "done" not in notes[-1]:
            output.unlink(missing_ok=True)
            try:
                self._run(["measure", str(self._work), reader, str(output), *options])
            except JobError as error:
                return [*_notes(output), {"failed": str(error)}]
            notes = _notes(output)
        return notes

    def _once(self, folder: Path, arguments: list[str]) -> str:
        """Run a job that fills a folder, unless it is done, and return its output."""
        done = folder.with_name(f"{folder.name}.done")
        if not done.exists():
            # An unfinished job's files are useless, and writers require an empty folder.
            rmtree(folder, ignore_errors=True)
            printed = self._run(arguments)
            done.write_text(printed, encoding="utf-8")
        return done.read_text(encoding="utf-8")

    def _run(self, arguments: list[str]) -> str:
        """Run a job, and return its output.

        Raises:
            JobError: It failed, or took too long.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", "formats.job", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=self._environment,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            printed, messages = process.communicate(timeout=self._timeout_seconds)
        except subprocess.TimeoutExpired:
            raise JobError(f"stopped after {self._timeout_seconds:.0f} s") from None
        finally:
            # Kill its workers too, because they would slow down the next job.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode:
            lines = [line for line in messages.splitlines() if line.strip()]
            raise JobError(" ".join(lines[-_N_LINES:])[-300:] or f"status {process.returncode}")
        return printed


def _notes(path: Path) -> list[dict[str, Any]]:
    """The lines that a job has written so far."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]
