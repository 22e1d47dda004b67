"""The compiled parts: the runtime at the head of the file, and the launcher inside.

In: C sources of this folder. Out: static executables, the runtime with the mark of AppImages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from steps import NotHereError, StepError, run

_HERE: Final = Path(__file__).resolve().parent
INTERPRETER: Final = "/usr/lib/python3.13/interpreter"
"""Where the launcher finds Debian's interpreter, below the AppDir."""

_MARK: Final = b"AI\x02"
_MARK_OFFSET: Final = 8
"""In bytes: where type 2 of the format has it, in a part of ELF's head that no loader reads."""

_COMPILE: Final = (
    *("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-D_FORTIFY_SOURCE=2"),
    *("-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection"),
    *("-fPIE", "-static-pie", "-s", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"),
    f"-ffile-prefix-map={_HERE}=.",
)
_RUNTIME_LIBRARIES: Final = (
    *("-lsquashfuse_ll", "-lsquashfuse", "-lfuse3"),
    *("-lzstd", "-lz", "-llzma", "-llz4", "-llzo2", "-lpthread"),
)


def build_runtime(target: Path, version: str) -> None:
    """Compile the runtime.

    Raises:
        NotHereError: There is no compiler, or a library is missing.
        StepError: It does not compile.
    """
    _probe()
    sources = sorted(_HERE.glob("runtime/*.c"))
    options = ["-I/usr/include/fuse3", f'-DRUNTIME_VERSION="rico-hdl {version}"']
    run(*_COMPILE, *options, *sources, "-o", target, *_RUNTIME_LIBRARIES)
    mark(target)


def _probe() -> None:
    """Tell a machine that lacks libraries from sources that are wrong."""
    includes = "#include <squashfuse/ll.h>\nint main(void) { return 0; }\n"
    script = (
        f"printf '{includes.encode('unicode_escape').decode()}' | gcc -x c -I/usr/include/fuse3 "
        f"-D_FILE_OFFSET_BITS=64 -static -o /dev/null - {' '.join(_RUNTIME_LIBRARIES)}"
    )
    try:
        run("sh", "-c", script)
    except StepError as error:
        raise NotHereError(f"{error}\nneeds the compiler and libraries of packages.txt") from None


def mark(runtime: Path) -> None:
    """Write the mark of an AppImage of type 2 into an executable.

    Raises:
        StepError: It is no 64-bit ELF file.
    """
    content = bytearray(runtime.read_bytes())
    if content[:5] != b"\x7fELF\x02":
        raise StepError(f"{runtime} is no executable for a 64-bit Linux")
    content[_MARK_OFFSET : _MARK_OFFSET + len(_MARK)] = _MARK
    runtime.write_bytes(content)


def build_launcher(target: Path, module: str) -> None:
    """Compile the launcher, which runs a module of the bundled interpreter."""
    options = [f'-DINTERPRETER="{INTERPRETER}"', f'-DMODULE="{module}"']
    run(*_COMPILE, *options, _HERE / "launcher.c", "-o", target)
