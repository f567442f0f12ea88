# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of `transformers`: images in, what the network says of each out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig
    from transformers.utils import ModelOutput


TASKS = {
    "segmentation": ("semantic_segmentation", "universal_segmentation"),
    "detection": ("object_detection",),
    "depth": ("depth_estimation",),
}
"""What `transformers` calls them: where it lists networks, and the first where it reads answers."""
_TABLE = "MODEL_FOR_{}_MAPPING_NAMES"
PROCESSOR = "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Checkpoint:
    """A network of `task` (a key of `TASKS`) in a folder or under a hub id `name`.

    A folder is read as it is; a hub id goes through the cache of `transformers`, which downloads
    what it lacks. Only safetensors are read, since a pickle can run any code, and code that comes
    with a checkpoint is not run. Raises SemcomError when anything is missing, damaged, a pickle,
    incomplete, in need of such code or made for another task.
    """

    def __init__(self, name: str, task: str, device: str = "cpu"):
        from semcom_ros.runtime import declare_operators

        declare_operators()
        with _sentences(name):
            import transformers

        self.name, self.task, self.device = name, task, device
        source = _source(name)
        if isinstance(source, Path):
            _check_folder(source)
        with _sentences(name):
            self.config: PretrainedConfig = transformers.AutoConfig.from_pretrained(
                source, trust_remote_code=False
            )
        network = getattr(transformers, _architecture(self.config, name, task))
        with _sentences(name):
            self._processor = transformers.AutoImageProcessor.from_pretrained(
                source, trust_remote_code=False
            )
            self._network, absent = _load(network, source)
            self._network.to(device)
        # Shows at once, not at the first frame, whether it answers to an image alone.
        self._try(absent)

    @property
    def names(self) -> Mapping[int, str]:
        """What the network calls its classes."""
        return {int(i): str(label) for i, label in (self.config.id2label or {}).items()}

    def __call__(self, images: np.ndarray, **options: object) -> list[Any]:
        """The network's answer to each image, at its size, as the image processor reads it.

        images: uint8 [B, H, W, 3] RGB. options: what the processor's reading takes beside sizes.
        Raises SemcomError when the network cannot answer to images alone.
        """
        try:
            return self._read(self._run(images), images.shape[:3], **options)
        except (TypeError, ValueError, KeyError, RuntimeError) as error:
            raise SemcomError(
                f"The checkpoint {self.name} cannot be used for {self.task} of an image alone: "
                f"{_first_line(error)}. Give another checkpoint."
            ) from error

    def _run(self, images: np.ndarray) -> ModelOutput:
        import torch

        inputs = self._processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        )
        with torch.inference_mode():
            return self._network(**inputs.to(self.device))

    def _read(
        self, answer: ModelOutput, shape: tuple[int, int, int], **options: object
    ) -> list[Any]:
        read = getattr(self._processor, f"post_process_{TASKS[self.task][0]}", None)
        if read is None:
            raise TypeError(f"{type(self._processor).__name__} does not read its answers")
        sizes = {"target_sizes", "source_sizes"} & inspect.signature(read).parameters.keys()
        return read(answer, **options, **{each: [shape[1:]] * shape[0] for each in sizes})

    def _try(self, absent: list[str]) -> None:
        """Answer to a blank; raise SemcomError if weights `absent` from the file are needed."""
        blank = np.zeros((1, *WORK_SIZE, 3), np.uint8)
        self(blank)
        if absent and any(v.isnan().any() for v in self._run(blank).values() if _is_float(v)):
            raise SemcomError(
                f"The checkpoint {self.name} lacks weights that {type(self._network).__name__} "
                f"needs ({absent[0]} and {len(absent) - 1} more): give one trained for {self.task}."
            )


def _source(name: str) -> Path | str:
    """The folder or the hub id that `name` is."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if HUB_ID.fullmatch(name) and not name.startswith("."):
        return name
    raise SemcomError(
        f"There is no folder '{name}' and it is no hub id: give shipped, none, a folder with a "
        "transformers checkpoint, or a hub id (owner/name)."
    )


def folder_of(name: str) -> Path:
    """Where the files of the checkpoint `name` lie; a hub id's are in the cache of `transformers`,
    which downloads what it lacks. Raises SemcomError."""
    source = _source(name)
    if isinstance(source, Path):
        return source
    with _sentences(name):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(source, allow_patterns=["*.json", "*.safetensors", "*.txt"]))


def _check_folder(folder: Path) -> None:
    """Raise SemcomError unless `folder` holds all that a checkpoint needs, without any pickle."""
    files: tuple[str, ...] = ("config.json", PROCESSOR)
    if not any((folder / weights).is_file() for weights in WEIGHTS):
        pickles = [path.name for pattern in PICKLES for path in sorted(folder.glob(pattern))]
        if pickles:
            raise SemcomError(
                f"The weights in {folder} are {pickles[0]}, a pickle, which can run any code while "
                "it is read. Where you trust it, convert it: load the model with transformers' "
                f"from_pretrained('{folder}', use_safetensors=False) and call "
                f"save_pretrained('{folder}'), which writes {WEIGHTS[0]}."
            )
        files = (WEIGHTS[0], *files)
    for file in files:
        if not (folder / file).is_file():
            raise SemcomError(f"The folder {folder} has no {file}: {_download('ID', folder)}")


def _architecture(config: PretrainedConfig, name: str, task: str) -> str:
    """The network class that `config` names, if it is one of `task`."""
    from transformers.models.auto import modeling_auto

    stated = (config.architectures or ["a network without a name"])[0]
    classes = {
        each: {
            network
            for name in names
            for network in getattr(
                modeling_auto, f"MODEL_FOR_{name.upper()}_MAPPING_NAMES"
            ).values()
        }
        for each, names in TASKS.items()
    }
    if stated in classes[task]:
        return stated
    other = next((f" for {each}" for each, known in classes.items() if stated in known), "")
    raise SemcomError(
        f"The checkpoint {name} holds {stated}{other}, which is no network for {task}: give a "
        f"transformers checkpoint for {task}."
    )


def _load(network: Any, source: Path | str) -> tuple[nn.Module, list[str]]:
    """The network, and the names of weights that are not in the file.

    Those become NaN, which shows in the answer if they have a part in it: DPT carries some that
    have none, and its files leave them out.
    """
    import torch

    loaded, info = network.from_pretrained(
        source,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        output_loading_info=True,
    )
    state = loaded.state_dict()
    absent = sorted(key for key in info["missing_keys"] if _is_float(state.get(key)))
    for key in absent:
        state[key].fill_(float("nan"))
    return loaded.eval(), absent


def _is_float(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.is_floating_point()


@contextmanager
def _sentences(name: str) -> Iterator[None]:
    """Turn what goes wrong while the checkpoint `name` is loaded into a sentence."""
    from safetensors import SafetensorError

    try:
        yield
    except SemcomError:
        raise
    except ImportError as error:
        raise SemcomError(
            f"The checkpoint {name} needs a package: {_first_line(error)}."
        ) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise SemcomError(
            f"The checkpoint {name} cannot be loaded: {_first_line(error)}. "
            f"{_download(name, 'DIR')}"
        ) from error


def _download(name: str, folder: Path | str) -> str:
    """How to fetch checkpoint `name` where there is a network."""
    return (
        f"`hf download {name} --local-dir {folder}`, where there is a network, fetches all files; "
        f"then give {folder}."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
