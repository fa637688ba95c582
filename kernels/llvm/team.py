"""Threads that share phases of tasks and never ask the interpreter meanwhile, in LLVM's text.

A team is a block of numbers in memory. The caller publishes the tasks of a phase by one word: how many phases there
were, and the first and the last task that nobody has begun. Whoever exchanges that word for the next one has a task:
the caller takes the first, helpers the last ones, so that each comes back to the same rows the next time. A word that
has changed meanwhile is not exchanged: nobody gets hold of a task of a phase that is over. The caller waits for tasks
that others have begun, not for others to begin.

A helper looks for the next phase for a while, then sleeps until the caller rings (by the system call `futex`).
"""

from __future__ import annotations

import platform
from functools import cache
from typing import Any

from kernels.evaluation import FLIPPED, INFINITE, OVERLAP
from kernels.llvm.native import built_in, link_text
from kernels.llvm.value import parse_signature
from kernels.source import read_only

SHARE, HELP = "sparsejac_share", "sparsejac_help"

LINE = 16
"""Numbers that are kept apart from what another thread writes: two lines of the cache, which are fetched in pairs."""

WORD, FINISHED, TASKS, ARGUMENTS, LENGTH, STATUS, BUSY, BELL, SLEEPERS, WAITING, PATIENCE = (
    LINE * k for k in range(11)
)
"""Places in the block of a team: the word; tasks that helpers have done; tasks, arguments and their length in this
phase; outcomes, a bit each; whether some caller uses the team; what rings; who sleeps; whether the caller does;
nanoseconds that helpers look for work before they sleep."""

SIZE = 11 * LINE

TASK = 3
"""Numbers of a task: a function, the address of its table, and its length."""

MOST_NUMBERS = 1022
"""Addresses and lengths of the arrays that come with each call, at most."""

MOST_TASKS = (1 << 15) - 1

_SPINS = 1000
"""How often a caller looks whether a task is done before it sleeps."""

_FUTEX = {"x86_64": 202, "aarch64": 98}
_PAUSE = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}
"""What tells a processor that a thread looks again and again."""


_FIELDS = "\n".join(
    f"  %{name}.at = getelementptr i64, ptr %team, i64 {place}"
    for name, place in {
        "word": WORD,
        "finished": FINISHED,
        "tasks": TASKS,
        "arguments": ARGUMENTS,
        "length": LENGTH,
        "status": STATUS,
        "bell": BELL,
        "sleepers": SLEEPERS,
        "waiting": WAITING,
        "patience": PATIENCE,
    }.items()
)
"""The addresses of a team's numbers, for both who share and who help; optimization drops those that are not used."""


def _left(which: str) -> str:
    """The first task of a word that nobody has begun, the one after the last, and whether there are some at all."""
    return f"""  %low.part{which} = lshr i64 %word{which}, 16
  %low{which} = and i64 %low.part{which}, 65535
  %high{which} = and i64 %word{which}, 65535
  %some.left{which} = icmp ult i64 %low{which}, %high{which}"""


def _text(processor: str) -> str:
    declaration, pause = _PAUSE[processor]
    futex = f"call i64 (i64, ...) @syscall(i64 {_FUTEX[processor]}, ptr"
    return f"""
{declaration}
declare i64 @syscall(i64, ...) nounwind
declare i32 @clock_gettime(i32, ptr) nounwind
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define internal i64 @now() nounwind {{
  %time = alloca [2 x i64]
  %ignored = call i32 @clock_gettime(i32 1, ptr %time)
  %seconds = load i64, ptr %time
  %rest.at = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %rest
  ret i64 %sum
}}

define internal void @task(ptr %team, ptr %tasks, i64 %number, ptr %arguments, i64 %length) nounwind noinline {{
  %packed = alloca [{MOST_NUMBERS + 2} x i64], align 16
  %bytes = shl i64 %length, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %packed, ptr %arguments, i64 %bytes, i1 false)
  %first = mul i64 %number, {TASK}
  %function.at = getelementptr i64, ptr %tasks, i64 %first
  %function = load ptr, ptr %function.at
  %table.at = getelementptr i64, ptr %function.at, i64 1
  %table = load i64, ptr %table.at
  %size.at = getelementptr i64, ptr %function.at, i64 2
  %size = load i64, ptr %size.at
  %to.table = getelementptr i64, ptr %packed, i64 %length
  store i64 %table, ptr %to.table
  %to.size = getelementptr i64, ptr %to.table, i64 1
  store i64 %size, ptr %to.size
  %outcome = call i64 %function(ptr %packed)
  %bit = shl i64 1, %outcome
  %status.at = getelementptr i64, ptr %team, i64 {STATUS}
  %before = atomicrmw or ptr %status.at, i64 %bit seq_cst
  ret void
}}

define i64 @{SHARE}(ptr %given) nounwind {{
entry:
  %own = alloca [{SIZE} x i64], align 128
  %plan = load ptr, ptr %given
  %arguments = getelementptr i64, ptr %given, i64 2
  %team.given = load ptr, ptr %plan
  %length.given = getelementptr i64, ptr %plan, i64 1
  %length = load i64, ptr %length.given
  %count.at = getelementptr i64, ptr %plan, i64 2
  %count = load i64, ptr %count.at
  %phases = getelementptr i64, ptr %plan, i64 3
  %busy.at = getelementptr i64, ptr %team.given, i64 {BUSY}
  %taken = cmpxchg ptr %busy.at, i64 0, i64 1 seq_cst seq_cst
  %is.mine = extractvalue {{i64, i1}} %taken, 1
  br i1 %is.mine, label %begin, label %alone
alone:
  call void @llvm.memset.p0.i64(ptr %own, i8 0, i64 {8 * SIZE}, i1 false)
  br label %begin
begin:
  %team = phi ptr [ %team.given, %entry ], [ %own, %alone ]
{_FIELDS}
  store atomic ptr %arguments, ptr %arguments.at monotonic, align 8
  store atomic i64 %length, ptr %length.at monotonic, align 8
  store atomic i64 0, ptr %status.at monotonic, align 8
  br label %phase
phase:
  %done.phases = phi i64 [ 0, %begin ], [ %done.next, %next ]
  %at = phi ptr [ %phases, %begin ], [ %at.next, %next ]
  %number = load i64, ptr %at
  %tasks = getelementptr i64, ptr %at, i64 1
  %is.one = icmp eq i64 %number, 1
  br i1 %is.one, label %one, label %several
one:
  call void @task(ptr %team, ptr %tasks, i64 0, ptr %arguments, i64 %length)
  br label %next
several:
  store atomic ptr %tasks, ptr %tasks.at monotonic, align 8
  store atomic i64 0, ptr %finished.at monotonic, align 8
  %old = load atomic i64, ptr %word.at monotonic, align 8
  %old.phase = and i64 %old, -4294967296
  %new.phase = add i64 %old.phase, 4294967296
  %new = or i64 %new.phase, %number
  store atomic i64 %new, ptr %word.at seq_cst, align 8
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %some.sleep = icmp ne i64 %sleepers, 0
  br i1 %some.sleep, label %ring, label %claim
ring:
  %rung = atomicrmw add ptr %bell.at, i32 1 seq_cst
  %helpers = sub i64 %number, 1
  %helpers32 = trunc i64 %helpers to i32
  %woken = {futex} %bell.at, i32 129, i32 %helpers32)
  br label %claim
claim:
  %mine = phi i64 [ 0, %several ], [ 0, %ring ], [ %mine, %again ], [ %mine.more, %work ]
  %word = load atomic i64, ptr %word.at acquire, align 8
{_left("")}
  br i1 %some.left, label %try, label %wait
try:
  %word.new = add i64 %word, 65536
  %exchanged = cmpxchg ptr %word.at, i64 %word, i64 %word.new seq_cst seq_cst
  %is.exchanged = extractvalue {{i64, i1}} %exchanged, 1
  br i1 %is.exchanged, label %work, label %again
again:
  br label %claim
work:
  %mine.more = add i64 %mine, 1
  call void @task(ptr %team, ptr %tasks, i64 %low, ptr %arguments, i64 %length)
  br label %claim
wait:
  %others = sub i64 %number, %mine
  %others32 = trunc i64 %others to i32
  br label %look
look:
  %looks = phi i64 [ 0, %wait ], [ %looks.more, %look.again ]
  %finished = load atomic i32, ptr %finished.at acquire, align 8
  %all = icmp eq i32 %finished, %others32
  br i1 %all, label %next, label %not.all
not.all:
  %looks.more = add i64 %looks, 1
  %is.long = icmp ugt i64 %looks, {_SPINS}
  br i1 %is.long, label %sleep, label %look.again
look.again:
  {pause}
  br label %look
sleep:
  store atomic i64 1, ptr %waiting.at seq_cst, align 8
  %seen = load atomic i32, ptr %finished.at seq_cst, align 8
  %all.seen = icmp eq i32 %seen, %others32
  br i1 %all.seen, label %woke, label %doze
doze:
  %slept = {futex} %finished.at, i32 128, i32 %seen, ptr null)
  br label %sleep
woke:
  store atomic i64 0, ptr %waiting.at seq_cst, align 8
  br label %next
next:
  %tasks.length = mul i64 %number, {TASK}
  %at.next = getelementptr i64, ptr %tasks, i64 %tasks.length
  %done.next = add i64 %done.phases, 1
  %status = load atomic i64, ptr %status.at acquire, align 8
  %is.last = icmp eq i64 %done.next, %count
  %overlap = and i64 %status, {1 << OVERLAP}
  %overlaps = icmp ne i64 %overlap, 0
  %is.over = or i1 %is.last, %overlaps
  br i1 %is.over, label %end, label %phase
end:
  br i1 %is.mine, label %leave, label %tell
leave:
  store atomic i64 0, ptr %busy.at seq_cst, align 8
  br label %tell
tell:
  %infinite = and i64 %status, {1 << INFINITE}
  %is.infinite = icmp ne i64 %infinite, 0
  %flipped = and i64 %status, {1 << FLIPPED}
  %is.flipped = icmp ne i64 %flipped, 0
  %outcome.finite = select i1 %is.infinite, i64 {INFINITE}, i64 0
  %outcome.done = select i1 %is.flipped, i64 {FLIPPED}, i64 %outcome.finite
  %outcome = select i1 %overlaps, i64 {OVERLAP}, i64 %outcome.done
  ret i64 %outcome
}}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define i64 @{HELP}(ptr %given) nounwind {{
entry:
  %team = load ptr, ptr %given
{_FIELDS}
  br label %rested
rested:
  %start = call i64 @now()
  br label %look
look:
  %looks = phi i64 [ 1, %rested ], [ %looks.more, %paused ], [ %looks.more, %in.time ], [ %looks, %try ]
  %word = load atomic i64, ptr %word.at acquire, align 8
{_left("")}
  br i1 %some.left, label %try, label %none
try:
  %tasks = load atomic ptr, ptr %tasks.at monotonic, align 8
  %arguments = load atomic ptr, ptr %arguments.at monotonic, align 8
  %length = load atomic i64, ptr %length.at monotonic, align 8
  %word.new = sub i64 %word, 1
  %exchanged = cmpxchg ptr %word.at, i64 %word, i64 %word.new seq_cst seq_cst
  %is.exchanged = extractvalue {{i64, i1}} %exchanged, 1
  br i1 %is.exchanged, label %work, label %look
work:
  %number = sub i64 %high, 1
  call void @task(ptr %team, ptr %tasks, i64 %number, ptr %arguments, i64 %length)
  %before = atomicrmw add ptr %finished.at, i32 1 seq_cst
  %waiting = load atomic i64, ptr %waiting.at seq_cst, align 8
  %is.waiting = icmp ne i64 %waiting, 0
  br i1 %is.waiting, label %wake, label %rested
wake:
  %woken = {futex} %finished.at, i32 129, i32 1)
  br label %rested
none:
  {pause}
  %looks.more = add i64 %looks, 1
  %few = and i64 %looks, 31
  %is.round = icmp eq i64 %few, 0
  br i1 %is.round, label %ask, label %paused
paused:
  br label %look
ask:
  %time = call i64 @now()
  %spent = sub i64 %time, %start
  %patience = load atomic i64, ptr %patience.at monotonic, align 8
  %is.patient = icmp slt i64 %spent, %patience
  br i1 %is.patient, label %in.time, label %sleep
in.time:
  br label %look
sleep:
  %bell = load atomic i32, ptr %bell.at seq_cst, align 8
  %more.sleep = atomicrmw add ptr %sleepers.at, i64 1 seq_cst
  %word.seen = load atomic i64, ptr %word.at seq_cst, align 8
{_left(".seen")}
  br i1 %some.left.seen, label %woke, label %doze
doze:
  %slept = {futex} %bell.at, i32 128, i32 %bell, ptr null)
  br label %woke
woke:
  %less.sleep = atomicrmw sub ptr %sleepers.at, i64 1 seq_cst
  br label %rested
}}
"""


@cache
def sharing(inputs: int) -> Any:
    """What a caller calls: ``function(plan, out, *inputs)``; its outcome is that of an `Entry`.

    The plan: the address of the team's block, numbers of the arguments that follow it, how many phases there are, and
    of each how many tasks, and these.
    """
    given = [read_only("int64"), "float64[::1]", *[read_only("float64")] * inputs]
    return _function(SHARE, given)


@cache
def helping() -> Any:
    """What a helper calls with the block, for good."""
    return _function(HELP, ["int64[::1]"])


def _function(name: str, given: list[str]) -> Any:
    code = link_text(_text(platform.machine()), (SHARE, HELP))
    signature = f"int64({', '.join(given)})"
    return built_in(code.addresses[name], name, signature, *parse_signature(signature), code)
