# SPDX-License-Identifier: Apache-2.0
"""What requests in plain words are taken for, by Sentence-BERT itself."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from semcom_ros.codecs.gsc import task
from semcom_ros.codecs.gsc.task import IMAGE, INSTRUCTIONS, MAP, TaskKnowledge, sentence_model
from semcom_ros.errors import SemcomError

PICTURES = (
    "I want to see the camera image",
    "send me the picture",
    "restore the photo in high quality",
    "what does the street look like right now",
    "reconstruct the frame for a human operator",
    "give me the video frame",
)
MAPS = (
    "where are the pedestrians?",
    "I need the semantic map for the planner",
    "label every pixel",
    "which parts of the scene are road",
    "find the cars and the pedestrians",
    "segment the image into classes",
    "where is the drivable area",
    "outline the sidewalk and the buildings",
)
OTHERS = ("turn left at the next crossing", "what's for dinner", "stop the car", "good morning")


@pytest.fixture(scope="module")
def knowledge() -> TaskKnowledge:
    return TaskKnowledge()


def test_fourteen_requests_are_understood(knowledge: TaskKnowledge) -> None:
    readings = [knowledge.read(words) for words in PICTURES + MAPS]
    assert [r.instruction for r in readings] == [IMAGE] * 6 + [MAP] * 8
    assert min(r.margin for r in readings) > 0.1


def test_a_cosine_of_the_cosine_would_choose_the_wrong_ones(knowledge: TaskKnowledge) -> None:
    """As the formula stands in one version of the paper."""
    model, sentences, owners = sentence_model(None)
    two = np.isin(owners, list(INSTRUCTIONS))
    wrong = 0
    asked = model.encode([*PICTURES, *MAPS], normalize_embeddings=True)
    for vector, right in zip(asked, [IMAGE] * len(PICTURES) + [MAP] * len(MAPS), strict=True):
        likeness = sentences[two] @ vector
        wrong += owners[two][np.cos(likeness).argmax()] != right
        assert np.cos(likeness).argmax() == np.abs(likeness).argmin()
    assert wrong >= 7


@pytest.mark.parametrize("words", OTHERS)
def test_what_gsc_does_not_do_is_refused_with_the_scores(
    knowledge: TaskKnowledge, words: str
) -> None:
    with pytest.raises(SemcomError, match=f"'{words}' asks for nothing .* above the next"):
        knowledge.read(words)


@settings(max_examples=12, deadline=None)
@given(words=st.text())
@example(words="a" * 5000)
@example(words="\x00\ud7ff")
def test_any_text_is_understood_or_refused(knowledge: TaskKnowledge, words: str) -> None:
    try:
        assert knowledge.read(words).instruction in ("", *INSTRUCTIONS)
    except SemcomError:
        pass


def test_an_instructions_own_text_needs_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "sentence_model", None)
    own = TaskKnowledge()
    assert [own.read(words).instruction for words in (IMAGE, f" {MAP}\n", "")] == [IMAGE, MAP, ""]


def test_without_the_package_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    real = builtins.__import__

    def without(name: str, *rest):
        if name == "sentence_transformers":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SemcomError, match="pip install sentence-transformers"):
        TaskKnowledge(tmp_path).read("show me the street")
