"""Generate a corpus and pack it into an archive to convert.

In: a dataset, a form of archive, a number of patches, a folder. Out: the archive in that folder,
and on standard output the option and the path to pass. The packed files are deleted.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import corpus
from corpus.archives import COMPRESSIONS, publish, tar_of, zip_of
from rico_hdl.datasets import registry


def main() -> None:
    """Read the command line and write the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("modality")
    parser.add_argument("form", help="published, zip, or a tar's suffix such as tar.gz")
    parser.add_argument("n_patches", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    spec = registry()[arguments.dataset]
    source = arguments.folder / "source"
    folders = corpus.generate(
        spec, source, arguments.n_patches, modalities=[arguments.modality], noise=True
    )
    folder = folders[arguments.modality]
    archive = arguments.folder / f"{folder.name}.{arguments.form}"
    if arguments.form == "published":
        archive = publish(spec, folders, arguments.folder)[arguments.modality]
    elif arguments.form == "zip":
        archive.write_bytes(zip_of(folder, folder.name))
    else:
        archive.write_bytes(COMPRESSIONS[arguments.form](tar_of(folder, folder.name)))
    shutil.rmtree(source)
    print(spec.modality(arguments.modality).option, archive)


if __name__ == "__main__":
    main()
