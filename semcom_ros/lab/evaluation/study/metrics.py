# SPDX-License-Identifier: Apache-2.0
"""Every metric of a study by name: what it measures of a frame, and how frames make one score."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from semcom_ros.lab.evaluation.study import frame_metrics as m
from semcom_ros.lab.evaluation.study.pools import (
    Pool,
    frechet,
    iou,
    kernel_distance,
    mean,
    missed,
    over_area,
    percentile_95,
    relative_frechet,
    share,
    whole,
)
from semcom_ros.lab.metrics.confusion import psnr
from semcom_ros.lab.metrics.pedestrians import BANDS
from semcom_ros.labels import NAMES, SUPERCLASS, TRAIN_ID

ALL = range(len(NAMES))
VULNERABLE = [TRAIN_ID[name] for name in ("person", "rider", "motorcycle", "bicycle")]
"""Vulnerable road users: who has no car around him, with what he rides."""


class Metric(NamedTuple):
    """measure, pool: of a frame, and from all frames to one score.

    text: what it is, for the report. better: `higher`, `lower`, or nothing. digits: behind the
    point in tables. image_only: it hangs on nothing but the original and the image shown. needs:
    the reader that must be there. timing: it differs from run to run. detail: it gets no plots of
    its own.
    """

    unit: str
    text: str
    measure: m.Measure
    pool: Pool = mean
    better: str = ""
    digits: int = 3
    image_only: bool = False
    needs: str = ""
    timing: bool = False
    detail: bool = False


def _of(name: str) -> m.Measure:
    """One of the fields of `Outcome`."""
    return attrgetter(f"outcome.{name}")


_JUDGED = "the judge's map of the image shown against the true map"
_PAIRS = {
    "": ("regenerated_vs_truth", _JUDGED, ""),
    "_sent_vs_truth": ("sent_vs_truth", "the map sent against the true one", "segmenter"),
    "_received_vs_truth": ("received_vs_truth", "the map received, or read at the RSU, against the "
                           "true one", ""),
    "_received_vs_sent": ("received_vs_sent", "the map received against the one sent", "link"),
    "_regenerated_vs_sent": ("regenerated_vs_sent", "the judge's map of the image shown against "
                             "the map sent", "regeneration"),
}  # fmt: skip
"""What the vehicle's truth becomes at the RSU, and who makes the three errors on its way there."""


def _maps(name: str, classes: Sequence[int], whose: str) -> dict[str, Metric]:
    return {
        name + suffix: Metric(
            "", f"{text}{whose}" + (f": the {culprit}'s error" if culprit else ""),
            m.confusion(pair), iou(classes), "higher",
            needs="judge" if pair.startswith("regenerated") else "")
        for suffix, (pair, text, culprit) in _PAIRS.items()
    }  # fmt: skip


def _missed(suffix: str, where: str, measure: m.Measure, needs: str = "") -> dict[str, Metric]:
    """The miss rate of pedestrians in each band of distances."""
    return {
        f"miss_rate{suffix}_{near}_{far}": Metric(
            "", f"share of the pedestrians {near} to {far} m away that {where} lacks",
            measure, missed(near, far), "lower", needs=needs, detail=True)
        for near, far in BANDS
    }  # fmt: skip


def _found(name: str, plural: str) -> Metric:
    return Metric("", f"share of the {plural} that COCO's detector finds in the original which it "
                  "finds in the image shown", m.found(name), share, "higher", image_only=True,
                  needs="detector")  # fmt: skip


def _depth(name: str, text: str, error, unit: str = "", digits: int = 3) -> dict[str, Metric]:
    """An error of the depth, and the same difference from what is estimated in the original."""
    return {
        f"depth_{name}{suffix}": Metric(
            unit, f"{text} {what}, to 80 m", m.depth_error(error, bool(suffix)), better="lower",
            digits=digits, image_only=True, needs="perception")
        for suffix, what in (
            ("", "error of the depth"),
            ("_vs_original", "difference from the depth estimated in the original"))
    }  # fmt: skip


def _kept(name: str, *classes: str) -> dict[str, Metric]:
    """How often a system sends `classes` for the room that they take."""
    return {f"kept_{name}": Metric(
        "", f"share of {' and '.join(classes)} in what rests on what came, over their share of the "
        "area: 1 where nothing is preferred", m.kept(tuple(TRAIN_ID[c] for c in classes)),
        over_area, "higher", 2, detail=True)}  # fmt: skip


METRICS: dict[str, Metric] = {
    "bytes": Metric("bytes/frame", "bytes of the packed payload", _of("bytes"), digits=0),
    "bytes_p95": Metric("bytes/frame", "bytes that 95 % of the payloads keep to", _of("bytes"),
                        whole(percentile_95), digits=0),
    "budget_used": Metric("%", "bytes sent of those allowed", lambda view: view.outcome.bytes and
                          view.outcome.budget and 100 * view.outcome.bytes / view.outcome.budget,
                          digits=1),
    "container_bytes": Metric("bytes/frame", "bytes of the standard's own file that are not sent: "
                              "headers and boxes that the receiver makes anew",
                              _of("container_bytes"), digits=0),
    "not_sent": Metric("", "share of frames that the vehicle could not bring under its bytes",
                       lambda view: bool(view.outcome.refusal), better="lower", detail=True),
    "bpp": Metric("bit/pixel", "bits a pixel of the frame's own grid", _of("bits_per_pixel"),
                  digits=4),
    "paper_bpp": Metric("bit/pixel", "bits a pixel by equations 2 to 4 of SQ-GAN's paper: of the "
                        "indices alone, where map and image cross as tokens",
                        m.published_bpp(positions=False), digits=4),
    "paper_bpp_positions": Metric("bit/pixel", "the same with the entropy of the positions, which "
                                  "the paper leaves out", m.published_bpp(positions=True),
                                  digits=4),
    "kbps": Metric("kbit/s", "bit rate at the frame rate of the data", lambda view:
                   view.outcome.bytes and 8 * view.outcome.bytes * view.data.rate_hz / 1e3,
                   digits=1),
    "channel_uses": Metric("symbols/frame", "complex symbols on the air", _of("channel_uses"),
                           digits=0),
    "lost": Metric("", "share of frames for which the RSU shows an older one", _of("lost"),
                   better="lower"),
    "psnr": Metric("dB", "peak signal-to-noise ratio of the image",
                   lambda view: psnr(view.frame.image, view.image), better="higher", digits=2,
                   image_only=True),
    "ms_ssim": Metric("", "multi-scale structural similarity of the image", m.ms_ssim,
                      better="higher", image_only=True),
    "lpips": Metric("", "LPIPS with AlexNet",
                    lambda view: view.readers.lpips(view.frame.image, view.image),
                    better="lower", image_only=True, needs="lpips"),
    "dists": Metric("", "DISTS with VGG-16",
                    lambda view: view.readers.dists(view.frame.image, view.image),
                    better="lower", image_only=True, needs="dists"),
    "lite2": Metric("", "distance of ImageNet's EfficientNet-Lite2's features at 1/2 to 1/16 of "
                    "the resolution, each pixel's at unit length, squared, summed: no network here "
                    "learnt from it", lambda view: view.readers.lite2(view.frame.image, view.image),
                    better="lower", image_only=True, needs="lite2"),
    "cars_found": _found("car", "cars"),
    "people_found": _found("person", "people"),
    "fid": Metric("", "Fréchet inception distance", m.inception_pair, whole(frechet), "lower", 2,
                  needs="inception"),
    "kid": Metric("", "kernel inception distance, unbiased, of all frames at once: 0 in the mean "
                  "where both are of one kind, and so below 0 at times", m.inception_pair,
                  whole(kernel_distance), "lower", 5, needs="inception"),
    "lite2_frechet": Metric("", "Fréchet distance of EfficientNet-Lite2's last pooling layer, as "
                            "FID is of Inception's",
                            lambda view: view.both("lite2", view.readers.lite2_features),
                            whole(frechet), "lower", 2, needs="lite2_pooled"),
    "segmenter_distance": Metric(
        "", "distance of the judge's features at 1/4, 1/8 and 1/16 of the resolution, each pixel's "
        "at unit length, squared: stands in for LPIPS", m.segmenter_distance, better="lower",
        image_only=True, needs="features"),
    "segmenter_frechet": Metric(
        "", "Fréchet distance of the judge's mean features at 1/16, over the originals' variance: "
        "stands in for FID", lambda view: view.both("features", view.readers.mean_features),
        whole(relative_frechet), "lower", needs="features"),
    "panel_miou": Metric("", "the panel's map of the image shown against the true map: a segmenter "
                         "that no generator's loss, teacher or choice has to do with",
                         m.confusion("panel_vs_truth"), iou(ALL), "higher", needs="panel"),
    **_maps("miou", ALL, ""),
    **_maps("miou_vru", VULNERABLE, ", of vulnerable road users alone"),
    "map": Metric("", "mean average precision of boxes at IoU 0.50 to 0.95 (COCO)", m.boxes,
                  whole(m.precision("ap")), "higher", needs="perception"),
    "map50": Metric("", "mean average precision of boxes at IoU 0.50", m.boxes,
                    whole(m.precision("ap50")), "higher", needs="perception"),
    "map_at_10": Metric("", "mean average precision of boxes at IoU 0.10", m.boxes,
                        whole(m.precision("ap", (0.1,))), "higher", needs="perception"),
    **_depth("rmse", "root mean square", lambda truth, found: np.sqrt(np.mean(
        np.square(found - truth))), "m", 2),
    **_depth("absrel", "mean relative", lambda truth, found: np.mean(
        np.abs(found - truth) / truth)),
    **_missed("", "the detections in the image shown", m.missed_in_image, "perception"),
    **_missed("_map", "the map received", m.missed_in_map),
    "flicker": Metric("grey levels", "change from frame to frame along the motion of the original, "
                      "beyond the original's own", m.flicker, better="lower", digits=2),
    "encode_ms": Metric("ms", "time to encode a frame on one thread, without the segmenter that a "
                        "map needs", _of("encode_ms"), digits=1, better="lower", timing=True),
    "decode_ms": Metric("ms", "time to decode a frame on one thread", _of("decode_ms"), digits=1,
                        better="lower", timing=True),
    **_kept("relevant", "pole", "traffic sign", "person", "rider"),
    **{k: v for name in ("pole", "traffic sign", "person", "rider", "sky", "road")
       for k, v in _kept(name.replace(" ", "_"), name).items()},
} | {
    f"iou_{name.replace(' ', '_')}": Metric(
        "", f"{_JUDGED}, of {name} alone", m.confusion("regenerated_vs_truth"), iou([i]), "higher",
        needs="judge", detail=True)
    for i, name in enumerate(NAMES) if name not in SUPERCLASS
}  # fmt: skip
"""Name -> metric. Means of images are means of the frames' values; mIoU pools pixels first."""

DEFAULT = ("bytes", "bpp", "kbps", "channel_uses", "lost", "psnr", "ms_ssim", "lpips", "dists",
           "lite2", "segmenter_distance", "fid", "kid", "lite2_frechet", "segmenter_frechet",
           "miou_sent_vs_truth", "miou_received_vs_sent", "miou_regenerated_vs_sent", "miou",
           "miou_vru",
           "iou_pole", "iou_traffic_sign", "iou_person", "iou_rider", "encode_ms",
           "decode_ms")  # fmt: skip
"""What a study measures where it names no metrics."""
