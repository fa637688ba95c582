"""Public callables of NumPy, math and cmath that take no values that could depend on x, or need no own rule."""

from __future__ import annotations

_NUMPY_TYPES = """
bool bool_ byte bytes_ cdouble character clongdouble complex128 complex192 complex256 complex64 complexfloating csingle
datetime64 double flexible float128 float16 float32 float64 float96 floating generic half inexact int16 int32 int64 int8
int_ intc integer intp long longdouble longlong number object_ short signedinteger single str_ timedelta64 ubyte uint
uint16 uint32 uint64 uint8 uintc uintp ulong ulonglong unsignedinteger ushort void dtype ndarray matrix memmap recarray
record ufunc flatiter busdaycalendar poly1d
"""

WITHOUT_VALUES: dict[str, dict[str, str]] = {
    "numpy": {
        "a type: called with a value that depends on x it raises": _NUMPY_TYPES,
        "asks for or converts types": """
            can_cast common_type finfo iinfo isdtype issubdtype min_scalar_type mintypecode promote_types typename
            isfortran""",
        "makes an array from plain numbers": """
            arange asmatrix bartlett blackman bmat diag_indices diag_indices_from from_dlpack frombuffer fromstring
            hamming hanning indices kaiser mask_indices nested_iters ravel_multi_index tri tril_indices
            tril_indices_from triu_indices triu_indices_from unravel_index broadcast_shapes""",
        "takes integers, bits or dates": """
            busday_count busday_offset datetime_as_string datetime_data is_busday packbits unpackbits base_repr
            binary_repr""",
        "makes text of one plain number": "format_float_positional format_float_scientific",
        "reads or writes files": """
            fromfile fromregex genfromtxt load loadtxt save savetxt savez savez_compressed""",
        "settings and information": """
            errstate get_include get_printoptions getbufsize geterr geterrcall info printoptions set_printoptions
            setbufsize seterr seterrcall show_config show_runtime test""",
    },
    "numpy.ndarray": {
        "protocol of Python or NumPy": """
            __array__ __array_finalize__ __array_namespace__ __array_wrap__ __buffer__ __class__ __class_getitem__
            __delattr__ __dir__ __dlpack__ __dlpack_device__ __getattribute__ __getstate__ __init__ __init_subclass__
            __new__ __reduce_ex__ __setattr__ __setstate__ __sizeof__ __subclasshook__ to_device""",
    },
    "numpy.linalg": {"a type or a test": "LinAlgError test"},
    "numpy.fft": {"makes an array from plain numbers": "fftfreq rfftfreq", "a test": "test"},
    "math": {"takes integers": "comb factorial gcd isqrt lcm perm"},
    "cmath": {},
}
"""Module -> reason -> names: what needs no rule because it takes no values that depend on x."""

REFUSED: dict[str, dict[tuple[str, str], str]] = {
    "numpy": {},
    "numpy.ndarray": {
        ("it reads the bits of the numbers", "copy.deepcopy"): "__reduce__",
        ("it takes integers", "compute it from constants"): """
            __lshift__ __rshift__ __rlshift__ __rrshift__ __ilshift__ __irshift__""",
        ("only integers are indices", "use int(value): the outcome is a decision"): "__index__",
        ("arrays have no items to delete", "use np.delete"): "__delitem__",
    },
    "math": {
        ("it takes the bits of a float apart", "use np.log2, or stop_gradient"): "frexp nextafter ulp",
    },
    "cmath": {("it asks for plain numbers", "use abs(a - b) <= tolerance"): "isclose"},
    "numpy.linalg": {},
    "numpy.fft": {},
}
"""Module -> (reason, cure) -> names: what has no entry of its own in the tables of the tracer, and raises."""

THROUGH_OTHERS: dict[str, str] = {
    "numpy": "broadcast ndindex fromfunction frompyfunc isscalar iterable row_stack vectorize",
    "numpy.ndarray": "__contains__ __array_ufunc__ __array_function__ __copy__ __deepcopy__ __format__",
    "math": "prod",
}
"""Calls that work since all that they do is followed."""
