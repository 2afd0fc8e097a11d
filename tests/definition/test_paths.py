"""Paths into JSON documents, as properties and ``Std:JsonGet`` write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.paths import Key

DOCUMENT = {
    "Outputs": [
        {"OutputName": "train", "S3Output": {"S3Uri": "s3://bucket/train"}},
        {"OutputName": "test", "S3Output": {"S3Uri": "s3://bucket/test"}},
        "not a structure",
    ],
    "Map": {"val:acc": 0.9, "0": "text key"},
    "Empty": [],
}


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a[0]", ("a", 0)),
        ("a[0][12].b", ("a", 0, 12, "b")),
        ("[3].a", (3, "a")),
        ("['k'].a", (Key("k"), "a")),
        ("a['b.c'][0]", ("a", Key("b.c"), 0)),
        ('a["b\'c"]', ("a", Key("b'c"))),
        ("a['say \"x\"']", ("a", Key('say "x"'))),
        ("a['']", ("a", Key(""))),
        ("a['val:acc'].Value", ("a", Key("val:acc"), "Value")),
        ("step-1_x.b", ("step-1_x", "b")),
    ],
)
def test_a_path_is_split_into_members_keys_and_indices(text: str, segments: tuple[paths.Segment, ...]) -> None:
    parsed = paths.parse(text)
    assert parsed == segments
    assert [type(segment) for segment in parsed] == [type(segment) for segment in segments]
    assert paths.join(parsed) == text


def test_both_kinds_of_quotes_mean_the_same_key() -> None:
    assert paths.parse('a["k"]') == paths.parse("a['k']")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (".a", 0),
        ("a.", 1),
        ("a..b", 1),
        ("a[", 1),
        ("a[x]", 1),
        ("a[-1]", 1),
        ("a['k]", 1),
        ("a]", 1),
        ("a[0]b", 4),
        ("'a'", 0),
    ],
)
def test_a_path_that_cannot_be_read_is_refused_with_the_position(text: str, position: int) -> None:
    with pytest.raises(ValueError, match=f"at position {position}$"):
        paths.parse(text)


_names = st.text("abcXYZ019_- :/", min_size=1, max_size=6)


@given(
    st.lists(
        st.one_of(
            _names, st.integers(0, 10**6), st.text("a.b[]'0 ", max_size=5).map(Key), st.text('a"', max_size=3).map(Key)
        ),
        max_size=6,
    )
)
def test_parse_is_the_inverse_of_join(segments: list[paths.Segment]) -> None:
    parsed = paths.parse(paths.join(segments))
    assert parsed == tuple(segments)
    assert [type(item) for item in parsed] == [type(item) for item in segments]


@given(st.text("ab.[]'\"0 ", max_size=12))
def test_any_text_is_either_a_path_or_a_value_error(text: str) -> None:
    try:
        segments = paths.parse(text)
    except ValueError as error:
        message = str(error)
        assert repr(text) in message
    else:
        assert paths.parse(paths.join(segments)) == segments


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Outputs[0].OutputName", "train"),
        ("Outputs['test'].S3Output.S3Uri", "s3://bucket/test"),
        ("Map['val:acc']", 0.9),
        ("Map.0", "text key"),
        ("Empty", []),
        ("", DOCUMENT),
    ],
)
def test_a_value_is_looked_up_by_member_key_index_and_entry_name(path: str, value: object) -> None:
    assert paths.look_up(DOCUMENT, paths.parse(path), names=("OutputName",)) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Output", "no 'Output' in the document, which holds Empty, Map, Outputs"),
        ("Outputs[3]", "no '[3]' in Outputs, which holds train, test"),
        ("Outputs['eval']", "no \"['eval']\" in Outputs, which holds train, test"),
        ("Outputs[0].S3Output.Uri", "no 'Uri' in Outputs[0].S3Output, which holds S3Uri"),
        ("Map['val:acc'].Value", "no 'Value' in Map['val:acc'], which holds the value 0.9"),
        ("Map[0]", "no '[0]' in Map, which holds 0, val:acc"),
        ("Empty[0]", "no '[0]' in Empty, which holds 0 entries"),
    ],
)
def test_a_failed_look_up_says_where_it_ends_and_what_is_there(path: str, message: str) -> None:
    with pytest.raises(LookupError) as caught:
        paths.look_up(DOCUMENT, paths.parse(path), names=("OutputName",))
    assert str(caught.value) == message


def test_entries_are_found_by_name_only_where_a_naming_member_is_given() -> None:
    with pytest.raises(LookupError, match="which holds 3 entries"):
        paths.look_up(DOCUMENT, paths.parse("Outputs['train']"))
