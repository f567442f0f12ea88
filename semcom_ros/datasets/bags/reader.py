# SPDX-License-Identifier: Apache-2.0
"""Reads any bag of rosbag2: MCAP or SQLite, a folder or one file, compressed or not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import get_types_from_idl, get_types_from_msg

from semcom_ros.datasets.bags.shifting import shift_stamps
from semcom_ros.datasets.bags.topics import Topic, qos_of
from semcom_ros.datasets.bags.types import type_store
from semcom_ros.datasets.files import existing
from semcom_ros.errors import SemcomError

_MENDS = {
    ".mcap": ": where its recording was cut off, 'mcap recover' mends it",
    ".bag": ": it is of ROS 1, and 'rosbags-convert --src FILE --dst FOLDER' makes one of ROS 2",
    ".zstd": ": name its folder, which tells how its files are compressed",
}
"""By the end of a file's name: what to do where it cannot be read."""


class BagReader:
    """A bag at `path`: its folder, or one file of messages (.mcap, .db3).

    topics: by name, in the order of the bag. Raises SemcomError for what is no bag, or one that
    cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing(path)
        if self.path.is_dir() and not (self.path / "metadata.yaml").exists():
            raise SemcomError(
                f"'{path}' has no metadata.yaml: it is no bag, or one whose recording was cut off. "
                "Name the .mcap or .db3 file in it, or run 'ros2 bag reindex'."
            )
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        except Exception as error:
            raise self._unreadable(error) from error
        self._store = type_store()
        self.topics: dict[str, Topic] = {}
        for name in dict.fromkeys(one.topic for one in self._reader.connections):
            info = self._reader.topics[name]
            if info.msgtype is None:
                raise SemcomError(f"The topic {name} of '{path}' has messages of several types.")
            recorded = [
                q for one in info.connections for q in getattr(one.ext, "offered_qos_profiles", ())
            ]
            qos = qos_of(recorded, name)
            self.topics[name] = Topic(name, info.msgtype, qos, info.msgcount)

    def messages(
        self,
        topics: Collection[str] | None = None,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[tuple[str, int, bytes]]:
        """Topic, stamp in ns since the epoch and serialized message, in the order of the stamps.

        topics: only these; none of them leaves nothing. start_ns, stop_ns: those from the one on,
        and before the other. Raises SemcomError for a topic that the bag does not have, and where
        it is damaged.
        """
        for name in topics or ():
            self.topic(name)
        wanted = [one for one in self._reader.connections if topics is None or one.topic in topics]
        if not wanted:
            return
        try:
            for connection, stamp, data in self._reader.messages(wanted, start_ns, stop_ns):
                yield connection.topic, stamp, bytes(data)
        except Exception as error:
            raise self._unreadable(error) from error

    def topic(self, name: str) -> Topic:
        """The topic `name`; SemcomError where the bag has none such."""
        if name not in self.topics:
            there = ", ".join(self.topics) or "none"
            raise SemcomError(f"'{self.path}' has no topic '{name}': there are {there}.")
        return self.topics[name]

    def deserialize(self, topic: str, cdr: bytes) -> Any:
        """A message with the fields that its type has, arrays as numpy's. Raises SemcomError."""
        type_name = self.topic(topic).type_name
        try:
            if type_name not in self._store.fielddefs:
                self._learn(topic)
            return self._store.deserialize_cdr(cdr, type_name)
        except Exception as error:
            reason = str(error).rstrip(".")
            raise SemcomError(
                f"A message of {topic} in '{self.path}' is no {type_name}: {reason}."
            ) from error

    def later(self, topic: str, cdr: bytes, by_ns: int) -> bytes:
        """The same message with the stamps of all its headers later by `by_ns`.

        Raises SemcomError.
        """
        message = self.deserialize(topic, cdr)
        try:
            shift_stamps(message, by_ns)
            return bytes(self._store.serialize_cdr(message, self.topics[topic].type_name))
        except Exception as error:
            raise SemcomError(
                f"The stamps of a message of {topic} in '{self.path}' cannot be made later by "
                f"{by_ns} ns: {error}."
            ) from error

    @property
    def start_ns(self) -> int:
        """The stamp of the first message, in ns since the epoch."""
        return self._reader.start_time

    @property
    def duration_s(self) -> float:
        """Seconds from the first message to the last."""
        return max(0, self._reader.duration - 1) / 1e9

    def table(self) -> list[Topic]:
        """The topics with their first and last stamps, for which the whole bag is read."""
        rows = dict(self.topics)
        for name, stamp, _ in self.messages():
            one = rows[name]
            first = stamp if one.first_ns is None else one.first_ns
            rows[name] = replace(one, first_ns=first, last_ns=stamp)
        return list(rows.values())

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _learn(self, topic: str) -> None:
        """Learn a type of somebody else's from the definition that the bag brings."""
        definition = self._reader.topics[topic].msgdef
        if definition.format == MessageDefinitionFormat.IDL:
            types = get_types_from_idl(definition.data)
        else:
            types = get_types_from_msg(definition.data, self.topics[topic].type_name)
        # One already known counts as it is known: names of fields differ in their case alone.
        self._store.register({k: v for k, v in types.items() if k not in self._store.fielddefs})

    def _unreadable(self, error: Exception) -> SemcomError:
        mend = _MENDS.get(self.path.suffix, "")
        reason = " ".join(str(error).split()).rstrip(".")
        return SemcomError(f"The bag '{self.path}' cannot be read ({reason}){mend}.")
