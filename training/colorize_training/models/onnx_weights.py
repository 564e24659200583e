"""Read a generator's weights back from an exported ONNX model, so that an artist can train on from the shipped file."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from colorize_server.errors import ModelError
from colorize_server.model import load_model
from onnx import load_model_from_string, numpy_helper
from torch import Tensor

from colorize_training.config import ModelConfig
from colorize_training.errors import CheckpointError
from colorize_training.networks.decoding import DEFAULT_DECODING, Decoding

HALF_SUFFIX: Final = ".half"
"""Ends the names of initialisers that are stored in half precision."""

WRAPPER_PREFIX: Final = "generator."
"""Begins the names of the generator's weights in the graph."""

SCALARS_KEY: Final = "colorize.scalars"
"""Metadata: scalar weights that the exporter folds into constants, as JSON, so that ``finetune`` finds them."""


def weights_from_onnx(path: Path) -> tuple[ModelConfig, dict[str, Tensor], int]:
    """Return network (its batch normalisation folded), weights (float32) and pictures seen of an exported model.

    Without a distribution the gain of the graph goes into the chroma head: without hints the function is the exported
    one, with hints it is louder by the gain until training has shown it the painted colours again.  With one, the gain
    stays a matter of the decoding (:func:`decoding_from_onnx`), for it is on both.

    Raises:
        CheckpointError: if the file is damaged or was not written by ``colorize-train export``.
    """
    remedy = "Give a model that colorize-train export has written."
    try:
        model = load_model(path)
        proto = load_model_from_string(model.data)
        training = model.card.rest["training"]
        config = replace(ModelConfig(**training["model"]), folded_batch_norm=True, pretrained=False)
        gain = float(training["gain"])
        seen = int(training["pictures_seen"])
        scalars = json.loads({p.key: p.value for p in proto.metadata_props}[SCALARS_KEY])
    except ModelError as error:
        raise CheckpointError(str(error), remedy) from error
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not say how it was trained ({error!r}).", remedy) from error
    weights = {name: torch.tensor(value) for name, value in scalars.items()}
    for initializer in proto.graph.initializer:
        if initializer.name.startswith(WRAPPER_PREFIX):
            name = initializer.name.removesuffix(HALF_SUFFIX).removeprefix(WRAPPER_PREFIX)
            weights[name] = torch.from_numpy(numpy_helper.to_array(initializer).astype(np.float32))
    for name in weights:
        if name.startswith("chroma_head.") and not config.distribution:
            weights[name] = weights[name] * gain
    return config, weights, seen


def decoding_from_onnx(path: Path) -> Decoding:
    """Return how colours are to be read from the weights of :func:`weights_from_onnx`, as the exported model does it.

    Raises:
        CheckpointError: if the file is damaged.
    """
    try:
        training = load_model(path).card.rest.get("training", {})
    except ModelError as error:
        raise CheckpointError(str(error), "Give a model that colorize-train export has written.") from error
    if not training.get("model", {}).get("distribution"):
        return DEFAULT_DECODING
    return Decoding(**{field.name: training[field.name] for field in fields(Decoding) if field.name in training})
