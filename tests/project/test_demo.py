"""`make demo`, as the Makefile runs it."""

import subprocess
from pathlib import Path

from tests.support.running import python

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demonstration in a folder."""
    return python("-W", "error", DEMO, folder, cwd=folder.parent)


def test_demo_ends_well_and_can_be_repeated(tmp_path):
    """The demonstration converts, verifies and reads its sample, and can be run again."""
    for _ in range(2):
        done = demo(tmp_path / "demo")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "$ rico-hdl bigearthnet --bigearthnet-s1-dir BigEarthNet-S1" in done.stdout
        assert "s2              8 written" in done.stdout
        assert "  24 patches, " in done.stdout
        assert ": 24 records, " in done.stdout
        assert ": 24 patches compared, " in done.stdout
        assert "24 patches, 120 bands, " in done.stdout
        assert "(3, 120, 120) uint16\n" in done.stdout
        assert str(tmp_path / "demo" / "Encoded-BigEarthNet") in done.stdout


def test_demo_notices_a_wrong_pixel(tmp_path):
    """A store that differs from the GeoTIFFs in one pixel fails the comparison."""
    assert demo(tmp_path / "demo").returncode == 0
    tiff = next((tmp_path / "demo" / "BigEarthNet-S2").rglob("*_B02.tif"))
    data = bytearray(tiff.read_bytes())
    data[-1] ^= 1
    tiff.write_bytes(data)
    code = (
        f"import sys; sys.path.insert(0, {str(DEMO.parent)!r}); import pathlib, demo;"
        f"demo._compare(pathlib.Path({str(tmp_path / 'demo')!r}))"
    )
    done = python("-c", code)
    assert done.returncode == 1
    assert "band B02: the store differs" in done.stderr


def test_demo_spares_a_folder_with_other_files(tmp_path):
    """The demonstration refuses a folder with other files, and deletes none of them."""
    precious = tmp_path / "demo" / "precious.txt"
    precious.parent.mkdir()
    precious.touch()
    done = demo(tmp_path / "demo")
    assert done.returncode == 1
    assert "holds other files, such as precious.txt" in done.stderr
    assert precious.exists()
