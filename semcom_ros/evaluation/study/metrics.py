# SPDX-License-Identifier: Apache-2.0
"""Every metric of a study by name: what it measures of a frame, and how frames make one score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from semcom_ros.evaluation.study import measures as m
from semcom_ros.evaluation.study.backbones import frechet, relative_frechet
from semcom_ros.evaluation.study.pools import Pool, iou, mean, whole
from semcom_ros.evaluation.study.view import View
from semcom_ros.labels import NAMES, TRAIN_ID

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

METRICS: dict[str, Metric] = {
    "bytes": Metric("bytes/frame", "bytes of the packed payload", m.n_bytes, digits=0),
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
    "miou_sent_vs_truth": _map("the map sent against the true one: the segmenter's error",
                               m.sent_vs_truth),
    "miou_received_vs_sent": _map("the map received against the one sent: the link's error",
                                  m.received_vs_sent),
    "miou_regenerated_vs_truth": _map(_JUDGED, m.regenerated_vs_truth, "judge"),
    "miou_regenerated_vs_sent": _map(
        "the judge's map of the image shown against the map sent: the regeneration's error",
        m.regenerated_vs_sent, "judge"),
    "miou_vru": _map(f"{_JUDGED}, of vulnerable road users alone", m.regenerated_vs_truth, "judge",
                     VULNERABLE),
    "map": Metric("", "mean average precision of boxes at IoU 0.50 to 0.95 (COCO)", m.boxes,
                  whole(m.precision("ap")), "higher", needs="detector"),
    "map50": Metric("", "mean average precision of boxes at IoU 0.50", m.boxes,
                    whole(m.precision("ap50")), "higher", needs="detector"),
    "depth_rmse": Metric("m", "root mean square error of the depth, to 80 m", m.depth_rmse,
                         better="lower", digits=2, image_only=True, needs="depth"),
    "depth_absrel": Metric("", "mean relative error of the depth, to 80 m", m.depth_absrel,
                           better="lower", image_only=True, needs="depth"),
    "depth_rmse_vs_original": Metric(
        "m", "root mean square difference from the depth estimated in the original, to 80 m",
        m.depth_rmse_vs_original, better="lower", digits=2, image_only=True, needs="depth"),
    "depth_absrel_vs_original": Metric(
        "", "mean relative difference from the depth estimated in the original, to 80 m",
        m.depth_absrel_vs_original, better="lower", image_only=True, needs="depth"),
    "flicker": Metric("grey levels", "change from frame to frame along the motion of the original, "
                      "beyond the original's own", m.flicker, better="lower", digits=2),
    "encode_ms": Metric("ms", "time to encode a frame", m.encode_ms, digits=1, better="lower",
                        timing=True),
    "decode_ms": Metric("ms", "time to decode a frame", m.decode_ms, digits=1, better="lower",
                        timing=True),
} | {
    f"iou_{name.replace(' ', '_')}": _map(f"{_JUDGED}, of {name} alone", m.regenerated_vs_truth,
                                          "judge", [i], detail=True)
    for i, name in enumerate(NAMES)
}  # fmt: skip
"""Name -> metric. Means of images are means of the frames' values; mIoU pools pixels first."""

DEFAULT = ("bytes", "bpp", "kbps", "channel_uses", "lost", "psnr", "ms_ssim", "lpips",
           "segmenter_distance", "fid", "segmenter_frechet", "miou_sent_vs_truth",
           "miou_received_vs_sent", "miou_regenerated_vs_truth", "miou_regenerated_vs_sent",
           "miou_vru", "iou_pole", "iou_traffic_sign", "iou_person", "iou_rider", "encode_ms",
           "decode_ms")  # fmt: skip
"""What a study measures where it names no metrics."""
