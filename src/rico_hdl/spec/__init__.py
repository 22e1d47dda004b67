"""What a dataset is: immutable values without any I/O."""

from rico_hdl.spec.arrays import Arrays, Axis
from rico_hdl.spec.bands import Band, BandFile
from rico_hdl.spec.columns import Columns, KeyColumn
from rico_hdl.spec.labels import KeyForm, Labels, LabelTable, MappedValue
from rico_hdl.spec.model import (
    ALL_BANDS,
    JOINT,
    DatasetSpec,
    Download,
    Modality,
    Preset,
)
from rico_hdl.spec.template import Template

__all__ = [
    "ALL_BANDS",
    "JOINT",
    "Arrays",
    "Axis",
    "Band",
    "BandFile",
    "Columns",
    "DatasetSpec",
    "Download",
    "KeyColumn",
    "KeyForm",
    "LabelTable",
    "Labels",
    "MappedValue",
    "Modality",
    "Preset",
    "Template",
]
