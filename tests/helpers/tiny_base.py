"""Folders of a trained EDM generator as far as a grid looks at them: without weights that could be used."""

import json
from pathlib import Path


def base_folder(folder: Path, shape=(1, 8, 8), classes=10) -> Path:
    """The files of a generator with channels 16 and 32."""
    (folder / "unet").mkdir(parents=True)
    config = {
        "_class_name": "UNet2DModel",
        "block_out_channels": [16, 32],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "dropout": 0.1,
        "resnet_time_scale_shift": "default",
        "freq_shift": 0,
    }
    about = {"family": "edm", "class_counts": [5] * classes, "sigma_data": 0.5, "shape": list(shape)}
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    (folder / "synaug.json").write_text(json.dumps(about))
    return folder
