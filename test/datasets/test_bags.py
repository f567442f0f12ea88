# SPDX-License-Identifier: Apache-2.0
"""Bags are written as Jazzy's rosbag2 reads them, and read whoever wrote them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from rosbags.interfaces import QosDurability, QosHistory, QosReliability
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg

from semcom_ros.datasets import open_source
from semcom_ros.datasets.bags import STORAGES, BagReader, BagWriter, Qos, Topic, table_text
from semcom_ros.datasets.bags.topics import qos_of
from semcom_ros.datasets.bags.types import type_store
from semcom_ros.errors import SemcomError

STORE = type_store()
START = 1_700_000_000 * 10**9
FILES = {"mcap": "drive.mcap", "sqlite3": "drive.db3"}
FOREVER = {"sec": 9223372036, "nsec": 854775807}
TEXT, TRANSFORM = "std_msgs/msg/String", "tf2_msgs/msg/TFMessage"


def text(data: str) -> memoryview:
    return STORE.serialize_cdr(STORE.types[TEXT](data), TEXT)


def write(path: Path, storage: str = "mcap") -> None:
    """Three messages of /said and one of /tf_static, not in the order of their stamps."""
    with BagWriter(path, storage) as bag:
        said = bag.topic("/said", TEXT, Qos())
        static = bag.topic("/tf_static", TRANSFORM, Qos(latched=True, depth=1))
        bag.note("source", "camvid:x")
        for i in (0, 2, 1):
            bag.write(said, START + i * 10**8, text(str(i)))
        empty = STORE.serialize_cdr(STORE.types[TRANSFORM]([]), TRANSFORM)
        bag.write(static, START, empty)


def recorded(durability: str, depth: int) -> list[dict]:
    return [
        {
            "history": "keep_last",
            "depth": depth,
            "reliability": "reliable",
            "durability": durability,
            "deadline": FOREVER,
            "lifespan": FOREVER,
            "liveliness": "automatic",
            "liveliness_lease_duration": FOREVER,
            "avoid_ros_namespace_conventions": False,
        }
    ]


@pytest.mark.parametrize("storage", STORAGES)
def test_the_metadata_holds_every_field_that_jazzy_reads(tmp_path: Path, storage: str) -> None:
    write(tmp_path / "drive", storage)
    span = {
        "starting_time": {"nanoseconds_since_epoch": START},
        "duration": {"nanoseconds": 2 * 10**8},
        "message_count": 4,
    }
    topics = [
        {
            "topic_metadata": {
                "name": name,
                "type": kind,
                "serialization_format": "cdr",
                "offered_qos_profiles": qos,
                "type_description_hash": STORE.hash_rihs01(kind),
            },
            "message_count": count,
        }
        for name, kind, qos, count in (
            ("/said", TEXT, recorded("volatile", 5), 3),
            ("/tf_static", TRANSFORM, recorded("transient_local", 1), 1),
        )
    ]
    wanted = {
        "version": 9,
        "storage_identifier": storage,
        **span,
        "topics_with_message_count": topics,
        "relative_file_paths": [FILES[storage]],
        "compression_format": "",
        "compression_mode": "",
        "files": [{"path": FILES[storage], **span}],
        "custom_data": {"source": "camvid:x"},
        "ros_distro": "rosbags",
    }
    metadata = yaml.safe_load((tmp_path / "drive" / "metadata.yaml").read_text())
    assert metadata == {"rosbag2_bagfile_information": wanted}


def test_another_reader_of_mcap_finds_the_same(tmp_path: Path) -> None:
    write(tmp_path / "drive")
    with (tmp_path / "drive" / "drive.mcap").open("rb") as file:
        reader = make_reader(file)
        summary, header = reader.get_summary(), reader.get_header()
        found = [(c.topic, s.name, m.log_time, m.data) for s, c, m in reader.iter_messages()]
        (noted,) = reader.iter_metadata()
    assert header.profile == "ros2" and summary.statistics.message_count == 4
    said = [(t, s, at, bytes(d)) for t, s, at, d in found if t == "/said"]
    wanted = [("/said", TEXT, START + i * 10**8, bytes(text(str(i)))) for i in range(3)]
    assert said == wanted
    channels = {one.topic: one for one in summary.channels.values()}
    qos = yaml.safe_load(channels["/tf_static"].metadata["offered_qos_profiles"])
    assert qos == recorded("transient_local", 1)
    assert all(one.message_encoding == "cdr" for one in channels.values())
    assert {one.encoding for one in summary.schemas.values()} == {"ros2msg"}
    assert noted.name == "rosbag2" and "version: 9" in noted.metadata["serialized_metadata"]


@pytest.mark.parametrize("storage", STORAGES)
def test_what_was_written_is_read_in_the_order_of_its_stamps(tmp_path: Path, storage: str) -> None:
    write(tmp_path / "drive", storage)
    for path in (tmp_path / "drive", tmp_path / "drive" / FILES[storage]):
        with BagReader(path) as bag:
            messages = list(bag.messages(["/said"]))
            assert [stamp for _, stamp, _ in messages] == [START + i * 10**8 for i in range(3)]
            assert [bag.deserialize(name, cdr).data for name, _, cdr in messages] == list("012")
            assert len(list(bag.messages())) == 4 and not list(bag.messages([]))
            assert bag.topics["/said"] == Topic("/said", TEXT, Qos(), 3)
            assert bag.topics["/tf_static"].qos == Qos(latched=True, depth=1)
            assert [(one.count, one.first_ns, one.last_ns) for one in bag.table()] == [
                (3, START, START + 2 * 10**8),
                (1, START, START),
            ]


@pytest.mark.parametrize("storage", STORAGES)
def test_the_same_input_makes_the_same_bytes(tmp_path: Path, storage: str) -> None:
    hashes = set()
    for place in ("one", "two"):
        write(tmp_path / place / "drive", storage)
        files = sorted((tmp_path / place / "drive").iterdir())
        assert [file.name for file in files] == sorted(["metadata.yaml", FILES[storage]])
        hashes.add(hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest())
    assert len(hashes) == 1


def test_the_table_says_what_a_bag_holds(tmp_path: Path) -> None:
    write(tmp_path / "drive")
    with BagReader(tmp_path / "drive") as bag:
        lines = table_text(bag.table()).splitlines()
    assert lines[0].split() == ["topic", "type", "messages", "Hz", "first", "last", "QoS"]
    cells = [re.split(r"\s\s+", line) for line in lines[1:]]
    first, last = "2023-11-14 22:13:20.000", "2023-11-14 22:13:20.200"
    assert cells == [
        ["/said", TEXT, "3", "10.00", first, last, "reliable, 5"],
        ["/tf_static", TRANSFORM, "1", "-", first, first, "reliable, latched, 1"],
    ]


def test_qos_that_a_recorder_could_not_know_is_what_rosbag2_would_play() -> None:
    unknown = Qos().recorded._replace(history=QosHistory.UNKNOWN, depth=0)
    latched = unknown._replace(durability=QosDurability.TRANSIENT_LOCAL)
    careless = unknown._replace(reliability=QosReliability.BEST_EFFORT)
    assert qos_of([unknown], "/x") == Qos(depth=10)
    assert qos_of([latched], "/x") == Qos(latched=True, depth=10)
    # Of several publishers all must keep to what a player offers.
    assert qos_of([latched, careless], "/x") == Qos(reliable=False, depth=10)
    # One player keeps for those who come later what each of several kept.
    once = Qos(latched=True, depth=1)
    assert qos_of([once.recorded] * 3, "/tf_static") == Qos(latched=True, depth=3)
    assert qos_of([], "/vehicle_1/tf_static").latched and not qos_of([], "/x").latched
    everything = Qos(keep_all=True)
    assert qos_of([everything.recorded], "/x") == everything


@pytest.mark.parametrize(
    ("storage", "mode"),
    [("MCAP", "STORAGE"), *((s, m) for s in ("MCAP", "SQLITE3") for m in ("FILE", "MESSAGE"))],
)
def test_compressed_bags_of_others_are_read(tmp_path: Path, storage: str, mode: str) -> None:
    theirs = Writer(tmp_path / "theirs", version=8, storage_plugin=StoragePlugin[storage])
    theirs.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)
    with theirs as bag:
        said = bag.add_connection("/said", TEXT, typestore=STORE)
        bag.write(said, START, text("x" * 99))
    with BagReader(tmp_path / "theirs") as read:
        assert list(read.messages()) == [("/said", START, bytes(text("x" * 99)))]


def test_a_type_that_only_the_bag_knows_is_read_by_its_definition(tmp_path: Path) -> None:
    name = "their_msgs/msg/Level"
    store = type_store()
    store.register(get_types_from_msg("std_msgs/Header header\nfloat32[] levels", name))
    with Writer(tmp_path / "theirs", version=8) as bag:
        topic = bag.add_connection("/level", name, typestore=store)
        header = STORE.types["std_msgs/msg/Header"](
            STORE.types["builtin_interfaces/msg/Time"](1, 2), "base"
        )
        message = store.types[name](header, np.array([0.5, 1.5], np.float32))
        bag.write(topic, START, store.serialize_cdr(message, name))
    with BagReader(tmp_path / "theirs") as read:
        ((topic_name, _, cdr),) = read.messages()
        assert read.deserialize(topic_name, cdr).levels.tolist() == [0.5, 1.5]


def test_a_bag_that_an_error_leaves_unfinished_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mid-way"), BagWriter(tmp_path / "drive") as bag:
        bag.write(bag.topic("/said", TEXT, Qos()), START, text("x"))
        raise ValueError("mid-way")
    assert not (tmp_path / "drive").exists()


def test_what_cannot_be_written_or_read_is_a_sentence(tmp_path: Path) -> None:
    write(tmp_path / "drive")
    with pytest.raises(SemcomError, match=r"drive' exists: a bag is written to a place"):
        BagWriter(tmp_path / "drive")
    with pytest.raises(SemcomError, match="storage"):
        BagWriter(tmp_path / "other", "bag")
    with BagWriter(tmp_path / "other") as bag:
        with pytest.raises(SemcomError, match="their_msgs/msg/Level of /level is none"):
            bag.topic("/level", "their_msgs/msg/Level", Qos())
        bag.topic("/said", TEXT, Qos())
        with pytest.raises(SemcomError, match="has the topic /said already"):
            bag.topic("/said", TEXT, Qos())
    with BagReader(tmp_path / "drive") as read:
        with pytest.raises(SemcomError, match="no topic '/heard': there are /said, /tf_static"):
            list(read.messages(["/heard"]))
        with pytest.raises(
            SemcomError, match=r"A message of /said in .* is no std_msgs/msg/String: .*[^.]\.$"
        ):
            read.deserialize("/said", b"\x00\x01\x00\x00\xff")
    with pytest.raises(SemcomError, match="There is no '.*nowhere'"):
        BagReader(tmp_path / "nowhere")
    with pytest.raises(SemcomError, match=r"has no metadata\.yaml: it is no bag"):
        BagReader(tmp_path)
    (tmp_path / "metadata.yaml").write_text("a: [")
    with pytest.raises(SemcomError, match="cannot be read") as told:
        BagReader(tmp_path)
    assert "\n" not in str(told.value)
    for name, mend in (
        ("notes.txt", ""),
        ("cut.mcap", ": where its recording was cut off, 'mcap recover'"),
        ("cut.db3", ""),
        ("old.bag", ": it is of ROS 1, and 'rosbags-convert --src"),
        ("drive.mcap.zstd", ": name its folder"),
    ):
        (tmp_path / name).write_text("no bag")
        with pytest.raises(SemcomError, match=rf"'.*{name}' cannot be read \(.*\){mend}"):
            open_source(str(tmp_path / name) if name == "old.bag" else f"bag:{tmp_path}/{name}")
