"""What is particular to Hugging Face's blocks."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import SwinBackbone, SwinForImageClassification, SwinModel

import hybrid_swin as hs


@torch.no_grad()
def run(model, x):
    return model(x)


def hows(replacement):
    return [block.how for block in replacement.blocks]


def is_same(replacement):
    return set(hows(replacement)) <= {"taken", "identity start"}


@pytest.mark.parametrize("size", [(32, 32), (36, 28), (64, 48), (16, 40)])
def test_hugging_face_at_any_size(size, make):
    model, _ = make("huggingface 5")
    x = torch.randn(1, 3, *size)
    before = model.inside(x, output_hidden_states=True)
    hs.replace_blocks(model.inside, stage=0)
    hs.replace_blocks(model.inside, stage=1)
    after = model.inside(x, output_hidden_states=True)
    for name in ("hidden_states", "reshaped_hidden_states"):
        for a, b in zip(before[name], after[name], strict=True):
            assert torch.allclose(a, b, atol=1e-4), name


def test_a_backbone_that_always_shifts_is_kept(hf_config):
    torch.manual_seed(0)
    model = SwinBackbone(hf_config(image_size=16, out_features=["stage1", "stage2"])).eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=1.0 * ("norm" in name), std=0.5)
    for stage in (0, 1):
        for size in ((16, 16), (48, 48), (12, 20)):
            x = torch.randn(1, 3, *size)
            before = run(model, x).feature_maps
            replacement = hs.replace_blocks(model, stage=stage)
            assert is_same(replacement)
            pairs = list(zip(before, run(model, x).feature_maps, strict=True))
            assert all(torch.allclose(a, b, atol=1e-4) for a, b in pairs)
            replacement.undo()


def test_checkpointing_gives_the_same_gradients(make):
    model, x = make("huggingface 5")
    hs.replace_blocks(model.inside, stage=1)
    model.train()
    model(x).square().sum().backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    model.inside.activation_checkpointing_enable()
    model(x).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.grad, expected[name], atol=1e-5), name


def test_a_stage_that_ends_in_our_mixer_has_no_attention_maps(make):
    model, x = make("huggingface 5")
    model.inside.set_attn_implementation("eager")
    assert len(model.inside(x, output_attentions=True).attentions) == 2
    hs.replace_blocks(model.inside, stage=0)
    assert len(model.inside(x, output_attentions=True).attentions) == 1


def test_saved_by_hugging_face_and_read_back(make, hf_config, tmp_path):
    model, x = make("huggingface 5")
    hs.replace_blocks(model.inside, "conv+w_msa:gate", stage=1, identity_start=False)
    model.inside.save_pretrained(tmp_path, save_original_format=False)
    again = SwinForImageClassification(hf_config()).eval()
    hs.replace_blocks(again, "conv+w_msa:gate", stage=1)
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(run(again, x).logits, run(model, x))


def test_a_base_model_without_head(hf_config):
    model = SwinModel(hf_config()).eval()
    replacement = hs.replace_blocks(model, stage=1, blocks=[1])
    assert replacement.blocks[0].name == "encoder.layers.1.blocks.1"
