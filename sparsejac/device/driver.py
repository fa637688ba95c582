"""CuPy and the machine that it finds, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kernels.lazy import load
from sparsejac.errors import DeviceError
from sparsejac.location import user_location

_CURES = (
    (
        "cudaErrorInsufficientDriver",
        "the NVIDIA driver is missing, or older than CuPy's CUDA",
        "update the driver, or install CuPy for the CUDA version that `nvidia-smi` shows: cupy-cuda12x or cupy-cuda13x",
    ),
    ("cudaErrorNoDevice", "there is no CUDA device", "check that `nvidia-smi` lists one, and CUDA_VISIBLE_DEVICES"),
    (
        "cudaErrorSystemDriverMismatch",
        "driver and CUDA library do not belong together",
        "reboot after an update of the driver, or reinstall it",
    ),
    (
        "libnvrtc",
        "CuPy does not find NVRTC, the compiler of CUDA",
        'install what belongs to this CuPy: pip install "cupy-cuda12x[ctk]", or the CUDA toolkit',
    ),
    *(
        (
            library,
            "CuPy does not find the libraries (cuBLAS, cuSOLVER, ...) of the CUDA version that it was made for",
            'install them with CuPy for the CUDA version that `nvidia-smi` shows: pip install "cupy-cuda12x[ctk]" or '
            '"cupy-cuda13x[ctk]"',
        )
        for library in ("Failure finding", "libcudart", "libcublas", "libcusparse", "libcusolver", "libnvJitLink")
    ),
    (
        "libcuda.",
        "there is no NVIDIA driver",
        "install the driver; in a container, start it with access to the GPU (--gpus all)",
    ),
    (
        "CUDA_ERROR_NO_BINARY_FOR_GPU",
        "this CuPy is for other devices",
        "install CuPy for the CUDA version that `nvidia-smi` shows",
    ),
)
"""Part of the message of CUDA or CuPy -> what it means, what to do."""


def cupy() -> Any:
    """The module, imported when it is first needed.

    Raises
    ------
    DeviceError
        If it is not installed, or does not find its libraries.
    """
    try:
        return load("cupy")
    except ImportError as error:
        raise told(error, "CuPy cannot be imported", _INSTALL) from error


_INSTALL = 'pip install "cupy-cuda12x[ctk]" (or "cupy-cuda13x[ctk]"), in the environment that runs this'


def here() -> tuple[int, int]:
    """The CuPy in use and the current device: what is on one of them is not on another one."""
    module = cupy()
    return id(module), int(module.cuda.Device().id)


def linalg() -> Any:
    """CuPy's sparse linear algebra."""
    return _part("cupyx.scipy.sparse.linalg")


def sparse() -> Any:
    """CuPy's sparse matrices."""
    return _part("cupyx.scipy.sparse")


def _part(name: str) -> Any:
    """A module of CuPy, which may look for libraries of its own."""
    try:
        return load(name)
    except ImportError as error:
        raise told(error, f"{name} cannot be imported") from error


def count_devices() -> int:
    """Number of CUDA devices; 0 where there is no CuPy or no driver."""
    try:
        return int(load("cupy").cuda.runtime.getDeviceCount())
    except Exception:  # whatever a missing or broken installation raises
        return 0


def told(error: Exception, what: str, cure: str | None = None) -> DeviceError:
    """An error of CuPy or CUDA in a user's terms."""
    text = f"{type(error).__name__}: {error}"
    for sign, meaning, known_cure in _CURES:
        if sign in text:
            what, cure = meaning, known_cure
            break
    cure = cure or "check the installation with `python -c 'import cupy; cupy.show_config()'`"
    return DeviceError(f"sparsejac: {what} ({text})\n  {user_location()}\n  Cure: {cure}.")


@contextmanager
def managed(needed: int = 0, what: str = "the plan") -> Iterator[None]:
    """Errors of CUDA and CuPy in the block are told in a user's terms.

    Parameters
    ----------
    needed : int
        Bytes that the block allocates.
    what : str
        What they are for.
    """
    module = cupy()
    try:
        yield
    except module.cuda.memory.OutOfMemoryError as error:
        free, total = module.cuda.runtime.memGetInfo()
        pooled = f"; CuPy's pool may hold more, see cupy.get_default_memory_pool() ({error})"
        raise DeviceError(
            f"sparsejac: the device has no room for {what}, which needs {size(needed)}; {size(free)} of {size(total)} "
            f"are free{pooled}\n  {user_location()}\n  Cure: free arrays and call "
            "cupy.get_default_memory_pool().free_all_blocks(); or take a strategy that needs less (plan.explain() "
            "tells their bytes), or a device with more memory."
        ) from error
    except module.cuda.compiler.CompileException as error:
        raise DeviceError(
            f"sparsejac: NVRTC refused a text that sparsejac printed ({error})\n  {user_location()}\n  Cure: this is "
            "a bug of sparsejac, please report it with the text, plan.source(); until then pass cupy.asnumpy(x)."
        ) from error
    except (module.cuda.runtime.CUDARuntimeError, ImportError, OSError, RuntimeError) as error:
        if isinstance(error, DeviceError):
            raise
        raise told(error, "CUDA failed") from error


def size(count: int) -> str:
    """Bytes for readers.

    >>> size(3_500_000_000), size(12_000), size(800)
    ('3.5 GB', '12.0 kB', '800 bytes')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
