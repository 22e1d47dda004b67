"""What is known about a patch beyond its pixels: where it is, when it was taken, what values mean.

In: the tags in a store's side-car. Out: coordinate reference systems, affine transforms, bounds in
longitude and latitude, nodata, times, GDAL's metadata. Only this package imports pyproj, which the
extra ``rico-hdl[geo]`` installs.
"""

from rico_hdl.georef.index import GeorefIndex
from rico_hdl.georef.patch import FileGeoref, Georef
from rico_hdl.georef.table import Georefs

__all__ = ["FileGeoref", "Georef", "GeorefIndex", "Georefs"]
