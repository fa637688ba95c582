"""Records are the standard library's dataclasses, made in another way: the two are compared member by member."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import threading
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from kernels import records

T = TypeVar("T")
WAYS = (dataclasses.dataclass, records.dataclass)


def made(way: Any, **options: Any) -> type:
    class Base:
        first: int
        second: Any = 2
        third: list[int] = dataclasses.field(default_factory=list)
        hidden: Any = dataclasses.field(default=7, repr=False, compare=False)
        late: int = dataclasses.field(init=False, default=5)
        unset: int = dataclasses.field(init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "seen", self.first)

    Base.__qualname__ = "Base"
    return way(**options)(Base)


def first_of(cls: Any, name: str) -> Any:
    return cls(**{"first": 1, name: 2}).first


def outcome(run: Any) -> Any:
    try:
        return run()
    except (TypeError, AttributeError) as error:
        return type(error).__name__


@pytest.mark.parametrize("options", [{"frozen": f, "eq": e} for f in (False, True) for e in (False, True)])
def test_members_are_those_of_dataclasses(options: dict[str, Any]) -> None:
    standard, own = (made(way, **options) for way in WAYS)

    def told(cls: Any) -> list[Any]:
        one, two = cls(1, third=[3]), cls(1, second=2, third=[3], hidden=8)
        return [
            [vars(cls(k, third=(k,), hidden=k)) for k in range(100)],
            [outcome(partial(first_of, cls, name)) for name in ("first", "late", "other", "unset") for _ in "ab"],
            outcome(lambda: cls(1, first=2)),
            outcome(lambda: cls()),
            outcome(lambda: cls(1, 2, [], 4, 5)),
            (one.first, one.second, one.third, one.hidden, one.late, one.seen, cls(1).third is cls(1).third),
            (one == one, one == two, one != two, one == 1, one == cls(2)),
            outcome(lambda: hash(cls(1, third=())) == hash(cls(1, third=()))),
            outcome(lambda: setattr(one, "first", 3)),
            outcome(lambda: setattr(one, "other", 3)),
            outcome(lambda: delattr(one, "second")),
            [f.name for f in dataclasses.fields(cls)],
            dataclasses.replace(two, first=9).first,
            list(inspect.signature(cls).parameters),
            cls.__match_args__,
        ]

    assert told(own) == told(standard)


@pytest.mark.parametrize("way", WAYS)
def test_fields_that_the_constructor_does_not_take(way: Any) -> None:
    class Counter:
        names: list[str] = dataclasses.field(default_factory=list)
        count: int = dataclasses.field(init=False, default=3)
        seen: dict[str, int] = dataclasses.field(init=False, default_factory=dict)

    cls: Any = way(frozen=True)(Counter)
    for _ in range(100):
        one, other = cls(), cls(["a"])
        assert (one.names, one.count, one.seen, other.names, other.seen) == ([], 3, {}, ["a"], {})
        assert one.seen is not other.seen
    with pytest.raises((ValueError, TypeError), match="count"):  # a TypeError since Python 3.13
        (dataclasses.replace if way is WAYS[0] else records.replace)(one, count=4)


def test_texts_are_those_of_dataclasses() -> None:
    assert [repr(made(way, eq=False)(1)).partition("(")[0] for way in WAYS] == ["Base", "Base"]
    texts = []
    for way in WAYS:
        cls = way(frozen=True)(type("Two", (), {"__annotations__": {"a": int, "b": str}, "__doc__": "Two."}))
        texts.append(repr(cls(1, "x")))
    assert texts[0] == texts[1]


def test_what_a_class_says_itself_stays() -> None:
    @records.dataclass(frozen=True)
    class Own:
        number: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 3

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(5))) == ("mine", True, 3)


def test_records_are_derived_from() -> None:
    @records.dataclass(frozen=True)
    class Root:
        number: int

    @records.dataclass(frozen=True)
    class Branch(Root):
        name: str = "b"

    class Plain(Branch):
        pass

    @records.dataclass(frozen=True)
    class Typed(Generic[T]):
        number: T

    assert (dataclasses.fields(Typed)[0].name, Typed[int](3).number) == ("number", 3)

    branch, plain = Branch(1), Plain(2, "p")
    assert (branch.number, branch.name, plain.number, plain.name) == (1, "b", 2, "p")
    assert branch != Root(1)
    object.__setattr__(plain, "free", 1)
    plain.other = 2  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.number = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        branch.other = 3  # type: ignore[attr-defined]


def test_fields_are_looked_at_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    standard = records._find_standard

    def observed(cls: Any) -> None:
        looked.append(cls)
        standard(cls)

    monkeypatch.setattr(records, "_find_standard", observed)
    cls = made(records.dataclass, frozen=True)
    assert (cls(1) == cls(1), looked) == (True, [])
    assert (dataclasses.is_dataclass(cls), looked) == (True, [cls])
    assert dataclasses.replace(cls(1), first=2) == records.replace(cls(1), first=2) == cls(1).__replace__(first=2)
    assert looked == [cls]


@pytest.mark.parametrize("way", WAYS)
def test_defaults_that_objects_would_share_are_refused(way: Any) -> None:
    def make() -> Any:
        return way(frozen=True)(type("Shared", (), {"__annotations__": {"names": list}, "names": []}))()

    with pytest.raises(ValueError, match="mutable default"):
        make()


def test_what_is_no_field_is_refused() -> None:
    @records.dataclass(frozen=True)
    class Counted:
        count: ClassVar[int] = 0
        name: str = ""

    with pytest.raises(TypeError, match="records have fields alone"):
        dataclasses.fields(Counted)


def test_a_hundred_threads_look_at_them_once() -> None:
    cls = made(records.dataclass, frozen=True)
    start = threading.Barrier(100)
    seen: list[Any] = []

    def make(number: int) -> None:
        start.wait()
        seen.append((cls(number).first, cls(number).third, cls.__match_args__))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(number, [], cls.__match_args__) for number in range(100)]


@pytest.mark.parametrize("way", WAYS)
def test_records_with_slots(way: Any) -> None:
    @way(frozen=True, slots=True)
    class Slotted:
        first: int
        second: str = "s"

        @property
        def both(self) -> tuple[int, str]:
            return self.first, self.second

    cls: Any = Slotted
    many = [cls(k) for k in range(100)]
    assert [record.both for record in many] == [(k, "s") for k in range(100)]
    assert (cls.__slots__, cls.__match_args__, repr(many[3]).endswith("Slotted(first=3, second='s')")) == (
        ("first", "second"),
        ("first", "second"),
        True,
    )
    assert not hasattr(many[0], "__dict__")
    assert (cls(1, "a") == cls(1, "a"), cls(1) == cls(2), hash(cls(4)) == hash(cls(4))) == (True, False, True)
    assert copy.copy(many[5]) == copy.deepcopy(many[5]) == dataclasses.replace(many[4], first=5)
    assert outcome(lambda: setattr(many[0], "first", 1)) == "FrozenInstanceError"
    assert outcome(lambda: cls()) == outcome(lambda: cls(1, "a", 2)) == "TypeError"


@records.dataclass(frozen=True)
class Sent:
    """Found again by its name."""

    number: int
    names: tuple[str, ...] = ()


def test_records_are_copied_and_pickled() -> None:
    sent = Sent(3, ("a",))
    assert copy.copy(sent) == copy.deepcopy(sent) == pickle.loads(pickle.dumps(sent)) == sent


def test_one_field_is_compared_as_what_it_is() -> None:
    @records.dataclass(frozen=True)
    class One:
        number: Any

    nan = float("nan")
    assert One(nan) == One(nan)
    assert One(1) != One(2)
    assert hash(One("a")) == hash(One("a"))


def test_records_without_fields_of_their_own() -> None:
    @records.dataclass(frozen=True)
    class Nothing:
        pass

    @records.dataclass(frozen=True)
    class Base:
        x: int = 3

    @records.dataclass(frozen=True)
    class Same(Base):
        pass

    assert Nothing() == Nothing()
    assert dataclasses.fields(Nothing()) == ()
    assert (Same(), Same(4).x) == (Same(3), 4)
    assert [field.name for field in dataclasses.fields(Same)] == ["x"]
