"""What the local SageMaker knows: records by Region, kind and name, in memory and, if wanted, in a file."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

Record: TypeAlias = "dict[str, Any]"
"""A resource as JSON: the members of its create request, its ARN, its status, times as seconds since 1970.

Members that begin with ``_`` are not part of any response. A record is never changed in place.
"""


class Store:
    """Records, safe for many threads. With a file, a change is on disk before the call that makes it returns.

    :param file: SQLite database; ``None`` keeps records in memory only.

    :param listener: called with Region, kind, old record (``None`` for a new one) and new record of every change.

    ``changed`` is notified at every change; who waits for a record holds it and looks again.
    """

    def __init__(
        self, file: Path | None = None, listener: Callable[[str, str, Record | None, Record], None] | None = None
    ) -> None:
        self._listener = listener
        self.changed = threading.Condition(threading.RLock())
        self._kinds: dict[tuple[str, str], dict[str, Record]] = {}
        self._waiting: dict[tuple[str, str, str], set[threading.Event]] = {}
        self._database: sqlite3.Connection | None = None
        if file is not None:
            self._database = open_database(
                file,
                "CREATE TABLE IF NOT EXISTS records "
                "(region TEXT, kind TEXT, name TEXT, body TEXT, PRIMARY KEY (region, kind, name))",
            )
            rows = self._database.execute("SELECT region, kind, name, body FROM records ORDER BY rowid").fetchall()
            for region, kind, name, body in rows:
                try:
                    self._kinds.setdefault((region, kind), {})[name] = json.loads(body)
                except ValueError as error:
                    raise OSError(f"{file}: the record of {kind} {name} is damaged: {error}") from None

    def get(self, region: str, kind: str, name: str) -> Record | None:
        """A record, or ``None``."""
        return self._kinds.get((region, kind), {}).get(name)

    def records(self, region: str, kind: str) -> list[Record]:
        """All records of a kind, in the order of their creation."""
        with self.changed:
            return list(self._kinds.get((region, kind), {}).values())

    def places(self, kind: str) -> list[tuple[str, str]]:
        """(Region, name) of all records of a kind."""
        with self.changed:
            return [(region, name) for (region, of), held in self._kinds.items() if of == kind for name in held]

    def add(self, region: str, kind: str, name: str, record: Record) -> bool:
        """Keep a new record; ``False``, and nothing is changed, when there is one of that name."""
        with self.changed:
            if self.get(region, kind, name) is not None:
                return False
            self.put(region, kind, name, record)
            return True

    def put(self, region: str, kind: str, name: str, record: Record) -> None:
        """Keep a record, new or in place of the one of that name."""
        with self.changed:
            if self._database is not None:
                self._database.execute(
                    "INSERT INTO records VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (region, kind, name) DO UPDATE SET body = excluded.body",
                    (region, kind, name, json.dumps(record)),
                )
            held = self._kinds.setdefault((region, kind), {})
            old, held[name] = held.get(name), record
            if self._listener is not None:
                self._listener(region, kind, old, record)
            self._notify((region, kind, name))

    def change(self, region: str, kind: str, name: str, /, **members: Any) -> Record:
        """Give members of a record new values, and the record a new ``LastModifiedTime``.

        :return: the new record.
        :raises KeyError: there is no such record.
        """
        with self.changed:
            old = self._kinds.get((region, kind), {})[name]
            record = {**old, "LastModifiedTime": time.time(), **members}
            self.put(region, kind, name, record)
            return record

    def remove(self, region: str, kind: str, name: str) -> None:
        """Forget a record."""
        with self.changed:
            if self._database is not None:
                self._database.execute(
                    "DELETE FROM records WHERE region = ? AND kind = ? AND name = ?", (region, kind, name)
                )
            held = self._kinds.get((region, kind), {})
            held.pop(name, None)
            if not held:
                self._kinds.pop((region, kind), None)
            self._notify((region, kind, name))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes that are on disk together or not at all, and that nobody else's come between."""
        with self.changed:
            if self._database is None or self._database.in_transaction:
                yield
                return
            self._database.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._database.execute("COMMIT")  # memory has what was done before
                raise
            self._database.execute("COMMIT")

    def wait(self, region: str, kind: str, name: str, until: Callable[[Record], bool]) -> Record | None:
        """Wait until a record is as wanted.

        :return: the record; ``None`` when it was removed.
        """
        event = threading.Event()
        key = (region, kind, name)
        with self.changed:
            self._waiting.setdefault(key, set()).add(event)
        try:
            while (record := self.get(*key)) is not None and not until(record):
                event.wait()
                event.clear()
            return record
        finally:
            with self.changed:
                self._waiting[key].discard(event)
                if not self._waiting[key]:
                    del self._waiting[key]

    def wake(self) -> None:
        """Let everyone who waits for a record look again."""
        with self.changed:
            for key in list(self._waiting):
                self._notify(key)

    def _notify(self, key: tuple[str, str, str]) -> None:
        self.changed.notify_all()
        for event in self._waiting.get(key, ()):
            event.set()

    def clear(self) -> None:
        """Forget all records."""
        with self.changed:
            if self._database is not None:
                self._database.execute("DELETE FROM records")
            self._kinds.clear()
            for key in list(self._waiting):
                self._notify(key)

    def close(self) -> None:
        """Close the file."""
        with self.changed:
            if self._database is not None:
                self._database.close()
                self._database = None


def open_database(file: Path, table: str) -> sqlite3.Connection:
    """A SQLite file for many threads, whose changes are safe when the process is killed.

    :param table: statement that makes its table, if it is new.
    :raises OSError: the file is no database.
    """
    try:
        database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute(table)
    except sqlite3.Error as error:
        raise OSError(f"{file} cannot be used: {error}") from None
    return database
