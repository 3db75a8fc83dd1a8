import copy
import os

import pytest
import torch
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import hybrid_swin as hs
from hybrid_swin.errors import InputError


@pytest.fixture
def one_process(tmp_path):
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("where", "said"), [("meta", "on the meta device"), ("fake", "made of fak")]
)
def test_a_network_without_numbers_neither_takes_nor_gives_weights(
    small_swin, golden, tmp_path, where, said
):
    model = small_swin()
    if where == "meta":
        model.to("meta")
    else:
        with FakeCopyMode(FakeTensorMode()):
            model = copy.deepcopy(model)
    with pytest.raises(InputError, match=f"cannot be loaded: the network is {said}.*to_empty"):
        hs.load_weights(model, golden().weights)
    for suffix in ("pth", "safetensors"):
        with pytest.raises(InputError, match=f"cannot be saved: the network is {said}"):
            hs.save_weights(model, tmp_path / f"a.{suffix}")
    assert not os.listdir(tmp_path)


def test_a_network_made_on_meta_is_told_what_to_do(small_swin, tmp_path):
    like = small_swin("conv+w_msa", "mdta")
    hs.save_weights(like, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"model.to_empty\(device='cpu'\) and model.reset_par"):
        hs.create_model(like.variant, device="meta", checkpoint_path=tmp_path / "a.safetensors")
    model = hs.create_model(like.variant, device="meta")
    model.to_empty(device="cpu")
    model.reset_parameters()
    assert hs.load_weights(model, tmp_path / "a.safetensors").is_as_in_source
    images = torch.randn(1, 3, 56, 56)
    assert torch.equal(model.eval()(images), like(images))


def test_a_sharded_network_neither_takes_nor_gives_weights(
    one_process, small_swin, golden, tmp_path
):
    model = small_swin()
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    with pytest.raises(
        InputError, match=r"cannot be loaded: the network is sharded .*before fully"
    ):
        hs.load_weights(model, golden().weights)
    with pytest.raises(
        InputError, match=r"cannot be saved: the network is sharded .*get_model_stat"
    ):
        hs.save_weights(model, tmp_path / "a.pth")
    with pytest.raises(InputError, match="is sharded; gather the weights by get_model_state_dict"):
        hs.load_weights(small_swin(), model.state_dict())
