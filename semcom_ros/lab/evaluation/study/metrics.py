# SPDX-License-Identifier: Apache-2.0
"""Every metric of a study by name: what it measures of a frame, and how frames make one score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from semcom_ros.lab.evaluation.study import frame_metrics as m
from semcom_ros.lab.evaluation.study.backbones import frechet, relative_frechet
from semcom_ros.lab.evaluation.study.pools import Pool, iou, mean, missed, percentile_95, whole
from semcom_ros.lab.evaluation.study.view import View
from semcom_ros.lab.metrics.pedestrians import BANDS
from semcom_ros.labels import NAMES, SUPERCLASS, TRAIN_ID

ALL = range(len(NAMES))
VULNERABLE = [TRAIN_ID[name] for name in ("person", "rider", "motorcycle", "bicycle")]
"""Vulnerable road users: who has no car around him, with what he rides."""


class Metric(NamedTuple):
    """measure: a frame's number or whatever `pool` takes, or None where nothing applies.

    text: what it is, for the report. better: `higher`, `lower`, or nothing. digits: behind the
    point in tables. image_only: it hangs on nothing but the original and the image shown. needs:
    the reader or the backbone that must be there. timing: it differs from run to run. detail: it
    gets no plots of its own.
    """

    unit: str
    text: str
    measure: Callable[[View], Any]
    pool: Pool = mean
    better: str = ""
    digits: int = 3
    image_only: bool = False
    needs: str = ""
    timing: bool = False
    detail: bool = False


def _map(text: str, measure: Callable[[View], Any], needs: str = "", classes=ALL, **more) -> Metric:
    return Metric("", text, measure, iou(classes), "higher", needs=needs, **more)


_JUDGED = "the judge's map of the image shown against the true map"


def _maps(name: str, classes: Sequence[int], whose: str = "") -> dict[str, Metric]:
    """What the vehicle's truth becomes at the RSU, and the three errors on its way there."""
    return {
        name: _map(f"{_JUDGED}{whose}", m.regenerated_vs_truth, "judge", classes),
        f"{name}_sent_vs_truth": _map(
            f"the map sent against the true one{whose}: the segmenter's error",
            m.sent_vs_truth, classes=classes),
        f"{name}_received_vs_sent": _map(
            f"the map received against the one sent{whose}: the link's error",
            m.received_vs_sent, classes=classes),
        f"{name}_regenerated_vs_sent": _map(
            f"the judge's map of the image shown against the map sent{whose}: the regeneration's "
            "error", m.regenerated_vs_sent, "judge", classes),
    }  # fmt: skip


def _missed(suffix: str, where: str, measure: Callable[[View], Any], **more) -> dict[str, Metric]:
    """The miss rate of pedestrians in each band of distances."""
    return {
        f"miss_rate{suffix}_{near}_{far}": Metric(
            "", f"share of the pedestrians {near} to {far} m away that {where} lacks",
            measure, missed(near, far), "lower", detail=True, **more)
        for near, far in BANDS
    }  # fmt: skip


METRICS: dict[str, Metric] = {
    "bytes": Metric("bytes/frame", "bytes of the packed payload", m.n_bytes, digits=0),
    "bytes_p95": Metric("bytes/frame", "bytes that 95 % of the payloads keep to", m.n_bytes,
                        whole(percentile_95), digits=0),
    "budget_used": Metric("%", "bytes sent of those allowed", m.budget_used, digits=1),
    "container_bytes": Metric("bytes/frame", "bytes of the standard's own file that are not sent: "
                              "headers and boxes that the receiver makes anew",
                              m.container_bytes, digits=0),
    "not_sent": Metric("", "share of frames that the vehicle could not bring under its bytes",
                       m.not_sent, better="lower", detail=True),
    "bpp": Metric("bit/pixel", "bits a pixel of the frame's own grid", m.bpp, digits=4),
    "kbps": Metric("kbit/s", "bit rate at the frame rate of the data", m.kbps, digits=1),
    "channel_uses": Metric("symbols/frame", "complex symbols on the air", m.channel_uses, digits=0),
    "lost": Metric("", "share of frames for which the RSU shows an older one", m.lost,
                   better="lower"),
    "psnr": Metric("dB", "peak signal-to-noise ratio of the image", m.psnr, better="higher",
                   digits=2, image_only=True),
    "ms_ssim": Metric("", "multi-scale structural similarity of the image", m.ms_ssim,
                      better="higher", image_only=True),
    "lpips": Metric("", "LPIPS with AlexNet", m.lpips, better="lower", image_only=True,
                    needs="lpips"),
    "fid": Metric("", "Fréchet inception distance", m.inception_pair, whole(frechet), "lower", 2,
                  needs="inception"),
    "segmenter_distance": Metric(
        "", "distance of the judge's features at 1/4, 1/8 and 1/16 of the resolution, each pixel's "
        "at unit length, squared: stands in for LPIPS", m.segmenter_distance, better="lower",
        image_only=True, needs="judge"),
    "segmenter_frechet": Metric(
        "", "Fréchet distance of the judge's mean features at 1/16, over the originals' variance: "
        "stands in for FID", m.judge_pair, whole(relative_frechet), "lower", needs="judge"),
    **_maps("miou", ALL),
    **_maps("miou_vru", VULNERABLE, ", of vulnerable road users alone"),
    "map": Metric("", "mean average precision of boxes at IoU 0.50 to 0.95 (COCO)", m.boxes,
                  whole(m.precision("ap")), "higher", needs="perception"),
    "map50": Metric("", "mean average precision of boxes at IoU 0.50", m.boxes,
                    whole(m.precision("ap50")), "higher", needs="perception"),
    "depth_rmse": Metric("m", "root mean square error of the depth, to 80 m", m.depth_rmse,
                         better="lower", digits=2, image_only=True, needs="perception"),
    "depth_absrel": Metric("", "mean relative error of the depth, to 80 m", m.depth_absrel,
                           better="lower", image_only=True, needs="perception"),
    "depth_rmse_vs_original": Metric(
        "m", "root mean square difference from the depth estimated in the original, to 80 m",
        m.depth_rmse_vs_original, better="lower", digits=2, image_only=True, needs="perception"),
    "depth_absrel_vs_original": Metric(
        "", "mean relative difference from the depth estimated in the original, to 80 m",
        m.depth_absrel_vs_original, better="lower", image_only=True, needs="perception"),
    **_missed("", "the detections in the image shown", m.missed_in_image, needs="perception"),
    **_missed("_map", "the map received", m.missed_in_map),
    "flicker": Metric("grey levels", "change from frame to frame along the motion of the original, "
                      "beyond the original's own", m.flicker, better="lower", digits=2),
    "encode_ms": Metric("ms", "time to encode a frame on one thread, without the segmenter that a "
                        "map needs", m.encode_ms, digits=1, better="lower", timing=True),
    "decode_ms": Metric("ms", "time to decode a frame on one thread", m.decode_ms, digits=1,
                        better="lower", timing=True),
} | {
    f"iou_{name.replace(' ', '_')}": _map(f"{_JUDGED}, of {name} alone", m.regenerated_vs_truth,
                                          "judge", [i], detail=True)
    for i, name in enumerate(NAMES) if name not in SUPERCLASS
}  # fmt: skip
"""Name -> metric. Means of images are means of the frames' values; mIoU pools pixels first."""

DEFAULT = ("bytes", "bpp", "kbps", "channel_uses", "lost", "psnr", "ms_ssim", "lpips",
           "segmenter_distance", "fid", "segmenter_frechet", "miou_sent_vs_truth",
           "miou_received_vs_sent", "miou_regenerated_vs_sent", "miou", "miou_vru",
           "iou_pole", "iou_traffic_sign", "iou_person", "iou_rider", "encode_ms",
           "decode_ms")  # fmt: skip
"""What a study measures where it names no metrics."""
