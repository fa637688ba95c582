"""Text that traced values were written as: fine to print, refused where someone reads numbers from it again.

Where f may look at the text itself (compare it, take it as a key), its way hangs on the value: a decision.
"""

from __future__ import annotations

import math
import re
from typing import Any

from kernels.lazy import Lazy
from sparsejac.errors import UntraceableError
from sparsejac.tracing.reals import Value
from sparsejac.tracing.trace import Trace, current_trace

# Few f make text of values.
TEXT_FLOW = Lazy("sparsejac.tracing.text_flow")

_NUMBER = r"(?i)[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf"
"""Not compiled before it is needed: that takes longer than to load this module."""

_LOOKS = ("handlers", "f")
"""Readers of text that may go another way because of it."""


class ShownText(str):
    """The text of a traced value. It is an ordinary str, but for the conversions to numbers.

    Text that is put together of several pieces is an ordinary str to Python. The numbers in it are remembered in
    `Trace.texts`, and looked up where the name float is ours.
    """

    __slots__ = ("tracer",)
    tracer: Trace

    @staticmethod
    def of(trace: Trace, text: str, value: Value) -> ShownText:
        """The text of a value of a trace."""
        shown = ShownText(text)
        shown.tracer = trace
        reader = "people" if trace.finished else TEXT_FLOW.reader_of_text(trace)
        if reader != "people":
            trace.texts.update(re.findall(_NUMBER, text))
        if reader in _LOOKS:
            _decide(trace, value)
        return shown

    def __float__(self) -> float:
        raise _read_again(self.tracer, self)

    def __int__(self) -> int:
        raise _read_again(self.tracer, self)

    def __complex__(self) -> complex:
        raise _read_again(self.tracer, self)

    def __reduce__(self) -> Any:
        return str, (str(self),)


def _decide(trace: Trace, value: Value) -> None:
    """No plan shall take the way that the text of another value led to."""
    for part in value.parts:
        trace.decide(part)


def formatted_number(trace: Trace, shown: Any, value: Value) -> float:
    """A number that the operator ``%`` writes into a text; f must not read the text back."""
    reader = TEXT_FLOW.reader_of_text(trace)
    if reader == "f":
        raise trace.refusal(
            "the formatting of a value that depends on x by %",
            "it makes a plain number of it first",
            "write f'{value:.3f}', or %s in place of %f",
        )
    if reader in _LOOKS:
        _decide(trace, value)
    number = float(shown)
    if reader != "people":
        trace.formatted.add(number)
    return number


def check_text(obj: Any) -> None:
    """Refuse to make numbers of text that holds the digits of a traced value."""
    trace = current_trace()
    if trace is None or not (trace.texts or trace.formatted):
        return
    if isinstance(obj, list | tuple):
        for item in obj:
            check_text(item)
    elif isinstance(obj, str | bytes):
        text = obj if isinstance(obj, str) else obj.decode("ascii", "replace")
        found = re.findall(_NUMBER, text)
        if not trace.texts.isdisjoint(found) or any(_rounds_to(n, token) for n in trace.formatted for token in found):
            raise _read_again(trace, text)


def _rounds_to(number: float, token: str) -> bool:
    """Whether the operator ``%`` may have written a number as this: nobody says how many digits it was to write."""
    written = float(token)
    if not (math.isfinite(written) and math.isfinite(number)):
        return repr(abs(written)) == repr(abs(number))
    mantissa, _, power = token.lower().partition("e")
    last_digit = min(int(power or 0), 308) - len(mantissa.partition(".")[2])
    return abs(abs(written) - abs(number)) <= 0.5001 * 10.0**last_digit + 1e-15 * abs(number)


def _read_again(trace: Trace, text: str) -> UntraceableError:
    return trace.refusal(
        f"a number that is read from the text {str(text).strip()!r}",
        "this is how a value that depends on x was written, and the number would have no derivative",
        "use the value as it is; np.round rounds it",
    )
