# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the perception backends: any checkpoint, one form of answer, sentences."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace

import huggingface_hub.constants
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tiny_checkpoints import (
    STREET,
    depth_anything,
    depth_pro,
    detr,
    dpt,
    mask2former,
    metric_depth_anything,
    rt_detr,
    segformer,
    yolos,
)

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import NAMES, TRAIN_ID, VOID
from semcom_ros.perception.backends import create_perception
from semcom_ros.perception.checkpoint_tasks import (
    CheckpointDepth,
    CheckpointDetector,
    CheckpointSegmenter,
    is_metric,
    train_id,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 96, 192, 3), dtype=np.uint8)
IMAGE = IMAGES[0]
CAMERA = Camera(96, 192, 160.0, 160.0, 95.5, 47.5)


@pytest.fixture
def copy(tmp_path):
    """Copies a checkpoint's folder, without the files named."""

    def of(folder, *without):
        for file in folder.iterdir():
            if file.name not in without:
                (tmp_path / file.name).write_bytes(file.read_bytes())
        return tmp_path

    return of


@pytest.mark.parametrize("make", [segformer, mask2former])
def test_segmentation_speaks_our_classes_at_the_size_of_the_image(checkpoint, make):
    [labels] = CheckpointSegmenter(str(checkpoint(make, STREET)))(IMAGES[:1])
    assert labels.shape == (96, 192) and labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {TRAIN_ID["road"], TRAIN_ID["sky"], VOID}


@pytest.mark.parametrize("make", [detr, yolos, rt_detr])
def test_detections_are_known_things_in_the_image_best_first(checkpoint, make):
    detector = CheckpointDetector(str(checkpoint(make)), threshold=0.0)
    assert detector.names == ["traffic sign", "person", "car"]
    [found] = detector(IMAGES[:1])
    scores = [d.score for d in found]
    assert {d.name for d in found} <= set(detector.names)
    assert scores == sorted(scores, reverse=True)
    assert all(d.left >= 0 and d.width > 0 and d.left + d.width <= 192 for d in found)
    assert all(d.top >= 0 and d.height > 0 and d.top + d.height <= 96 for d in found)


def test_a_threshold_leaves_less_likely_detections_out(checkpoint):
    folder = str(checkpoint(detr))
    [found] = CheckpointDetector(folder, threshold=0.0)(IMAGES[:1])
    scores = [d.score for d in found]
    assert len(scores) > 1
    middle = (scores[0] + scores[-1]) / 2
    [kept] = CheckpointDetector(folder, threshold=middle)(IMAGES[:1])
    assert [d.score for d in kept] == [score for score in scores if score > middle]


def test_metric_depth_is_taken_as_it_is_and_unknown_in_the_sky(checkpoint):
    estimate = CheckpointDepth(str(checkpoint(metric_depth_anything)))
    [depth] = estimate(IMAGES[:1], [None], [None])
    assert depth.shape == (96, 192) and depth.dtype == np.float32
    assert estimate.metric and 0 < np.nanmin(depth) and np.nanmax(depth) <= 81
    labels = np.full((96, 192), TRAIN_ID["road"], np.uint8)
    labels[:20] = TRAIN_ID["sky"]
    [under_sky] = estimate(IMAGES[:1], [labels], [None])
    np.testing.assert_array_equal(under_sky[20:], depth[20:])
    assert np.isnan(under_sky[:20]).all()


def test_depth_pro_is_in_proportion_to_a_known_focal_length(checkpoint):
    estimate = CheckpointDepth(str(checkpoint(depth_pro)))
    far = Camera(96, 192, 320.0, 320.0, 95.5, 47.5)
    once, twice = estimate(np.stack([IMAGE, IMAGE]), [None] * 2, [CAMERA, far])
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("road, route", "road"),
        ("sidewalk, pavement", "sidewalk"),
        ("pavement-merged", "sidewalk"),
        ("building-other-merged", "building"),
        ("wall-brick", "wall"),
        ("tree", "vegetation"),
        ("streetlight, street lamp", "pole"),
        ("Traffic Sign (Front)", "traffic sign"),
        ("SignSymbol", "traffic sign"),
        ("sky-other-merged", "sky"),
        ("person, individual, someone", "person"),
        ("minibike, motorbike", "motorcycle"),
        ("Bicyclist", "rider"),
        ("banana", None),
    ],
)
def test_names_of_other_data_sets_are_understood(theirs, ours):
    assert train_id(theirs) == (VOID if ours is None else TRAIN_ID[ours])


def test_every_class_goes_by_its_own_name():
    assert [train_id(name) for name in NAMES] == list(range(19))


@pytest.mark.parametrize("make", [dpt, depth_anything])
def test_relative_depth_needs_camera_and_road(checkpoint, make):
    estimate = CheckpointDepth(str(checkpoint(make)))
    assert not estimate.metric
    road = np.full((96, 192), TRAIN_ID["road"], np.uint8)
    without_camera, without_road = estimate(IMAGES[:2], [road, None], [None, CAMERA])
    with pytest.raises(SemcomError, match="needs the camera's intrinsics"):
        raise without_camera
    with pytest.raises(SemcomError, match="needs the road's pixels"):
        raise without_road


def test_a_mixed_choice_is_one_answer_and_none_is_none(checkpoint):
    see = create_perception(
        segmentation="none",
        detection=str(checkpoint(detr)),
        depth=str(checkpoint(metric_depth_anything)),
        threshold=0.0,
    )
    [seen] = see([IMAGE], [CAMERA])
    assert seen.segmentation is None and see.names == ["traffic sign", "person", "car"]
    assert seen.detections and seen.depth.shape == (96, 192)


def test_labels_that_the_caller_has_come_before_the_segmentation(checkpoint):
    see = create_perception(
        segmentation=str(checkpoint(segformer, STREET)),
        detection="none",
        depth=str(checkpoint(metric_depth_anything)),
    )
    sky = np.full((96, 192), TRAIN_ID["sky"], np.uint8)
    [seen] = see([IMAGE], labels=[sky])
    assert np.isnan(seen.depth).all()
    assert seen.detections is None and (seen.segmentation != TRAIN_ID["sky"]).any()


def test_what_is_shipped_is_one_pass_beside_a_checkpoint(checkpoint):
    image = np.zeros((256, 512, 3), np.uint8)
    [whole] = create_perception()([image])
    see = create_perception(segmentation=str(checkpoint(segformer, STREET)), detection="none")
    [seen] = see([image])
    assert seen.detections is None and seen.segmentation.shape == (256, 512)
    np.testing.assert_array_equal(seen.depth, whole.depth)


@pytest.mark.parametrize(
    ("image", "camera", "labels", "text"),
    [
        (np.zeros((96, 192), np.uint8), None, None, "give uint8"),
        (np.zeros((0, 0, 3), np.uint8), None, None, "give uint8"),
        (IMAGE, Camera(256, 512, 430.0, 430.0, 255.5, 127.5), None, "calibrated for 512x256"),
        (IMAGE, None, np.zeros((9, 9), np.uint8), "not of the image"),
    ],
)
def test_what_does_not_belong_together_is_a_sentence(image, camera, labels, text):
    with pytest.raises(SemcomError, match=text):
        create_perception("none", "none", "none")([image], [camera], [labels])


def test_a_checkpoint_of_another_task_is_refused_by_name(checkpoint):
    with pytest.raises(SemcomError, match=r"DetrForObjectDetection for detection, .* for depth"):
        CheckpointDepth(str(checkpoint(detr)))
    with pytest.raises(SemcomError, match="DPTForDepthEstimation for depth"):
        CheckpointSegmenter(str(checkpoint(dpt)))


@pytest.mark.parametrize("make", [CheckpointSegmenter, CheckpointDetector])
def test_a_checkpoint_without_a_class_of_ours_is_refused(checkpoint, make):
    folder = checkpoint(segformer if make is CheckpointSegmenter else yolos, {0: "banana"})
    with pytest.raises(SemcomError, match=r"knows no class .*banana"):
        make(str(folder))


def test_a_pickle_is_refused_with_the_way_to_convert_it(checkpoint, copy):
    folder = copy(checkpoint(detr), "model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(SemcomError, match=r"pytorch_model.bin, a pickle.*save_pretrained"):
        CheckpointDetector(str(folder))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_a_missing_file_is_a_sentence_that_says_how_to_get_it(checkpoint, copy, file):
    folder = copy(checkpoint(detr), file)
    with pytest.raises(SemcomError, match=rf"no {file}: `hf download .* --local-dir"):
        CheckpointDetector(str(folder))


def test_damaged_weights_are_a_sentence(checkpoint, copy):
    folder = copy(checkpoint(detr))
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(SemcomError, match="cannot be loaded"):
        CheckpointDetector(str(folder))


def test_code_that_comes_with_a_checkpoint_is_not_run(checkpoint, copy):
    folder = copy(checkpoint(detr))
    (folder / "own.py").write_text("raise SystemExit('this code was run')")
    config = json.loads((folder / "config.json").read_text())
    own = {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (folder / "config.json").write_text(json.dumps(config | own))
    with pytest.raises(SemcomError, match="contains custom code"):
        CheckpointDetector(str(folder))


def without_weights(folder, prefix):
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(prefix)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    return str(folder)


def test_a_network_whose_head_was_never_trained_is_refused(checkpoint, copy):
    folder = without_weights(copy(checkpoint(segformer, STREET)), "decode_head.classifier")
    with pytest.raises(SemcomError, match=r"lacks weights .*decode_head.classifier"):
        CheckpointSegmenter(folder)


def test_weights_that_no_answer_needs_may_be_absent(checkpoint, copy):
    unused = "neck.fusion_stage.layers.0.residual_layer1"
    assert not CheckpointDepth(without_weights(copy(checkpoint(dpt)), unused)).metric


def test_a_family_whose_unit_of_depth_is_unknown_is_refused():
    with pytest.raises(SemcomError, match="family chmv2, whose unit"):
        is_metric(SimpleNamespace(model_type="chmv2"), "a checkpoint")


@pytest.mark.parametrize("name", ["shiped", "./nowhere", "/nowhere/at/all"])
def test_neither_folder_nor_hub_id_is_a_sentence(name):
    with pytest.raises(SemcomError, match="no folder"):
        create_perception("none", name, "none")


def test_without_a_network_a_hub_id_says_what_to_download(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SemcomError, match="`hf download owner/absent --local-dir DIR`"):
        CheckpointDetector("owner/absent")


def test_a_camera_on_the_road_is_refused(checkpoint):
    with pytest.raises(SemcomError, match="give more than 0"):
        CheckpointDepth(str(checkpoint(dpt)), camera_height_m=0.0)


def test_an_image_that_must_not_be_written_to_is_read_without_a_warning(checkpoint):
    image = IMAGE.copy()
    image.flags.writeable = False
    see = create_perception(str(checkpoint(segformer, STREET)), "none", "none")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        see([image])
