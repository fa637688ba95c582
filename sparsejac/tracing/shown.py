"""Text that traced values were written as: fine to print, refused where someone reads numbers from it again."""

from __future__ import annotations

import re
from typing import Any

from sparsejac.errors import UntraceableError
from sparsejac.tracing.trace import Trace, current_trace

_NUMBER = r"(?i)[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf"
"""Not compiled before it is needed: that takes longer than to load this module."""


class ShownText(str):
    """The text of a traced value. It is an ordinary str, but for the conversions to numbers.

    Text that is put together of several pieces is an ordinary str to Python. The numbers in it are remembered in
    `Trace.texts`, and looked up where the name float is ours.
    """

    __slots__ = ("tracer",)
    tracer: Trace

    @staticmethod
    def of(trace: Trace, text: str) -> ShownText:
        """Text that was made of values of a trace."""
        trace.texts.update(re.findall(_NUMBER, text))
        shown = ShownText(text)
        shown.tracer = trace
        return shown

    def __float__(self) -> float:
        raise _read_again(self.tracer, self)

    def __int__(self) -> int:
        raise _read_again(self.tracer, self)

    def __complex__(self) -> complex:
        raise _read_again(self.tracer, self)

    def __reduce__(self) -> Any:
        return str, (str(self),)


def check_text(obj: Any) -> None:
    """Refuse to make numbers of text that holds the digits of a traced value."""
    trace = current_trace()
    if trace is None or not trace.texts:
        return
    if isinstance(obj, list | tuple):
        for item in obj:
            check_text(item)
    elif isinstance(obj, str | bytes):
        text = obj if isinstance(obj, str) else obj.decode("ascii", "replace")
        if not trace.texts.isdisjoint(re.findall(_NUMBER, text)):
            raise _read_again(trace, text)


def _read_again(trace: Trace, text: str) -> UntraceableError:
    return trace.refusal(
        f"a number that is read from the text {str(text).strip()!r}",
        "this is how a value that depends on x was written, and the number would have no derivative",
        "use the value as it is; np.round rounds it",
    )
