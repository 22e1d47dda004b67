"""Patches for PyTorch: datasets with labels and splits, and a loader that reads ahead.

In: a store. Out: samples and batches: dictionaries of tensors with TorchGeo's keys ``image``,
``label`` and ``mask``, and with ``key``. It needs torch, which the extra ``torch`` installs.

    >>> from rico_hdl.torch import EuroSAT, loader
    >>> train = EuroSAT("Encoded-EuroSAT", "eurosat-train.txt")  # doctest: +SKIP
    >>> for batch in loader(train, 64, shuffle=True):  # doctest: +SKIP
    ...     print(batch["image"].shape, batch["label"])
"""

try:
    from rico_hdl.torch.bigearthnet import BigEarthNet
    from rico_hdl.torch.classification import EuroSAT, HySpecNet, UCMerced
    from rico_hdl.torch.fields import Entry
    from rico_hdl.torch.loading import Loader, loader
    from rico_hdl.torch.membership import MissingPatchesWarning
    from rico_hdl.torch.normalising import Normalize
    from rico_hdl.torch.patches import PatchDataset
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "rico_hdl.torch needs PyTorch, which is not installed. Without a GPU, first install its "
        "build for CPUs as described at https://pytorch.org/get-started/locally/. Then install the "
        "extra: pip install 'rico-hdl[torch]'",
        name="torch",
    ) from None

__all__ = [
    "BigEarthNet",
    "Entry",
    "EuroSAT",
    "HySpecNet",
    "Loader",
    "MissingPatchesWarning",
    "Normalize",
    "PatchDataset",
    "UCMerced",
    "loader",
]
