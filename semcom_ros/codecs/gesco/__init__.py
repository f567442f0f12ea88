# SPDX-License-Identifier: Apache-2.0
"""GESCO: the label map crosses the air, a generator paints the street again."""

from __future__ import annotations

from dataclasses import dataclass

from semcom_ros.codecs.base import Codec, Settings, setting


@dataclass(frozen=True)
class GescoSettings(Settings):
    """What can be set of GESCO at either end."""

    map: str = setting(
        "coded",
        "How gesco sends the label map: coded losslessly on the finest grid that fits, or as "
        "one-hot planes of uncoded symbols, which noise blurs and does not break.",
        end="encoder",
        choices=("coded", "planes"),
    )
    picture: str = setting(
        "video",
        "What gesco sends beside the map: nothing, a thumbnail's colours of at most 64 bytes, or a "
        "small low-delay video, where there is room for one.",
        end="encoder",
        choices=("none", "thumbnail", "video"),
    )
    generator: str = setting(
        "restorer",
        "What makes gesco's images: one pass that corrects the picture by the map, or a diffusion, "
        "as published but small, that hears no more than its colours.",
        end="decoder",
        choices=("restorer", "diffusion"),
    )
    network: str = setting(
        "fast",
        "Networks that make gesco's images: the small ones that ship, or the paper's own, from "
        "models/gesco_paper.safetensors, which `semcom train gesco-paper` writes.",
        end="decoder",
        choices=("fast", "paper"),
        when="at configure",
    )
    steps: int = setting(
        1,
        "Passes of gesco's small diffusion; one is nearest to the truth.",
        end="decoder",
        choices=(1, 2, 4, 8),
    )
    paper_steps: int = setting(
        50,
        "Steps of the schedule that the paper's network walks; the paper has 1000.",
        end="decoder",
        choices=(10, 50, 250, 1000),
    )
    sampler: str = setting(
        "ddim",
        "How the paper's network walks them: without noise, or ancestral as the paper has it.",
        end="decoder",
        choices=("ddim", "ancestral"),
    )
    guidance: float = setting(
        0.0,
        "Strength s of a diffusion's classifier-free guidance; the paper has 2, and 0 halves the "
        "work.",
        0.0,
        10.0,
        end="decoder",
    )
    guidance_rule: str = setting(
        "paper",
        "What s weighs: what the map adds to its own image, by the paper's equation 14, or to that "
        "of no map, as in the released code, whose 2 is the paper's 1 and whose 1 changes nothing.",
        end="decoder",
        choices=("paper", "released"),
    )
    fds: str = setting(
        "auto",
        "Fast denoising of gesco's planes: by their noise, or as published.",
        end="decoder",
        choices=("auto", "paper"),
    )
    noise: str = setting(
        "same",
        "Noise that the diffusion's images grow from: the same for all of a drive, which keeps it "
        "from flickering, or fresh for every frame.",
        end="decoder",
        choices=("same", "fresh"),
    )


CODEC = Codec(
    "semcom_ros.codecs.gesco.encoder:Encoder",
    "semcom_ros.codecs.gesco.decoder:Decoder",
    version=1,
    sends_labels=True,
    settings=GescoSettings,
    remembers=True,
)
