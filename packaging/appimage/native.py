"""The compiled parts: the runtime at the head of the file, and the launcher inside it.

In: the C sources of this folder. Out: static executables, the runtime with the mark of AppImages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from steps import NotHereError, StepError, run

_HERE: Final = Path(__file__).resolve().parent
INTERPRETER: Final = "/usr/lib/python3.13/interpreter"
"""The path of Debian's interpreter for the launcher, relative to the AppDir."""

_MARK: Final = b"AI\x02"
_MARK_OFFSET: Final = 8
"""The offset of the mark of type 2, in bytes, in a part of the ELF header that no loader reads."""

_COMPILE: Final = (
    *("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-D_FORTIFY_SOURCE=2"),
    *("-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection"),
    *("-fPIE", "-static-pie", "-s", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"),
    f"-ffile-prefix-map={_HERE}=.",
)
_RUNTIME_LIBRARIES: Final = ("-lsquashfuse", "-lzstd", "-lz", "-llzma", "-llz4")
LINKED: Final = (
    *("libc6-dev", "libsquashfuse-dev"),
    *("liblz4-dev", "liblzma-dev", "libzstd-dev", "zlib1g-dev"),
)
"""Debian's packages that are linked into the executables, and whose licences are included."""


def build_runtime(target: Path) -> None:
    """Compile our own runtime.

    Raises:
        NotHereError: The compiler or a library is missing.
        StepError: It does not compile.
    """
    _probe()
    run(*_COMPILE, _HERE / "runtime.c", "-o", target, *_RUNTIME_LIBRARIES)
    mark(target)


def _probe() -> None:
    """Distinguish a machine without the libraries from an error in the sources."""
    header = Path("/usr/include/squashfuse/squashfuse.h")
    names = [f"lib{option.removeprefix('-l')}.a" for option in _RUNTIME_LIBRARIES]
    missing = [] if header.exists() else [str(header)]
    # gcc prints the path of a file that it finds, and only the name of one that it does not find.
    missing += [name for name in names if run("gcc", f"-print-file-name={name}").strip() == name]
    if missing:
        raise NotHereError(f"needs {', '.join(missing)}: install the packages in packages.txt")


def mark(runtime: Path) -> None:
    """Write the mark of an AppImage of type 2 into an executable.

    Raises:
        StepError: It is not a 64-bit ELF file.
    """
    content = bytearray(runtime.read_bytes())
    if content[:5] != b"\x7fELF\x02":
        raise StepError(f"{runtime} is not an executable for 64-bit Linux")
    content[_MARK_OFFSET : _MARK_OFFSET + len(_MARK)] = _MARK
    runtime.write_bytes(content)


def build_launcher(target: Path, module: str) -> None:
    """Compile the launcher, which runs a module of the bundled interpreter."""
    options = [f'-DINTERPRETER="{INTERPRETER}"', f'-DMODULE="{module}"']
    run(*_COMPILE, *options, _HERE / "launcher.c", "-o", target)
