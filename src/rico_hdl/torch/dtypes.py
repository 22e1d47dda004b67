"""Converts numpy's dtypes to the torch dtypes with the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    """The dtype of a tensor that shares an array's memory."""
    return torch.from_numpy(np.empty(0, dtype)).dtype
