# SPDX-License-Identifier: Apache-2.0
"""`summary.json`: what one drive cost, how late it came, how much of it was right, what is missing.

Counts of the RSU are the RSU's own, from its diagnostics; sizes, latencies and scores are measured
at a subscriber of its topics.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Column

from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.demo.record import DriveRecord, Moment
from semcom_ros.lab.evaluation.shared import NOTHING, number, show
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.lab.rates import air_bytes, rates
from semcom_ros.parameter import Value
from semcom_ros.payload import REASONS

Summary = dict[str, Any]


class DriveScores:
    """Maps and pictures of a drive compared, frame by frame as they are added."""

    def __init__(self) -> None:
        self.sent_vs_truth = ConfusionMatrix(folded=True)
        self.received_vs_truth = ConfusionMatrix(folded=True)
        self.received_vs_sent = ConfusionMatrix()
        self.psnr: list[float] = []

    def add(self, moment: Moment) -> None:
        """Compare what there is of one moment."""
        for matrix, truth, estimate in (
            (self.sent_vs_truth, moment.truth, moment.sent),
            (self.received_vs_truth, moment.truth, moment.labels),
            (self.received_vs_sent, moment.sent, moment.labels),
        ):
            if truth is not None and estimate is not None:
                matrix.add(truth, estimate)
        if moment.image is not None:
            self.psnr.append(psnr(moment.original, moment.image))


def summarise(record: DriveRecord, scores: DriveScores, settings: Mapping[str, Value]) -> Summary:
    """All of `summary.json`; `settings` are the parameters that the graph was started with.

    Latencies are from the capture to the arrival at the recorder. mIoU is pooled over the
    frames that arrived, null where there is nothing to compare with.
    """
    sizes = [air_bytes(packed) for packed in record.payloads.values()]
    mean = round(float(np.mean(sizes))) if sizes else 0
    rate = rates(mean, *WORK_SIZE, settings["rate_hz"])
    return {
        **settings,
        **count_frames(record),
        "bytes_median": int(np.median(sizes)) if sizes else 0,
        "bytes_mean": mean,
        "bytes_max": max(sizes, default=0),
        "bits_per_pixel": round(rate.bits_per_pixel, 5),
        "bits_per_pixel_grid": f"{rate.height}x{rate.width}",
        "kbit_per_s": round(rate.kbit_per_s, 2),
        "channel_uses": rate.channel_uses,
        "label_latency_ms": _latency(record.latencies_ms(record.label_arrivals)),
        "image_latency_ms": _latency(record.latencies_ms(record.image_arrivals)),
        "rsu_rate_hz": _rate(record.image_arrivals),
        "miou_received_vs_truth": _rounded(scores.received_vs_truth.miou()),
        "miou_received_vs_sent": _rounded(scores.received_vs_sent.miou()),
        "miou_sent_vs_truth": _rounded(scores.sent_vs_truth.miou()),
        "iou_received_vs_truth": {
            n: _rounded(v) for n, v in scores.received_vs_truth.iou().items()
        },
        "iou_received_vs_sent": {n: _rounded(v) for n, v in scores.received_vs_sent.iou().items()},
        "psnr_image_vs_original_db": _rounded(np.mean(scores.psnr)) if scores.psnr else None,
        "node_restarts": dict(record.restarts),
        "cores": len(os.sched_getaffinity(0)),
    }


def count_frames(record: DriveRecord) -> Summary:
    """What became of every frame, station by station; what no station knows of is unaccounted for.

    frames_lost_before_vehicle: those that its camera published and DDS did not bring; 0 where the
    vehicle was started anew, since it then counts anew.
    frames_refused_at_vehicle: those that it could not encode, such as ones that are too small.
    frames_missing: those that the RSU knows, by their numbers, to have been sent and never come.
    frames_dropped, frames_duplicated: by the channel, with the reason why. frames_without_path:
    sent from a position that no path of the trace reaches.
    """
    camera, vehicle, channel, rsu = (
        # The whole numbers among the values of a node's diagnostics, and 0 for what it lacks.
        Counter({key: int(v) for key, v in record.status.get(node, {}).items() if v.isdecimal()})
        for node in ("camera_node", "vehicle_node", "channel_node", "rsu_node")
    )
    dropped = {key.removeprefix("dropped."): n for key, n in channel.items() if "dropped." in key}
    rejected = {reason: rsu[f"rejected.{reason}"] for reason in REASONS}
    captured, sent = len(record.captured), len(record.payloads)
    arrived, done = vehicle["received"], vehicle["superseded"] + vehicle["errors"]
    knows_all = "vehicle_node" not in record.restarts
    received, ended = rsu["received"], sum(rejected.values()) + rsu["superseded"]
    # The RSU misses most of what the channel dropped, but cannot know of what it dropped before the
    # first and after the last to arrive: the larger count holds the other, or nearly so.
    lost = max(rsu["missing"], sum(dropped.values()))
    left = {
        "between camera and vehicle": captured - arrived,
        "in the vehicle": arrived - done - sent,
        "between vehicle and RSU": sent + channel["duplicated"] - received - lost,
        "in the RSU": received - rsu["decoded"] - ended,
        "among the images published": rsu["decoded"] - len(record.images),
    }
    if record.sends_labels:
        maps = rsu["decoded"] + rsu["maps_only"]
        left["among the maps published"] = maps - len(record.labels)
    unaccounted = [
        f"{count} {where}" if count > 0 else f"{-count} too many {where}"
        for where, count in left.items()
        if count
    ]
    if record.repeated:
        unaccounted.append(f"{record.repeated} published twice")
    return {
        "frames_unreadable": camera["unreadable"],
        "frames_captured": captured,
        "frames_lost_before_vehicle": max(0, captured - arrived) * knows_all,
        "frames_superseded_at_vehicle": vehicle["superseded"],
        "frames_refused_at_vehicle": vehicle["errors"],
        "frames_sent": sent,
        "frames_dropped": dropped,
        "frames_duplicated": channel["duplicated"],
        "frames_without_path": channel["packets_without_path"],
        "frames_missing": rsu["missing"],
        "frames_received": received,
        "frames_decoded": rsu["decoded"],
        "frames_rejected": rejected,
        "frames_superseded": rsu["superseded"],
        "every_frame_accounted": not unaccounted,
        "frames_unaccounted": unaccounted,
    }


def show_summary(s: Summary) -> None:
    """Print the few lines of a summary that a user looks for."""

    def latency(what: str) -> str:
        ages = (number(s[f"{what}_latency_ms"][p], ".0f") for p in ("p50", "p99"))
        return " / ".join(ages) + " ms"

    reasons = ", ".join(f"{n} {reason}" for reason, n in s["frames_rejected"].items() if n)
    sent = (s["frames_sent"], s["frames_received"], s["frames_missing"])
    ended = (s["frames_decoded"], sum(s["frames_rejected"].values()), s["frames_superseded"])
    most = f"{s['bytes_max']} of {s['payload_bytes']}"
    rows = {
        "frames sent / received / missing": " / ".join(map(str, sent)),
        "decoded / rejected / superseded": " / ".join(map(str, ended)),
        "rejected because": reasons or NOTHING,
        "every frame accounted for": "; ".join(s["frames_unaccounted"]) or "yes",
        "bytes a frame, median / most": f"{s['bytes_median']} / {most}",
        "kbit/s": f"{s['kbit_per_s']:.1f}",
        "labels at the RSU, p50 / p99": latency("label"),
        "image at the RSU, p50 / p99": latency("image"),
        "RSU rate": number(s["rsu_rate_hz"], ".2f") + " Hz",
        "mIoU received against truth": number(s["miou_received_vs_truth"]),
        "mIoU received against sent": number(s["miou_received_vs_sent"]),
        "PSNR image against original": number(s["psnr_image_vs_original_db"], ".1f") + " dB",
    }
    title = f"{s['data']} by {s['codec']} over {s['channel']}"
    notes = [
        f"{name} died and was started anew, {times} in all: its log says why."
        for name, times in s["node_restarts"].items()
    ]
    if blocked := s["frames_without_path"]:
        notes.append(
            f"{blocked} of {s['frames_sent']} frames were lost at positions that no path of the "
            "trace reaches: trace_start says where the drive begins."
        )
    show(title, ("measure", Column("value", justify="right")), rows.items(), *notes)


def _latency(ages: list[float]) -> dict[str, float | None]:
    if not ages:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(ages, (50, 99))
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}


def _rate(arrivals: Mapping[int, int]) -> float | None:
    times = arrivals.values()
    if len(times) < 2:
        return None
    return round((len(times) - 1) * 1e9 / (max(times) - min(times)), 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
