"""What a dataset is: immutable values without any I/O."""

from rico_hdl.spec.model import Band, DatasetSpec, Download, Modality
from rico_hdl.spec.template import Template

__all__ = ["Band", "DatasetSpec", "Download", "Modality", "Template"]
