# SPDX-License-Identifier: Apache-2.0
"""`summary.json`: what one drive cost, how late it came, how much of it was right, what is missing.

Counts of the RSU are the RSU's own, from its diagnostics; sizes, latencies and scores are measured
at a subscriber of its topics.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.table import Table

from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.lab.rates import rates
from semcom_ros.nodes.record import Moment, Record
from semcom_ros.parameter import Value
from semcom_ros.payload import REASONS

Summary = dict[str, object]


class Scores:
    """Maps and pictures of a drive compared, frame by frame as they are added."""

    def __init__(self) -> None:
        self.sent_vs_truth = ConfusionMatrix(folded=True)
        self.received_vs_truth = ConfusionMatrix(folded=True)
        self.received_vs_sent = ConfusionMatrix()
        self.psnr: list[float] = []

    def add(self, moment: Moment) -> None:
        """Compare what there is of one moment."""
        pairs = (
            (self.sent_vs_truth, moment.truth, moment.sent),
            (self.received_vs_truth, moment.truth, moment.labels),
            (self.received_vs_sent, moment.sent, moment.labels),
        )
        for matrix, truth, estimate in pairs:
            if truth is not None and estimate is not None:
                matrix.add(truth, estimate)
        if moment.image is not None:
            self.psnr.append(psnr(moment.original, moment.image))


def summarise(record: Record, scores: Scores, settings: Mapping[str, Value]) -> Summary:
    """All of `summary.json`; `settings` are the parameters that the graph was started with.

    Latencies are from the capture stamp to the arrival at the recorder. mIoU is pooled over the
    frames that arrived, null where there is nothing to compare with.
    """
    sizes = [len(payload) for payload in record.payloads.values()]
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
        "label_latency_ms": _latency(record.label_arrivals),
        "image_latency_ms": _latency(record.image_arrivals),
        "rsu_rate_hz": _rate(record.image_arrivals),
        "miou_received_vs_truth": _rounded(scores.received_vs_truth.miou()),
        "miou_received_vs_sent": _rounded(scores.received_vs_sent.miou()),
        "miou_sent_vs_truth": _rounded(scores.sent_vs_truth.miou()),
        "iou_received_vs_truth": _rounded_all(scores.received_vs_truth.iou()),
        "iou_received_vs_sent": _rounded_all(scores.received_vs_sent.iou()),
        "psnr_image_vs_original_db": _rounded(np.mean(scores.psnr)) if scores.psnr else None,
        "cores": len(os.sched_getaffinity(0)),
    }


def count_frames(record: Record) -> Summary:
    """What became of every frame, station by station; what no station knows of is unaccounted for.

    frames_refused_at_vehicle: those that it could not encode, such as ones that are too small.
    frames_missing: those that the RSU knows, by their numbers, to have been sent and never come.
    frames_dropped, frames_duplicated: by the channel, with the reason why.
    """
    vehicle = _counts(record, "vehicle_node")
    channel = _counts(record, "channel_node")
    rsu = _counts(record, "rsu_node")
    dropped = {key.removeprefix("dropped."): n for key, n in channel.items() if "dropped." in key}
    duplicated = channel.get("duplicated", 0)
    rejected = {reason: rsu.get(f"rejected.{reason}", 0) for reason in REASONS}
    captured, sent = len(record.captured), len(record.payloads)
    arrived, overtaken, refused = (vehicle.get(n, 0) for n in ("received", "superseded", "errors"))
    received, decoded = rsu.get("received", 0), rsu.get("decoded", 0)
    superseded, never_came = rsu.get("superseded", 0), rsu.get("missing", 0)
    done = decoded + sum(rejected.values()) + superseded
    left = {
        "between camera and vehicle": captured - arrived,
        "in the vehicle": arrived - overtaken - refused - sent,
        # The RSU misses most of what the channel dropped, but cannot know of what it dropped before
        # the first and after the last to arrive: the larger count holds the other, or nearly so.
        "between vehicle and RSU": sent
        + duplicated
        - received
        - max(never_came, sum(dropped.values())),
        "in the RSU": received - done,
        "among the images published": decoded - len(record.images),
    }
    if record.sends_labels:
        maps_only = rsu.get("maps_only", 0)
        left["among the maps published"] = decoded + maps_only - len(record.labels)
    unaccounted = [
        f"{count} {where}" if count > 0 else f"{-count} too many {where}"
        for where, count in left.items()
        if count
    ]
    if record.repeated:
        unaccounted.append(f"{record.repeated} published twice")
    return {
        "frames_unreadable": _counts(record, "camera_node").get("unreadable", 0),
        "frames_captured": captured,
        "frames_superseded_at_vehicle": overtaken,
        "frames_refused_at_vehicle": refused,
        "frames_sent": sent,
        "frames_dropped": dropped,
        "frames_duplicated": duplicated,
        "frames_missing": never_came,
        "frames_received": received,
        "frames_decoded": decoded,
        "frames_rejected": rejected,
        "frames_superseded": superseded,
        "every_frame_accounted": not unaccounted,
        "frames_unaccounted": unaccounted,
    }


def save_summary(path: Path, summary: Summary) -> None:
    """Write `summary` as JSON."""
    path.write_text(json.dumps(summary, indent=2) + "\n")


def summary_table(summary: Summary) -> Table:
    """The few lines of `summary` that a user looks for."""
    rejected = sum(summary["frames_rejected"].values())
    reasons = ", ".join(f"{n} {reason}" for reason, n in summary["frames_rejected"].items() if n)
    table = Table(title=f"{summary['data']} by {summary['codec']} over {summary['channel']}")
    table.add_column("measure")
    table.add_column("value", justify="right")
    rows = {
        "frames sent / received / missing": (
            f"{summary['frames_sent']} / {summary['frames_received']} / {summary['frames_missing']}"
        ),
        "decoded / rejected / superseded": (
            f"{summary['frames_decoded']} / {rejected} / {summary['frames_superseded']}"
        ),
        "rejected because": reasons or "-",
        "every frame accounted for": (
            "yes" if summary["every_frame_accounted"] else "; ".join(summary["frames_unaccounted"])
        ),
        "bytes a frame, median / most": (
            f"{summary['bytes_median']} / {summary['bytes_max']} of {summary['payload_bytes']}"
        ),
        "kbit/s": f"{summary['kbit_per_s']:.1f}",
        "labels at the RSU, p50 / p99": _milliseconds(summary["label_latency_ms"]),
        "image at the RSU, p50 / p99": _milliseconds(summary["image_latency_ms"]),
        "RSU rate": _or_dash(summary["rsu_rate_hz"], "{:.2f} Hz"),
        "mIoU received against truth": _or_dash(summary["miou_received_vs_truth"], "{:.3f}"),
        "mIoU received against sent": _or_dash(summary["miou_received_vs_sent"], "{:.3f}"),
        "PSNR image against original": _or_dash(summary["psnr_image_vs_original_db"], "{:.1f} dB"),
    }
    for measure, value in rows.items():
        table.add_row(measure, value)
    return table


def _counts(record: Record, node: str) -> dict[str, int]:
    """The whole numbers among the values of a node's diagnostics."""
    values = record.status.get(node, {})
    return {key: int(value) for key, value in values.items() if value.isdecimal()}


def _latency(arrivals: Mapping[int, int]) -> dict[str, float | None]:
    if not arrivals:
        return {"p50": None, "p99": None}
    ages = [(arrival - stamp) / 1e6 for stamp, arrival in arrivals.items()]
    p50, p99 = np.percentile(ages, (50, 99))
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}


def _rate(arrivals: Mapping[int, int]) -> float | None:
    times = arrivals.values()
    if len(times) < 2:
        return None
    return round((len(times) - 1) * 1e9 / (max(times) - min(times)), 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _rounded_all(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _milliseconds(latency: Mapping[str, float | None]) -> str:
    return " / ".join(_or_dash(latency[p], "{:.0f}") for p in ("p50", "p99")) + " ms"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
