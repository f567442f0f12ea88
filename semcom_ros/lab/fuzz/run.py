# SPDX-License-Identifier: Apache-2.0
"""`semcom fuzz`: what an RSU reads payloads with is given what no vehicle sends.

A fault is an exception that is no PayloadError, a result that is none, altered bits that no
checksum noticed, 2 s of work on one payload, or 1 GiB of memory.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.codecs import codec_of, create_decoder
from semcom_ros.codecs.base import Memory, Received
from semcom_ros.errors import choose
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.evaluation.shared import show, write_json
from semcom_ros.lab.fuzz import corpus
from semcom_ros.lab.fuzz.mutate import Mutator
from semcom_ros.labels import CLASSES, VOID
from semcom_ros.payload import Payload, PayloadError, pack, unpack

MOST_S, MOST_BYTES = 2.0, 2**30
HANGS_S, SLEEPS_S = 60.0, 1800.0
"""A payload that takes so much of a processor's time, or of time, never ends: a busy machine may
leave it waiting for minutes."""
FRAMES = 50
"""Payloads in a row of one vehicle, whose memory the decoder keeps."""
IMAGES = 50
"""One in so many maps is painted, too: a network's pass takes ten times the map's."""
Step = Callable[[], tuple[bytes, Callable[[], str]]]
"""Gives bytes, and what reads them and says what came of it."""
TARGETS = {
    "unpack": "any bytes to a payload",
    "decode": "payloads with right checksums to maps and images, by every codec or --codec",
    "corpus": "write the payloads that are tampered with",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom fuzz`."""
    parser.add_argument("target", metavar="TARGET", help="one of those below")
    parser.add_argument("--codec", nargs="+", help="whose decoder; all of the corpus unless given")
    parser.add_argument("--executions", type=int, default=100_000, help="of each")
    parser.add_argument("--seed", type=int, default=1, help="of what is done to payloads")
    parser.add_argument("--corpus", type=Path, default=Path("test/corpus"), help="payload files")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="where faults are kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.epilog = "\n".join(f"  {name:8}{text}" for name, text in TARGETS.items())


def run(args: argparse.Namespace) -> int:
    """0 where nothing was found, 1 else. Raises SemcomError."""
    choose(args.target, TARGETS, "target")
    if args.target == "corpus":
        print(f"{corpus.make(args.corpus)} bytes of payloads are in '{args.corpus}'.")
        return 0
    payloads = corpus.load(args.corpus)
    faulthandler.enable(sys.__stderr__)  # of a decoder in C that crashes; its payload is in --out
    if args.target == "unpack":
        every = Mutator([one for of_codec in payloads.values() for one in of_codec], args.seed)
        found = {"unpack": Trial(args.out).run(args.executions, lambda: tamper(every), 1000)}
    else:
        names = args.codec or list(payloads)
        for name in names:
            choose(name, payloads, "codec of the corpus")
        found = {}
        for name in names:
            decoding = Decoding(name, Mutator(payloads[name], args.seed))
            found[name] = Trial(args.out).run(args.executions, decoding.step)
    rows = [[name, *map(str, figures.values())] for name, figures in found.items()]
    show(None, ("", *next(iter(found.values()))), rows)
    if args.json:
        write_json(args.json, found)
    return int(any(figures["faults"] for figures in found.values()))


def tamper(mutator: Mutator) -> tuple[bytes, Callable[[], str]]:
    """A packet, as a `Step`."""
    data, before = mutator.packet()

    def read() -> str:
        unpack(data)
        return "ALTERED" if before is not None and data != before else "accepted"

    return data, read


class Decoding:
    """The decoder of codec `name`, payload after payload of one vehicle."""

    def __init__(self, name: str, mutator: Mutator) -> None:
        self._mutator, self._decoder = mutator, create_decoder(name)
        self._images = IMAGES if codec_of(name).sends_labels else 1
        self._decoder.warm_up()
        self._done = 0

    def step(self) -> tuple[bytes, Callable[[], str]]:
        """A payload, as a `Step`."""
        if self._done % FRAMES == 0:
            self._memory = Memory()
        self._done += 1
        data = pack(self._mutator.payload())
        return data, lambda: self._decode(unpack(data))

    def _decode(self, payload: Payload) -> str:
        batch = [Received(payload, self._memory)]
        (known,) = self._decoder.decode_labels(batch)
        if isinstance(known, PayloadError):
            raise known
        if known.labels is not None:
            valid = (known.labels < len(CLASSES)) | (known.labels == VOID)
            if known.labels.shape != WORK_SIZE or not valid.all():
                return "NO MAP"
        if self._done % self._images:
            return "map"
        (image,) = self._decoder.decode_images(batch, [known])
        if isinstance(image, PayloadError):
            raise image
        whole = image.shape == (*WORK_SIZE, 3) and image.dtype == np.uint8
        return "image" if whole else "NO IMAGE"


class Trial:
    """Executions one after the other, and what they came to. folder: of what shows a fault."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._outcomes: Counter[str] = Counter()
        self._faults: list[str] = []
        self._slowest, self._memory = 0.0, _peak_bytes()

    def run(self, executions: int, step: Step, every: int = 1) -> dict[str, Any]:
        """Figures of so many `step`s. One in `every` leaves its bytes on disk beforehand, and ends
        the process, by SIGPROF or status 1, where it and those after it never end."""
        began = time.monotonic()
        current = os.open(self._folder / "current.bin", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        faulthandler.register(signal.SIGPROF, sys.__stderr__, chain=True)
        try:
            for count in range(executions):
                data, execute = step()
                if count % every == 0:
                    os.ftruncate(current, os.pwrite(current, data, 0))
                    signal.setitimer(signal.ITIMER_PROF, HANGS_S)
                    faulthandler.dump_traceback_later(SLEEPS_S, exit=True, file=sys.__stderr__)
                self._execute(data, execute)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()
            faulthandler.unregister(signal.SIGPROF)
            os.close(current)
        seconds = time.monotonic() - began
        return {
            "executions": executions,
            "outcomes": ", ".join(f"{what} {n}" for what, n in self._outcomes.most_common()),
            "slowest_ms": round(1e3 * self._slowest, 1),
            "grown_mib": (_peak_bytes() - self._memory) >> 20,
            "a_second": round(executions / seconds, 1),
            "faults": len(self._faults),
        }

    def _execute(self, data: bytes, execute: Callable[[], str]) -> None:
        before = time.process_time()
        try:
            outcome = execute()
            if outcome.isupper():
                self._fault(data, outcome)
        except PayloadError as error:
            outcome = error.reason
        except Exception as error:
            outcome = "UNEXPECTED"
            self._fault(data, repr(error))
        taken, peak = time.process_time() - before, _peak_bytes()
        self._slowest = max(self._slowest, taken)
        self._outcomes[outcome] += 1
        if taken > MOST_S:
            self._fault(data, f"took {taken:.1f} s")
        if peak > self._memory + MOST_BYTES:
            self._fault(data, f"took {(peak - self._memory) >> 20} MiB")
            self._memory = peak

    def _fault(self, data: bytes, what: str) -> None:
        self._faults.append(what)
        if len(self._faults) <= 100:
            path = self._folder / f"fault_{len(self._faults)}.bin"
            path.write_bytes(data)
            print(f"{path}: {what}", flush=True)


def _peak_bytes() -> int:
    """Most memory that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
