"""Pipelines of diffusers in their true format, with random weights and few of them."""

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    CMStochasticIterativeScheduler,
    ConsistencyModelPipeline,
    DDIMScheduler,
    DDPMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    UNet2DModel,
)

WORDS = 60  # tokens of the text encoders


def unet(**more):
    return UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        **more,
    )


def vae():
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        sample_size=16,
    )


def consistency():
    return ConsistencyModelPipeline(unet(num_class_embeds=10), CMStochasticIterativeScheduler())


def dit():
    transformer = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        sample_size=8,
        patch_size=4,
        norm_num_groups=4,
    )
    return DiTPipeline(transformer, vae(), DDPMScheduler())  # its scheduler is not handed the streams


def text_encoder(kind="CLIPTextModel"):
    transformers = pytest.importorskip("transformers", reason="text-to-image pipelines need the package transformers")
    config = transformers.CLIPTextConfig(
        hidden_size=8,
        intermediate_size=8,
        num_attention_heads=2,
        num_hidden_layers=1,
        projection_dim=8,
        vocab_size=WORDS,
        max_position_embeddings=32,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return getattr(transformers, kind)(config)


def tokenizer():
    import transformers

    letters = [f"{c}{end}" for c in "0123456789abcdefghijklmnopqrst" for end in ("", "</w>")][: WORDS - 2]
    vocab = {token: i for i, token in enumerate(["<|startoftext|>", "<|endoftext|>", *letters])}
    return transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=32)


def conditioned(**more):
    from diffusers import UNet2DConditionModel

    net = UNet2DConditionModel(
        sample_size=8,
        out_channels=4,
        block_out_channels=(8, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=4,
        **{"in_channels": 4, "cross_attention_dim": 8} | more,
    )
    torch.nn.init.normal_(net.conv_out.weight)  # loud enough for a prompt to show after two steps
    return net


def stable_diffusion(scheduler=None):
    from diffusers import StableDiffusionPipeline

    text = text_encoder()
    return StableDiffusionPipeline(
        vae(), text, tokenizer(), conditioned(), scheduler or DDIMScheduler(), None, None, requires_safety_checker=False
    )


def stable_diffusion_xl():
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    texts = text_encoder(), text_encoder("CLIPTextModelWithProjection")
    net = conditioned(
        cross_attention_dim=16,  # of both encoders
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8 + 6 * 4,
    )
    return StableDiffusionXLPipeline(
        vae(), *texts, tokenizer(), tokenizer(), net, EulerDiscreteScheduler(), add_watermarker=False
    )
