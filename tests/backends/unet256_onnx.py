"""The paper's plain U-Net as an ONNX file, with random weights: what a user may train and build an engine of."""

import io
import json
import warnings
from pathlib import Path

import onnx
import torch
from colorize_server.contract import CARD_KEY, INPUT_HINTS, INPUT_LUMINANCE, OUTPUT_CHROMA, OUTPUT_DOUBT
from colorize_training.networks.unet256 import UNet256

CARD = {
    "name": "unet256",
    "version": "0",
    "multiple_of": 256,
    "sizes": [256],
    "default_size": 256,
    "licence": "Apache-2.0",
}


def write_unet256(path: Path) -> Path:
    """Write the network to `path` and return it."""
    torch.manual_seed(0)
    network = UNet256("transposed").eval()
    names = (INPUT_LUMINANCE, INPUT_HINTS, OUTPUT_CHROMA, OUTPUT_DOUBT)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter, six times as fast, says that there is a newer one
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 256, 256), torch.zeros(1, 3, 256, 256)),
            stream,
            dynamo=False,
            opset_version=18,
            input_names=list(names[:2]),
            output_names=list(names[2:]),
            dynamic_axes={name: {0: "N", 2: "H", 3: "W"} for name in names},
        )
    model = onnx.load_model_from_string(stream.getvalue())
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, json.dumps(CARD)
    path.write_bytes(model.SerializeToString())
    return path
