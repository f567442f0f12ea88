# SPDX-License-Identifier: Apache-2.0
"""The roadside unit: payloads in; map, regenerated image and what is seen of the street out.

It serves the vehicle of its namespace, or those that the parameter `vehicles` names.

Every payload is accounted for: received = decoded + rejected (by reason) + superseded.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from std_msgs.msg import Header

from semcom_ros.cluster.parameters import RAY, painter
from semcom_ros.codecs import codec_of, create_decoder, settings_of
from semcom_ros.codecs.base import Codec, Reading
from semcom_ros.errors import SemcomError
from semcom_ros.link.security_parameters import NO_SECURITY
from semcom_ros.nodes.camera_places import CameraPlaces
from semcom_ros.nodes.fast_dds import make_room
from semcom_ros.nodes.messages import number_in
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.node_parameters import codec_options
from semcom_ros.nodes.reporting import LOOK_S
from semcom_ros.nodes.served_vehicle import ServedVehicle, reading_values
from semcom_ros.nodes.vehicle_search import MOST_VEHICLES, VehicleSearch
from semcom_ros.perception.backends import NONE, TASKS, load_perceivers
from semcom_ros.pipeline.executor import BackendUnavailable, LocalExecutor, map_threads
from semcom_ros.pipeline.receiver import Receiver
from semcom_ros.pipeline.rsu import Rsu

if TYPE_CHECKING:
    from semcom_ros.cluster.pool import Pool
    from semcom_ros.link.guard import Guard

LOOK_ROUND_S = 1.0
"""How often vehicles are looked for."""


class RsuNode(SemcomNode):
    """`camera/image_raw/semcom/received` -> `rsu/...`, headers those of the source frames.

    vehicles: by namespace, "" for the only one.
    """

    executable = "rsu_node"
    working, takes = "decoding", "payload"

    def __init__(self) -> None:
        super().__init__()
        self.vehicles: dict[str, ServedVehicle] = {}
        self._rsu: Rsu | None = None
        self._pool: Pool | None = None
        self._asked = Reading("")

    def setup(self) -> None:
        self.prepare_compute()
        s = self.settings
        self._search = VehicleSearch(s.vehicles) if s.vehicles else None
        self._keys, self._vehicle_guards = None, dict[str, "Guard"]()
        if s.security != NO_SECURITY:
            from semcom_ros.link.keys import KeyFolder  # cryptography, for those alone who want it

            self._keys = KeyFolder.named(s.keys)
        if s.backend == RAY:
            from semcom_ros.cluster.remote_rsu import join

            self._pool = join(s, _chosen(s), self.get_fully_qualified_name())
        self._rsu = self._make(s)
        self._asked = self.read(s.task)
        self._places, self._parted = CameraPlaces(self), Counter[str]()
        for namespace in self._search.named if self._search else [""]:
            self._serve(namespace)

    def start(self) -> None:
        self._executor = LocalExecutor(
            lambda: self._rsu,
            lambda arrival: arrival.context.vehicle.outputs.wanted(),
            lambda arrival, *seen: arrival.context.vehicle.deliver(arrival, *seen),
            self._failed,
            at_once=self._pool.wanted.at_once if self._pool else 1,
            batch=self.settings.batch or (1 if painter(self.settings) == "cpu" else 32),
            deadline_s=lambda: self.settings.deadline_ms / 1e3,
            map_threads=map_threads(),
            busy=lambda: self._pool is not None and self._pool.busy,
        )
        self.ends.callback(self._executor.stop)
        self.warm = self._executor.warm
        for vehicle in self.vehicles.values():
            vehicle.start()
        self.ends.callback(self.destroy_timer, self.steady_timer(LOOK_S, self._report_links))
        if self._search and self._search.patterns:
            looking = self.steady_timer(LOOK_ROUND_S, self._look_round)
            self.ends.callback(self.destroy_timer, looking)

    def listen(self) -> None:
        for vehicle in self.vehicles.values():
            vehicle.listen(self._executor.put, self._take_task)

    def free(self) -> None:
        self.vehicles.clear()
        self._rsu = None
        if self._pool:
            self._pool.stop()
            self._pool = None

    def load(self, settings: SimpleNamespace) -> Rsu:
        made = self._make(settings, self._rsu)
        for _ in made.warm_up():
            pass
        with suppress(SemcomError):  # said by `change`; what reads is loaded here
            made.decoder.read(settings.task)
        return made

    def change(self, settings: SimpleNamespace, loaded: Rsu | None) -> None:
        rsu = loaded or self._rsu
        asked = rsu.decoder.read(settings.task)
        rsu.decoder.settings = settings_of(settings.codec, vars(settings))
        rsu.min_area, self._asked = settings.min_area, asked
        if loaded:
            self._rsu = loaded
        for vehicle in self.vehicles.values():
            if loaded:
                vehicle.receiver.expect(*self._read(settings.codec))
            vehicle.receiver.max_age_s = settings.max_age_s
            vehicle.receiver.max_bytes = settings.max_payload_bytes
            words = vehicle.words if settings.task == self.settings.task else ""
            vehicle.asked, vehicle.words = asked, words
            if words:
                self._ask(vehicle, words)

    def values(self) -> dict[str, str]:
        books = Counter(self._parted)
        for vehicle in self.vehicles.values():
            books.update(vehicle.books())
        values = {name: str(n) for name, n in books.items()}
        if self._search:
            values["vehicles"] = str(len(self.vehicles))
        if self._pool:
            values["replicas"] = str(self._pool.replicas)
        return values | reading_values(self._asked) | {"codec": self.settings.codec}

    def trouble(self) -> str:
        if self._keys and self._keys.trouble:
            return self._keys.trouble
        if self._pool and self._pool.trouble:
            return self._pool.trouble
        if not self._search:
            return super().trouble()
        if not self.vehicles:
            return f"no vehicle is there: nobody publishes below {', '.join(self._search.patterns)}"
        troubles = {name: vehicle.flow.trouble() for name, vehicle in self.vehicles.items()}
        if not all(troubles.values()):
            return ""
        name, trouble = troubles.popitem()
        return f"of no vehicle anything gets through: {name}: {trouble}"

    def read(self, words: str) -> Reading:
        return self._rsu.decoder.read(words)

    async def _take_task(self, vehicle: ServedVehicle, words: str) -> None:
        """A planner's words are the vehicle's own, where they mean anything to the codec; those of
        an only vehicle become the parameter `task`."""
        await self._node_parameters.foresee(words)
        if not self._search:
            (result,) = self.set_parameters([Parameter("task", value=words)])
            if not result.successful:
                self.complain(result.reason)
        elif self._rsu:
            self._ask(vehicle, words)

    def _ask(self, vehicle: ServedVehicle, words: str) -> None:
        """Ask a vehicle for what `words` mean, or else for what all are asked for."""
        try:
            vehicle.asked, vehicle.words = (self.read(words) if words else self._asked), words
        except SemcomError as error:
            vehicle.complain(str(error))

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, BackendUnavailable):
            self.fail_frame(error)
            return
        self.statistics.count("batches_skipped")
        self.complain(str(error))

    def _serve(self, namespace: str, passing: bool = False) -> ServedVehicle:
        s = self.settings
        guard = self._guard_of(namespace)
        opened = guard.open if guard else None
        receiver = Receiver(*self._read(s.codec), s.max_age_s, s.max_payload_bytes, opened)
        made = ServedVehicle(self, namespace, receiver, self._asked, self._places, passing, guard)
        self.vehicles[namespace] = made
        return made

    def _guard_of(self, namespace: str) -> Guard | None:
        """What tells the vehicle's payloads from others; kept when it goes, against replays."""
        if self._keys and namespace not in self._vehicle_guards:
            from semcom_ros.link.guard import Guard

            number = number_in(namespace or self.get_namespace())
            self._vehicle_guards[namespace] = Guard(self.settings.security, self._keys, number)
        return self._vehicle_guards.get(namespace)

    def _look_round(self) -> None:
        """Serve vehicles that came, and let go of those that went."""
        for name in self._search.found(self):
            if name not in self.vehicles and len(self.vehicles) < MOST_VEHICLES:
                vehicle = self._serve(name, passing=True)
                vehicle.start()
                vehicle.listen(self._executor.put, self._take_task)
                self.get_logger().info(f"{name} has come.")
        for name in [name for name, vehicle in self.vehicles.items() if vehicle.has_gone()]:
            vehicle = self.vehicles.pop(name)
            self._executor.forget(vehicle.receiver)
            self._parted.update(vehicle.books())
            vehicle.close()
            self.get_logger().info(f"{name} has gone.")

    def _report_links(self) -> None:
        for vehicle in self.vehicles.values():
            vehicle.report_link()

    def _report(self) -> None:
        super()._report()
        vehicles = self.vehicles.values() if self.active else ()
        told = [status for vehicle in vehicles for status in vehicle.news()]
        if told:
            header = Header(stamp=self.get_clock().now().to_msg())
            self._diagnostics.publish(DiagnosticArray(header=header, status=told))

    def _make(self, settings: SimpleNamespace, before: Rsu | None = None) -> Rsu:
        """An RSU that looks by the networks of the one `before` where the choice is the same."""
        decoder = create_decoder(settings.codec, **codec_options(settings))
        chosen = _chosen(settings)
        if self._pool:
            from semcom_ros.cluster.remote_rsu import RemoteRsu

            return RemoteRsu.of(settings, chosen, decoder, self._pool)
        if before and chosen == _chosen(self.settings):
            perceive = before.perceive
        else:
            perceive = load_perceivers(
                chosen, settings.device, settings.detection_threshold, settings.camera_height_m
            )
        return Rsu(decoder, perceive, settings.min_area)

    def _read(self, codec: str) -> tuple[str, Codec, bytes]:
        """What the receiver lets in: payloads that the decoder at hand reads."""
        return codec, codec_of(codec), self._rsu.decoder.model


def _chosen(settings: SimpleNamespace) -> dict[str, str]:
    """What sees to each task."""
    chosen = {task: getattr(settings, task) for task in TASKS}
    if codec_of(settings.codec).sends_labels:
        chosen["segmentation"] = NONE
    return chosen


def main() -> None:
    """Entry point."""
    make_room()
    RsuNode.main()
