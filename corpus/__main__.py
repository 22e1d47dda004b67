"""The command ``python -m corpus DATASET OUT``: a sample dataset in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from corpus import generate
from rico_hdl.datasets import registry


def main() -> None:
    """Read the command line and write the sample."""
    parser = argparse.ArgumentParser(prog="python -m corpus", description=__doc__)
    parser.add_argument("dataset", choices=sorted(registry()), metavar="DATASET")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--n-patches", type=int, default=8, help="of each modality (default: 8)")
    parser.add_argument(
        "--noise", action="store_true", help="pixels about as compressible as real ones"
    )
    arguments = parser.parse_args()
    spec = registry()[arguments.dataset]
    sources = generate(spec, arguments.out, arguments.n_patches, noise=arguments.noise)
    for name, folder in sources.items():
        print(f"{spec.modality(name).option} {folder}")  # noqa: T201 - the output of the command


if __name__ == "__main__":
    main()
