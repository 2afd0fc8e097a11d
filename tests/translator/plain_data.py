"""Plain data of every kind that has a literal."""

from __future__ import annotations

import datetime
import pathlib

from hypothesis import strategies as st

HASHABLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.datetimes(
        timezones=st.sampled_from([None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=2))])
    )
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.just(pathlib.Path("/a/b"))
    | st.complex_numbers(allow_nan=False, allow_infinity=False)
)
DATA = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner)
        | st.sets(HASHABLE)
        | st.frozensets(HASHABLE)
    ),
    max_leaves=10,
)
