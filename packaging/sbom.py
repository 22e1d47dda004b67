"""Write a CycloneDX bill of materials of an installation of rico-hdl.

In: `requirements/runtime.txt`, a package index. Out: a JSON file with the release and licence of
each package that is installed with rico-hdl on this Python, without extras. It contains no address,
of a package index or of anything else, and the same bytes each time.

    .venv/bin/python packaging/sbom.py OUT.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import project

_REQUIREMENTS: Final = project.ROOT / "requirements" / "runtime.txt"


def main() -> None:
    """Write the file that the command line names."""
    try:
        write(Path(sys.argv[1]).absolute())
    except project.ProcessError as error:
        sys.exit(str(error))


def write(path: Path) -> None:
    """Install the dependencies of rico-hdl in a separate environment, and list them.

    Raises:
        project.ProcessError: A package can't be installed, or the list is not valid CycloneDX.
    """
    path.parent.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        python = Path(folder, "venv", "bin", "python")
        project.run(sys.executable, "-m", "venv", "--without-pip", Path(folder, "venv"))
        pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
        project.run(*pip, "--require-hashes", "--requirement", _REQUIREMENTS)
        lister = Path(sys.executable).with_name("cyclonedx-py")
        options = ("--pyproject", project.ROOT / "pyproject.toml", "--output-reproducible")
        found = json.loads(project.run(lister, "environment", *options, python))
    # Links to each package's website and chat are not part of the installation.
    bill = _without(found, "externalReferences")
    version = project.version()
    bill["metadata"]["component"] |= {"version": version, "purl": f"pkg:pypi/rico-hdl@{version}"}
    path.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _without(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    """A JSON value without the fields of one name, at any depth."""
    if isinstance(value, dict):
        return {key: _without(inner, name) for key, inner in value.items() if key != name}
    if isinstance(value, list):
        return [_without(inner, name) for inner in value]
    return value


if __name__ == "__main__":
    main()
