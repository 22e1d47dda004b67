# ruff: noqa: INP001, T201 - a script that prints
"""Train a small network on EuroSAT for one epoch, and print how long it waited for data.

It prints the accuracy on patches it was not trained on. Without a store of the real dataset it
generates and converts a sample with the dataset's layout and TIFF encoding, in which the classes
differ by their mean reflectances. It needs torch but no accelerator: on two processors the sample
takes a few seconds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import torch
from torch import nn

import rico_hdl
from rico_hdl.datasets import get
from rico_hdl.torch import EuroSAT, Loader, loader

_ROOT: Final = Path(__file__).resolve().parents[1]
_N_TRAIN: Final = 800
_N_TEST: Final = 200
_BATCH_SIZE: Final = 32
_SEED: Final = 0


def main() -> None:
    """Train and test with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the sample and its store go")
    parser.add_argument("--store", type=Path, help="a store of the real dataset, to use instead")
    parser.add_argument("--train", type=Path, help="with --store: the split file for training")
    parser.add_argument("--test", type=Path, help="with --store: the split file for testing")
    given = parser.parse_args()
    store, train, test = given.store, given.train, given.test
    if store is None:
        store, train, test = _sample(given.folder)

    torch.manual_seed(_SEED)
    bands = rico_hdl.open(store).bands()
    with (
        loader(EuroSAT(store, train), _BATCH_SIZE, shuffle=True, seed=_SEED) as batches,
        loader(EuroSAT(store, test), _BATCH_SIZE) as others,
    ):
        model = _model(len(bands), len(EuroSAT.classes))
        started = perf_counter()
        _train(model, batches)
        seconds = perf_counter() - started
        accuracy = _test(model, others)
    print(f"trained on {len(batches.dataset)} patches of {len(bands)} bands in {seconds:.1f} s")
    print(f"waited for data: {batches.waited_s:.3f} s ({batches.waited_s / seconds:.1%})")
    print(f"accuracy on {len(others.dataset)} other patches: {accuracy:.1%}")


def _model(n_bands: int, n_classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(n_bands, 32, 5, stride=4),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, n_classes),
    )


def _reflectances(images: torch.Tensor) -> torch.Tensor:
    """uint16 images as float32 reflectances, centred near 0; 10,000 is a reflectance of 1."""
    return images.float().mul_(1e-4).sub_(0.15)


def _train(model: nn.Module, batches: Loader) -> None:
    """One epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for batch in batches:
        loss = nn.functional.cross_entropy(model(_reflectances(batch["image"])), batch["label"])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
        optimizer.step()


def _test(model: nn.Module, batches: Loader) -> float:
    """The share of patches that are classified correctly."""
    model.eval()
    n_right = 0
    with torch.inference_mode():
        for batch in batches:
            found = model(_reflectances(batch["image"])).argmax(1)
            n_right += int((found == batch["label"]).sum())
    return n_right / len(batches.dataset)


def _sample(folder: Path) -> tuple[Path, Path, Path]:
    """A generated sample.

    Returns:
        The store, and the split files for training and for testing.
    """
    sys.path.insert(0, str(_ROOT))  # the corpus is not part of the package
    from corpus import encoding_of, patches  # noqa: PLC0415
    from rico_hdl.testing.tiff import encoded  # noqa: PLC0415

    spec = get("eurosat-multi-spectral")
    (modality,) = spec.modalities
    encoding = encoding_of(spec, modality)
    random = np.random.default_rng(_SEED)
    means = random.uniform(500, 3500, (len(EuroSAT.classes), len(modality.bands), 1, 1))
    sample = patches(spec, modality, _N_TRAIN + _N_TEST)
    for patch in sample:
        mean = means[EuroSAT.classes.index(patch.fields["class"])]
        noise = random.normal(random.normal(0, 300), 500, (len(modality.bands), 64, 64))
        (name,) = patch.files
        path = folder / modality.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded((mean + noise).clip(0, 10_000).astype(np.uint16), encoding))
    target = folder / "Encoded-EuroSAT"
    rico_hdl.convert(spec, {modality.name: folder / modality.folder}, target)
    splits = {"train": sample[:_N_TRAIN], "test": sample[_N_TRAIN:]}
    for name, chosen in splits.items():
        rows = "".join(f"{patch.files[0].rpartition('/')[2]}\n" for patch in chosen)
        (folder / f"eurosat-{name}.txt").write_text(rows, encoding="utf-8")
    return target, folder / "eurosat-train.txt", folder / "eurosat-test.txt"


if __name__ == "__main__":
    main()
