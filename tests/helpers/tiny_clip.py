"""A tiny CLIP model in the true format, whose texts can be planted: nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

SIDE = 8  # pixels
LETTERS = [f"{c}{end}" for c in "0123456789abcdefghijklmnopqrstuvwxyz" for end in ("", "</w>")]
VOCABULARY = {token: i for i, token in enumerate(["<|startoftext|>", "<|endoftext|>", *LETTERS])}
PREPARED = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}


def tokenizer() -> Any:
    """Of single letters and digits."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer(vocab=VOCABULARY, merges=[], model_max_length=32)


def clip_model(embedding: int = 12) -> Any:
    """With random weights, always the same."""
    from transformers import CLIPConfig, CLIPModel

    common = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = common | {"vocab_size": len(VOCABULARY), "max_position_embeddings": 32, "bos_token_id": 0, "eos_token_id": 1}
    vision = common | {"image_size": SIDE, "patch_size": 2, "num_channels": 3, "hidden_size": 64}
    config = CLIPConfig(text_config=text | {"pad_token_id": 1}, vision_config=vision, projection_dim=embedding)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CLIPModel(config).eval()


def saved(folder: Path, model: Any) -> str:
    """As the hub has it."""
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARED))
    return str(folder)


def prepared(images: NDArray[np.uint8]) -> torch.Tensor:
    """Images [N, 1, 8, 8] as the model has them."""
    mean, std = (np.array(PREPARED[name], np.float32)[:, None, None] for name in ("image_mean", "image_std"))
    return torch.from_numpy((images.astype(np.float32) / 255 - mean) / std)


def of_sentences(model: Any, sentences: list[str]) -> torch.Tensor:
    """What the text model says of each sentence, before its projection."""
    asked = tokenizer()(sentences, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model.text_model(input_ids=asked["input_ids"], attention_mask=asked["attention_mask"]).pooler_output


def planted(images: NDArray[np.uint8], labels: NDArray[np.int64], sentences: list[str]) -> Any:
    """One that knows classes: its images are mapped to their class's axis (least squares), its texts lie on them."""
    classes = len(sentences)
    model = clip_model(classes)
    with torch.no_grad():
        seen = model.vision_model(pixel_values=prepared(images)).pooler_output
        aim = torch.nn.functional.one_hot(torch.tensor(labels), classes).float()
        gram = seen.T @ seen + 1e-2 * torch.eye(seen.shape[1])
        model.visual_projection.weight.copy_(torch.linalg.solve(gram, seen.T @ aim).T)
        model.text_projection.weight.copy_(torch.linalg.pinv(of_sentences(model, sentences)).T)
        model.logit_scale.fill_(np.log(10.0))
    return model
