# SPDX-License-Identifier: Apache-2.0
"""Other people's weights: what a network of their layout computes, ours computes after import."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from semcom_ros.cli import main
from semcom_ros.codecs.gesco.paper.generator import PaperDiffusion, load_network
from semcom_ros.lab.weights_import import read

sys.path.insert(0, str(Path(__file__).parent / "papers"))
from gesco_public import Public  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def public() -> Public:
    return Public(64, (1, 2), blocks=1, attention=(1,), planes=36)


def test_gescos_public_layout_gives_the_network_that_its_names_and_shapes_tell(
    public: Public, tmp_path: Path
) -> None:
    theirs, out = tmp_path / "ema_0.9999_190000.pt", tmp_path / "gesco_paper.safetensors"
    torch.save(public.state, theirs)
    words = f"weights import --from gesco {theirs} --out {out} --size 16 32"
    assert main(words.split()) == 0
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["label_space"] == "cityscapes35" and len(card["classes"]) == 35
    assert card["network"]["similarity"] == "dot" and card["network"]["attention"] == [2]
    assert "--from gesco ema_0.9999_190000" in card["recipe"]
    network, space, size = load_network(out)
    assert size == (16, 32) and space.name == "cityscapes35"
    x, steps, planes = torch.randn(2, 3, 16, 32), torch.tensor([3, 700]), torch.rand(2, 36, 16, 32)
    with torch.no_grad():
        wanted, found = public(x, steps, planes), network(x, steps, planes)
    # Half precision on disk is all that lies between.
    assert (wanted - found).abs().max() < 0.01 * wanted.abs().max()
    (image,) = PaperDiffusion.from_pretrained(out)([np.zeros((256, 512), np.uint8)], 2)
    assert image.shape == (256, 512, 3)


def test_a_file_of_safetensors_holds_the_same_as_one_of_torch(
    public: Public, tmp_path: Path
) -> None:
    for save, name in ((torch.save, "a.pt"), (save_file, "a.safetensors")):
        save(public.state, tmp_path / name)
        found = read(tmp_path / name)
        assert found.keys() == public.state.keys()
        assert all(torch.equal(found[name], t) for name, t in public.state.items())


def test_what_is_no_such_network_is_a_sentence(
    public: Public, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "theirs.pt", tmp_path / "ours.safetensors"

    def told(content: object) -> str:
        torch.save(content, path)
        assert main(f"weights import --from gesco {path} --out {out}".split()) == 2
        assert not out.exists()
        return capsys.readouterr().err

    assert "lacks the tensor" in told({"weight": torch.zeros(3)})
    assert "holds no state dict" in told([1, 2])
    odd = public.state | {"out.2.weight": torch.zeros(3, 64, 3, 3)}
    assert "last.weight does not fit" in told(odd)
    assert "no label space has as many" in told(Public(64, (1,), 1, (), planes=7).state)
    path.write_bytes(b"nothing")
    assert main(f"weights import --from gesco {path} --out {out}".split()) == 2
    assert "no state dict of tensors alone" in capsys.readouterr().err
