"""Decoding the bytes of JPEG and PNG files into their bands.

In: a whole file as bytes. Out: one `Raster` per band. PNG is decoded bit for bit. JPEG does not
define its pixels to the bit, but its decoders do: here libjpeg-turbo with its accurate integer
transform, as in Pillow and OpenCV. If a file is damaged in a way that can be noticed, decoding
raises an error and never guesses.
"""
