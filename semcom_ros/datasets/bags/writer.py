# SPDX-License-Identifier: Apache-2.0
"""Writes a bag that Jazzy's rosbag2 reads: metadata of version 9, MCAP or SQLite."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer

from semcom_ros.datasets.bags.topics import Qos
from semcom_ros.datasets.bags.types import type_store
from semcom_ros.errors import SemcomError, choose

STORAGES = ("mcap", "sqlite3")


class BagWriter:
    """A new bag: a folder `path` of metadata.yaml and one file of messages.

    The same calls make the same bytes. Messages may come in any order of their stamps. Give what is
    latched the first stamp of the bag: a player that starts later reads nothing from before.
    Left by an error, a bag is not finished, and its folder is removed; `close` finishes it.
    Raises SemcomError where something lies at `path`.
    """

    def __init__(self, path: str | Path, storage: str = "mcap") -> None:
        choose(storage, STORAGES, "storage of a bag")
        self.path = Path(path).expanduser()
        if self.path.exists():
            raise SemcomError(f"'{path}' exists: a bag is written to a place where nothing is yet.")
        plugin = StoragePlugin[storage.upper()]
        self._writer = Writer(self.path, version=9, storage_plugin=plugin)
        self._writer.open()
        self._store = type_store()
        self._topics = set[str]()
        self._open = True

    def topic(self, name: str, type_name: str, qos: Qos) -> Connection:
        """A new topic, to be named to `write`. type_name: such as sensor_msgs/msg/Image.

        Raises SemcomError for a topic that is there already or a type that is not known.
        """
        if name in self._topics:
            raise SemcomError(f"The bag '{self.path}' has the topic {name} already.")
        if type_name not in self._store.fielddefs:
            raise SemcomError(
                f"The type {type_name} of {name} is none of Jazzy's or vision_msgs, so that "
                f"'{self.path}' cannot say what its messages hold: leave the topic out."
            )
        self._topics.add(name)
        return self._writer.add_connection(
            name, type_name, typestore=self._store, offered_qos_profiles=[qos.recorded]
        )

    def write(self, topic: Connection, stamp_ns: int, cdr: bytes | memoryview) -> None:
        """One message, serialized, of a `topic` made before; ns since the epoch."""
        self._writer.write(topic, stamp_ns, cdr)

    def note(self, key: str, value: str) -> None:
        """Something about the bag as a whole, for its metadata (custom_data)."""
        self._writer.set_custom_data(key, value)

    def close(self) -> None:
        """Write index and metadata; once is enough."""
        if self._open:
            self._open = False
            self._writer.close()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._open:
            self._open = False
            self._writer.abort()
            shutil.rmtree(self.path)
