"""Laws of reading event logs: a well-formed log loses nothing, and a broken one raises only typed errors."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import given, settings
from hypothesis import strategies as st

from postil.importers import BadCase, MalformedInput, Options, Parsed, traj, xes
from postil.importers.histories import Json
from postil.importers.limits import fit, size
from postil.importers.names import annotation_key, run_id
from postil.importers.source import Source
from postil.importers.xes.elements import Attribute
from postil.importers.xes.values import as_object
from postil.model.identifiers import StageIds, check_key
from postil.model.limits import MAX_PAYLOAD_BYTES

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
KEYS = TEXT.filter(lambda key: key != "")
SCALARS = st.one_of(
    st.tuples(st.just("string"), TEXT),
    st.tuples(st.just("int"), st.integers().map(str)),
    st.tuples(st.just("float"), st.floats(allow_nan=False, allow_infinity=False).map(repr)),
    st.tuples(st.just("float"), st.sampled_from(["NaN", "INF", "-INF"])),
    st.tuples(st.just("boolean"), st.sampled_from(["true", "false"])),
    st.tuples(st.just("id"), st.uuids().map(str)),
    st.tuples(
        st.just("date"),
        st.datetimes(timezones=st.timezones())
        .filter(lambda at: 2 < at.year < 9998)
        .map(lambda at: at.isoformat()[:26].split("+")[0][:19] + "Z"),
    ),
)


def attributes(depth: int = 2) -> st.SearchStrategy[list[Attribute]]:
    children = attributes(depth - 1) if depth else st.just([])
    scalar = st.builds(
        lambda key, scalar, inside: Attribute(scalar[0], key, scalar[1], inside or None),
        KEYS,
        SCALARS,
        children,
    )
    nested = st.builds(
        lambda kind, key, inside: Attribute(kind, key, None, inside or None),
        st.sampled_from(["list", "container"]),
        KEYS,
        children,
    )
    return st.lists(st.one_of(scalar, nested) if depth else scalar, max_size=4)


def as_xml(attribute: Attribute) -> str:
    inside = "".join(map(as_xml, attribute.children or ()))
    if attribute.type == "list":
        inside = f"<values>{inside}</values>"
    value = "" if attribute.value is None else f" value={quoteattr(attribute.value)}"
    return f"<{attribute.type} key={quoteattr(attribute.key)}{value}>{inside}</{attribute.type}>"


def back(key: str, value: Json, kind: Any) -> Attribute:
    """Return the attribute that an entry of an attribute object came from."""
    key = key.removeprefix("@") if key.startswith("@@") else key
    if kind == "container":
        assert isinstance(value, dict)
        return Attribute("container", key, None, all_back(value) or None)
    if isinstance(value, list):
        return Attribute("list", key, None, [child for item in value for child in all_back(item)] or None)
    children: list[Attribute] | None = None
    if isinstance(value, dict):
        children = all_back({name: child for name, child in value.items() if name != "@value"}) or None
        value = value["@value"]
    if kind:
        return Attribute(kind, key, value if value is None else str(value), children)
    names = {bool: "boolean", int: "int", float: "float", str: "string"}
    text = (
        {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else value
        if isinstance(value, str)
        else repr(value)
    )
    return Attribute(names[type(value)], key, text, children)


def all_back(values: Any) -> list[Attribute]:
    types = values.get("@types", {})
    attributes: list[Attribute] = []
    for key, value in values.items():
        if key == "@types":
            continue
        if isinstance(types.get(key), list):
            attributes += [back(key, item, kind) for item, kind in zip(value, types[key], strict=True)]
        else:
            attributes.append(back(key, value, types.get(key)))
    return attributes


def in_order(attributes: list[Attribute]) -> list[Any]:
    """Return the attributes sorted by key. Only lists have a meaningful order in XES."""

    def plain(item: Attribute) -> Any:
        inside = item.children or []
        return (
            item.key,
            item.type,
            item.value,
            [plain(child) for child in inside] if item.type == "list" else in_order(inside),
        )

    return sorted((plain(item) for item in attributes), key=lambda item: item[0])


@given(attributes())
def test_an_attribute_object_loses_nothing(given_attributes: list[Attribute]) -> None:
    """Attributes can be rebuilt from their JSON object without loss."""
    marked = [item for item in given_attributes if not item.key.startswith("@")]
    assert in_order(all_back(as_object(marked))) == in_order(marked)


def read(content: bytes, reader: Any = xes, name: str = "log.xes") -> list[Parsed | BadCase]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        with Source(file, (".xes", ".traj")) as source:
            return list(reader.read(source, source.stem, Options()))


def log_of(cases: list[tuple[str, list[tuple[str, list[Attribute]]]]]) -> str:
    traces = (
        f'<trace><string key="concept:name" value={quoteattr(name)}/>'
        + "".join(
            f'<event><string key="concept:name" value={quoteattr(activity)}/>{"".join(map(as_xml, attributes))}</event>'
            for activity, attributes in events
        )
        + "</trace>"
        for name, events in cases
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><!-- {escape("log").replace("-", "")} --><log>{"".join(traces)}</log>'


NAMES = KEYS.filter(lambda name: bool(name.strip()))
CASES = st.lists(
    st.tuples(NAMES, st.lists(st.tuples(NAMES, attributes(1)), max_size=5)),
    max_size=4,
    unique_by=lambda case: case[0],
)


@given(CASES)
def test_every_case_has_a_stage_for_each_event(cases: list[Any]) -> None:
    """Every case of a well-formed log becomes a history with one stage per event."""
    items = read(log_of(cases).encode())

    parsed = [item for item in items if isinstance(item, Parsed)]
    assert [item.records for item in parsed] == [len(events) for _, events in cases]
    assert [item.history["run_id"] for item in parsed] == [run_id("log", name) for name, _ in cases]
    for item in items:
        assert isinstance(item, Parsed)
        steps = item.history["steps"]
        ids = [step.get("id") for step in steps if step["type"] == "stage:completed"]
        assert (len(ids), len(set(ids))) == (item.records, item.records)
        for step in steps:
            if "key" in step:
                check_key(step["key"], "key")


SMALL = log_of(
    [("a", [("A", [Attribute("int", "n", "1")])]), ("b", [("B", []), ("C", [Attribute("string", "s", "é")])])]
).encode()
TRAJECTORY = (
    b'{"trajectory": [{"action": "ls -a", "observation": "x", "thought": "look"}], "history": [], '
    b'"info": {"exit_status": "submitted"}}'
)


def mutations(content: bytes) -> st.SearchStrategy[bytes]:
    place = st.integers(0, len(content) - 1)
    return st.one_of(
        place.map(lambda at: content[:at]),
        st.builds(
            lambda at, byte: content[:at] + bytes([byte]) + content[at + 1 :], place, st.integers(0, 255)
        ),
        st.builds(
            lambda at, more: content[:at] + more + content[at:], place, st.binary(min_size=1, max_size=8)
        ),
        st.builds(lambda at, to: content[: min(at, to)] + content[max(at, to) :], place, place),
    )


def attempted(
    content: bytes, reader: Any = xes, name: str = "log.xes"
) -> list[Parsed | BadCase | MalformedInput]:
    """Return the items read, or the typed error that ended the reading. Other exceptions propagate."""
    try:
        return [*read(content, reader, name)]
    except MalformedInput as error:
        return [error]


@settings(max_examples=300)
@given(mutations(SMALL))
def test_a_damaged_log_raises_only_typed_errors(content: bytes) -> None:
    """A damaged log leads to histories and typed errors, and to no other exception."""
    assert all(isinstance(item, Parsed) or item.advice for item in attempted(content))


@given(mutations(gzip.compress(SMALL, mtime=0)))
def test_damaged_gzip_raises_only_typed_errors(content: bytes) -> None:
    """Damaged gzip leads to histories and typed errors, and to no other exception."""
    assert all(isinstance(item, Parsed) or item.advice for item in attempted(content))


@settings(max_examples=300)
@given(mutations(TRAJECTORY))
def test_a_damaged_trajectory_raises_only_typed_errors(content: bytes) -> None:
    """A damaged trajectory leads to a history or a typed error, and to no other exception."""
    (item,) = attempted(content, traj, "log.traj")
    assert isinstance(item, Parsed) or item.advice


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.integers(1300, 6000), st.integers(1, 4000))
def test_fit_respects_the_limit_and_keeps_small_values(value: Json, limit: int, times: int) -> None:
    """The result of `fit` is within the limit, and a value within the limit is unchanged."""
    value = {"a": value, "b": "ü" * times}
    fitted, markers = fit(value, limit)

    assert size(fitted) <= limit
    assert (fitted == value) == (markers == 0) == (size(value) <= limit)
    assert fit(value, MAX_PAYLOAD_BYTES) == (value, 0)


@given(st.lists(st.sampled_from(["A", "A~2", "A~3", "B", "A" * 250, "A" * 251]), max_size=30))
def test_stage_ids_are_distinct_and_within_the_limit(names: list[str]) -> None:
    """Stage ids of one run are distinct and have at most 200 characters."""
    ids = StageIds()
    stage_ids = [ids.next(name) for name in names]

    assert len(set(stage_ids)) == len(names)
    assert all(1 <= len(stage_id) <= 200 for stage_id in stage_ids)


@given(st.text(max_size=300))
def test_an_annotation_key_is_always_well_formed(source_key: str) -> None:
    """Every source key leads to an annotation key that the grammar accepts."""
    check_key(annotation_key("xes", source_key), "key")
