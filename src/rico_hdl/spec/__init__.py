"""What a dataset is: immutable values without any I/O."""

from rico_hdl.spec.model import ALL_BANDS, JOINT, Band, DatasetSpec, Download, Modality, Preset
from rico_hdl.spec.template import Template

__all__ = [
    "ALL_BANDS",
    "JOINT",
    "Band",
    "DatasetSpec",
    "Download",
    "Modality",
    "Preset",
    "Template",
]
