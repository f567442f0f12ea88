# SPDX-License-Identifier: Apache-2.0
"""The RSU without ROS: batches of payloads in; maps, then images and what is seen in them, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from semcom_ros.codecs.base import Decoder
from semcom_ros.errors import SemcomError, given
from semcom_ros.frame import WORK_SIZE
from semcom_ros.payload import PayloadError
from semcom_ros.perception.backends import Perceive
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.fusion import MIN_AREA, fuse, objects_in, supported_labels
from semcom_ros.perception.perceive import Predictions
from semcom_ros.perception.projection import check_camera, project_detections, project_points
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.receiver import Arrival

INFERRED = 64
"""Confidence of labels that the RSU reads off a received image: none of them was received."""
METRIC = frozenset({"depth", "points", "detections_3d"})
WARM_UPS = 3

Wanted = frozenset[str]
"""Those of `percepts.FIELDS` that somebody waits for."""
Tell = Callable[[Arrival, Percepts], object]
"""Hears what is known of a frame before all of it is."""
T = TypeVar("T")


class Rsu:
    """Decodes and perceives; it keeps nothing from frame to frame but what the arrivals hold.

    perceive: by task (segmentation, detection, depth), what sees to it; tasks of one network share
    it, and it runs once a batch. min_area: fewest pixels of the received map that make a detection
    which no detector confirms.
    """

    def __init__(
        self,
        decoder: Decoder,
        perceive: Mapping[str, Perceive] | None = None,
        min_area: int = MIN_AREA,
    ) -> None:
        self.decoder = decoder
        self.perceive = dict(perceive or {})
        self.min_area = min_area

    def warm_up(self) -> Iterator[None]:
        """By steps, what the first image would wait for, in the thread that is going to make it."""
        self.decoder.warm_up()
        yield
        # Any image does, but relative depth wants a road, seen by some camera.
        image, road = np.zeros((*WORK_SIZE, 3), np.uint8), np.zeros(WORK_SIZE, np.uint8)
        for perceive in set(self.perceive.values()):
            for _ in range(WARM_UPS):
                with suppress(SemcomError):
                    perceive([image], [None], [road])
                yield

    def maps(self, batch: Sequence[Arrival]) -> list[Percepts]:
        """The map of each, before the image; one that cannot be decoded says so by `error`."""
        known = self._guarded(self.decoder.decode_labels, batch)
        found = []
        for arrival, one in zip(batch, known, strict=True):
            if isinstance(one, PayloadError):
                found.append(Percepts(error=one))
                continue
            arrival.memory.keep(arrival.payload.header.sequence, one)
            arrival.known = one
            percepts = Percepts(
                labels=one.labels,
                confidence=one.confidence,
                support=one.support,
                map_received=one.labels is not None,
            )
            found.append(percepts)
        return found

    def finds_objects(self, percepts: Percepts, wanted: Wanted) -> bool:
        """Whether objects of the map are wanted, and no detector will look for them."""
        alone = percepts.map_received and "detection" not in self.perceive
        return alone and percepts.error is None and bool(wanted & {"detections", "detections_3d"})

    def with_objects(self, arrival: Arrival, percepts: Percepts, wanted: Wanted) -> Percepts:
        """A map, and the objects in it."""
        return _View(self, arrival, percepts, wanted).with_objects()

    def unfinished(self, percepts: Percepts, wanted: Wanted) -> bool:
        """Whether somebody waits for what takes an image, or a look at it."""
        if percepts.error is not None:
            return False
        detects = "detections" in wanted and percepts.detections is None
        return not percepts.map_received or detects or bool(wanted & (METRIC | {"image"}))

    def images(
        self, batch: Sequence[Arrival], percepts: Sequence[Percepts], wanted: Sequence[Wanted],
        tell: Tell = lambda *_: None,
    ) -> list[Percepts]:  # fmt: skip
        """Images, told before anything looks at them, and what is seen; else the map's objects."""
        images = self._guarded(
            lambda items: self.decoder.decode_images(items, [given(i.known) for i in items]), batch
        )
        views = []
        for arrival, before, image, own in zip(batch, percepts, images, wanted, strict=True):
            if isinstance(image, PayloadError):
                # Whatever became of its image, the map was received, and so were its objects.
                before = replace(before, error=image)
            elif image is not None:
                arrival.memory.image = (arrival.payload.header.sequence, image)
                before = replace(before, image=image)
                tell(arrival, before)
            views.append(_View(self, arrival, before, own))
        self._look("segmentation", [view for view in views if view.lacks_labels])
        self._look("detection", [view for view in views if view.detects])
        self._look("depth", [view for view in views if view.measures])
        return [view.complete() for view in views]

    def _look(self, task: str, views: Sequence[_View]) -> None:
        """Let what sees to `task` look once at each image, all that it has not seen at once."""
        perceive = self.perceive.get(task)
        views = [v for v in views if v.percepts.image is not None and perceive not in v.seen]
        if perceive is None or not views:
            return
        try:
            found = perceive(
                [given(view.percepts.image) for view in views],
                [view.arrival.camera for view in views],
                [view.labels for view in views],
            )
            seen: list[tuple[_View, Predictions | None]] = list(zip(views, found, strict=True))
        except Exception as error:
            if len(views) > 1:
                for view in views:
                    self._look(task, [view])
                return
            views[0].failures.append(error)
            seen = [(views[0], None)]
        for view, predictions in seen:
            view.seen[perceive] = predictions
            if predictions is not None and predictions.problem:
                view.failures.append(SemcomError(predictions.problem))

    def _guarded(
        self, decode: Callable[[Sequence[Arrival]], Sequence[T | PayloadError]],
        batch: Sequence[Arrival],
    ) -> Sequence[T | PayloadError]:  # fmt: skip
        """A decoder that stumbles over a payload cannot read it, whosever fault that is."""
        try:
            return [one for _, one in zip(batch, decode(batch), strict=True)]
        except Exception as error:
            if len(batch) == 1:
                return [unreadable(error)]
        return [one for arrival in batch for one in self._guarded(decode, [arrival])]


def unreadable(error: Exception) -> PayloadError:
    """The rejection of a payload at which `error` was raised: its own where it is one."""
    if isinstance(error, PayloadError):
        return error
    failure = PayloadError("malformed", str(error))
    failure.__cause__ = error
    return failure


class _View:
    """One frame while it is looked at. seen: by what looked, what it saw, None where it failed."""

    def __init__(self, rsu: Rsu, arrival: Arrival, percepts: Percepts, wanted: Wanted) -> None:
        self.rsu, self.arrival, self.percepts, self.wanted = rsu, arrival, percepts, wanted
        self.seen: dict[Perceive | None, Predictions | None] = {}
        self.failures: list[Exception] = []
        self.remarks: list[str] = []
        self.measures = bool(wanted & METRIC) and self._camera_measures()

    def _camera_measures(self) -> bool:
        """Whether metres can be told; remarks on what bars it."""
        try:
            check_camera(self.arrival.source_camera)
            if "depth" not in self.rsu.perceive:
                raise SemcomError(
                    "Somebody listens to depth, points or detections_3d, and no network is there "
                    "for it: set the parameter depth to shipped or to a checkpoint."
                )
        except SemcomError as error:
            self.remarks.append(str(error))
            return False
        return True

    @property
    def labels(self) -> np.ndarray | None:
        """The map, received or read off the image."""
        if self.percepts.labels is not None:
            return self.percepts.labels
        return self.predicted("segmentation", "segmentation")

    @property
    def lacks_labels(self) -> bool:
        """Whether somebody wants a map, be it for what is made from it, and none was received."""
        alone = "detections" in self.wanted and "detection" not in self.rsu.perceive
        wanted = "labels" in self.wanted or alone or self.measures
        return wanted and not self.percepts.map_received

    @property
    def detects(self) -> bool:
        return "detections" in self.wanted or self._places

    @property
    def _places(self) -> bool:
        return self.measures and "detections_3d" in self.wanted

    def predicted(self, task: str, field: str) -> Any:
        """What `task` said of the image; None where nothing looked, or failed."""
        predictions = self.seen.get(self.rsu.perceive.get(task))
        return None if predictions is None else getattr(predictions, field)

    def with_objects(self) -> Percepts:
        """The percepts with what is published as observed, where that is wanted."""
        if self.detects and self.percepts.detections is None:
            with self._left_out():
                self.percepts = replace(self.percepts, detections=self._objects())
        return self._told()

    def complete(self) -> Percepts:
        """All that is wanted and known."""
        labels = self.labels
        if self.percepts.labels is None and labels is not None:
            confidence = np.full(labels.shape, INFERRED, np.uint8)
            self.percepts = replace(self.percepts, labels=labels, confidence=confidence)
        self.with_objects()
        depth = self.predicted("depth", "depth") if self.measures else None
        if depth is not None:
            with self._left_out():
                self._measure(depth)
        return self._told()

    def _objects(self) -> list[Detection] | None:
        """None where nothing could look for it, or that failed."""
        found = self.predicted("detection", "detections")
        if self.percepts.labels is not None and found is None:
            return objects_in(self.percepts, self.rsu.min_area)
        # An image that was received is evidence itself; one made from a map is none beside it.
        if self.percepts.map_received:
            return fuse(found, self.percepts, self.rsu.min_area)
        return found

    def _measure(self, depth: np.ndarray) -> None:
        if "depth" in self.wanted:
            self.percepts = replace(self.percepts, depth=depth)
        objects, camera = self.percepts.detections, self.arrival.camera
        if self._places and objects is not None:
            known = self.percepts.labels is not None
            labels = supported_labels(self.percepts) if known else None
            placed = project_detections(objects, depth, camera, labels)
            self.percepts = replace(
                self.percepts, detections_3d=placed, unplaced=len(objects) - len(placed)
            )
        if "points" in self.wanted:
            self.percepts = replace(self.percepts, points=project_points(depth, camera))

    @contextmanager
    def _left_out(self) -> Iterator[None]:
        """Leave out what fails: the other parts go on."""
        try:
            yield
        except Exception as error:
            self.failures.append(error)

    def _told(self) -> Percepts:
        return replace(self.percepts, failures=tuple(self.failures), remarks=tuple(self.remarks))
