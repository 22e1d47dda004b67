"""Files that hold many patches each, as arrays of numpy, HDF5 or Zarr."""
