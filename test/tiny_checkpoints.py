# SPDX-License-Identifier: Apache-2.0
"""Tiny networks of `transformers` that were never trained, each with its image processor."""

from __future__ import annotations

import transformers

COCO = {0: "N/A", 1: "person", 2: "car", 3: "banana", 4: "stop sign"}
STREET = {0: "road, route", 1: "sky", 2: "zebra"}
SIZE = {"height": 64, "width": 64}
FOUR = {"depths": [1] * 4, "num_attention_heads": [1] * 4}
HEADS = {"num_attention_heads": 2, "num_hidden_layers": 4, "hidden_size": 8, "intermediate_size": 8}
NECK = {"neck_hidden_sizes": [4, 4, 8, 8], "fusion_hidden_size": 8}
STAGES = ["stage1", "stage2", "stage3", "stage4"]
DETR = {
    f"{part}_{what}": n
    for part in ("encoder", "decoder")
    for what, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 8))
}


def dinov2():
    return transformers.Dinov2Config(
        hidden_size=8,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )


def resnet(kind, stages):
    return kind(
        embedding_size=4,
        hidden_sizes=[4, 8, 8, 8],
        depths=[1] * 4,
        layer_type="basic",
        out_features=stages,
    )


def segformer(names):
    t = transformers
    config = t.SegformerConfig(
        hidden_sizes=[4, 4, 8, 8], decoder_hidden_size=8, id2label=names, **FOUR
    )
    return t.SegformerForSemanticSegmentation(config), t.SegformerImageProcessor(size=SIZE)


def mask2former(names):
    t = transformers
    swin = t.SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4, out_features=STAGES
    )
    config = t.Mask2FormerConfig(
        backbone_config=swin,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        encoder_feedforward_dim=8,
        dim_feedforward=8,
        num_queries=4,
        id2label=names,
    )
    return t.Mask2FormerForUniversalSegmentation(config), t.Mask2FormerImageProcessor(size=SIZE)


def yolos(names):
    t = transformers
    config = t.YolosConfig(image_size=[64, 64], num_detection_tokens=9, id2label=names, **HEADS)
    return t.YolosForObjectDetection(config), t.YolosImageProcessor(size=SIZE)


def detr(names):
    t = transformers
    backbone = resnet(t.ResNetConfig, ["stage4"])
    config = t.DetrConfig(
        backbone_config=backbone, d_model=8, num_queries=9, id2label=names, **DETR
    )
    return t.DetrForObjectDetection(config), t.DetrImageProcessor(size=SIZE)


def rt_detr(names):
    t = transformers
    config = t.RTDetrConfig(
        backbone_config=resnet(t.RTDetrResNetConfig, STAGES[1:]),
        d_model=8,
        encoder_hidden_dim=8,
        encoder_in_channels=[8] * 3,
        decoder_in_channels=[8] * 3,
        num_queries=9,
        id2label=names,
        **DETR,
    )
    return t.RTDetrForObjectDetection(config), t.RTDetrImageProcessor(size=SIZE)


def dpt(_):
    t = transformers
    config = t.DPTConfig(image_size=64, backbone_out_indices=[0, 1, 2, 3], **HEADS, **NECK)
    return t.DPTForDepthEstimation(config), t.DPTImageProcessor(size=SIZE)


def depth_anything(_, kind="relative", far=1):
    t = transformers
    config = t.DepthAnythingConfig(
        backbone_config=dinov2(),
        reassemble_hidden_size=8,
        head_hidden_size=4,
        depth_estimation_type=kind,
        max_depth=far,
        **NECK,
    )
    processor = t.DPTImageProcessor(size={"height": 56, "width": 56}, ensure_multiple_of=14)
    return t.DepthAnythingForDepthEstimation(config), processor


def metric_depth_anything(_):
    return depth_anything(_, "metric", 80)


def depth_pro(_):
    t = transformers
    vit = {"model_type": "dinov2", "hidden_size": 8, "num_attention_heads": 2, "patch_size": 4}
    vit |= {"num_hidden_layers": 2, "image_size": 32}
    config = t.DepthProConfig(
        patch_size=32,
        use_fov_model=True,
        fusion_hidden_size=8,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_feature_dims=[8] * 3,
        num_fov_head_layers=1,
        image_model_config=vit,
        patch_model_config=vit,
        fov_model_config=vit,
    )
    size = {"height": 128, "width": 128}
    return t.DepthProForDepthEstimation(config), t.DepthProImageProcessor(size=size)
