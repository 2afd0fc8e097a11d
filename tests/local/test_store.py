"""Records: kept, changed, waited for, and on disk before the call returns."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sagemaker_provider.local.store import Store

PLACE = ("us-west-2", "Job", "one")


def test_a_name_is_added_once() -> None:
    store = Store()
    added = []
    threads = [threading.Thread(target=lambda: added.append(store.add(*PLACE, {"n": 1}))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [False] * 19 + [True]


def test_a_change_makes_a_new_record_and_leaves_the_old_one() -> None:
    store = Store()
    store.put(*PLACE, {"a": 1})
    old = store.get(*PLACE)
    new = store.change(*PLACE, a=2, b=3)
    assert old == {"a": 1}
    assert (new["a"], new["b"]) == (2, 3)
    assert new["LastModifiedTime"] == pytest.approx(time.time(), abs=5)
    with pytest.raises(KeyError):
        store.change("us-west-2", "Job", "two", a=1)


@pytest.mark.parametrize("ending", ["change", "remove", "clear"])
def test_who_waits_for_a_record_hears_of_it(ending: str) -> None:
    store = Store()
    store.put(*PLACE, {"done": False})
    heard = []
    waiting = threading.Thread(target=lambda: heard.append(store.wait(*PLACE, lambda record: record["done"])))
    waiting.start()
    store.put("us-west-2", "Job", "other", {"done": True})
    store.change(*PLACE, more=1)
    time.sleep(0.05)
    assert waiting.is_alive()
    if ending == "change":
        store.change(*PLACE, done=True)
    elif ending == "remove":
        store.remove(*PLACE)
    else:
        store.clear()
    waiting.join(5)
    assert not waiting.is_alive()
    assert (heard[0] is None) is (ending != "change")


def test_another_store_reads_what_the_first_has_written(tmp_path: Path) -> None:
    first = Store(tmp_path / "file")
    for name in ("b", "a", "c"):
        first.put("us-west-2", "Job", name, {"name": name, "text": "é\u2028"})
    first.change("us-west-2", "Job", "b", name="changed")
    first.remove("us-west-2", "Job", "c")
    second = Store(tmp_path / "file")  # the first one was not closed, as if it had been killed
    assert [record["name"] for record in second.records("us-west-2", "Job")] == ["changed", "a"]
    assert second.places("Job") == [("us-west-2", "b"), ("us-west-2", "a")]


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text" * 1000)
    with pytest.raises(OSError, match="file cannot be used: file is not a database"):
        Store(tmp_path / "file")
