"""Ask timm's own tools of our networks, as one table: what works, and how it compares with timm's.

    python -m benchmarks.timm_calls

Needs timm, which needs torchvision, which this project does without: make an environment for it. On
a torch without torchvision's operators they are declared, not there; nothing here calls them.
"""

import copy
import importlib
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

import hybrid_swin as hs
from hybrid_swin.interop.weights.source.rules import TIMM

IMAGES = (2, 3, 224, 224)
NAMES = "swin_t", "hybrid_t"
PEER = "swin_tiny_patch4_window7_224"


def import_timm() -> ModuleType:
    """timm, with torchvision's operators declared where its build is for another torch."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    while True:
        try:
            timm = importlib.import_module("timm")
            for part in ("data", "loss", "models", "optim", "scheduler", "utils"):
                importlib.import_module(f"timm.{part}")
            return timm
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
            library.define(f"{missing[1]}(Tensor x) -> Tensor")  # type: ignore[no-untyped-call]
            for name in [n for n in sys.modules if n.split(".")[0] in ("torchvision", "timm")]:
                del sys.modules[name]


def registry(timm: Any) -> str:
    """timm.create_model by our names."""
    names = hs.register_with_timm()
    for name in names:
        with torch.device("meta"):
            timm.create_model(name, pretrained=False, num_classes=10, drop_path_rate=0.1)
    size = timm.models.get_pretrained_cfg_value("hybrid_t", "input_size")
    return f"{len(names)} names, {timm.is_model('hybrid_t')}, input {size}"


def optimiser(timm: Any) -> str:
    """Groups of rates that decay by layer, beside timm's own Swin-T."""
    ours, theirs = hs.create_model("swin_t"), timm.create_model(PEER)
    found = []
    for model in (ours, theirs):
        names = {id(p): name for name, p in model.named_parameters()}
        optimizer = timm.optim.create_optimizer_v2(model, layer_decay=0.75)
        found.append(
            [
                (g["lr_scale"], g["weight_decay"], sorted(names[id(p)] for p in g["params"]))
                for g in optimizer.param_groups
            ]
        )
    assert found[0] == found[1]
    return f"{len(found[0])} groups, the same parameters, rates and weight decays as timm's"


def data_config(timm: Any) -> str:
    """Transforms from what a network says of its images."""
    ours = timm.data.resolve_data_config(hs.create_model("swin_t").pretrained_cfg)
    assert ours == timm.data.resolve_data_config(timm.create_model(PEER).pretrained_cfg)
    timm.data.create_transform(**ours)
    grey = hs.create_model("swin_t", in_chans=1, img_size=96)
    assert timm.data.resolve_data_config(model=grey)["input_size"] == (1, 96, 96)
    return f"as timm's: {ours['input_size']}, crop {ours['crop_pct']}, {ours['interpolation']}"


def average(timm: Any) -> str:
    """Exponential moving average of the weights."""
    model: Any = hs.create_model("hybrid_t", img_size=64)
    ema = timm.utils.ModelEmaV3(model, decay=0.5)
    before = copy.deepcopy(ema.module.norm.weight.detach())
    with torch.no_grad():
        model.norm.weight.add_(2)
    ema.update(model)
    assert torch.allclose(ema.module.norm.weight, before + 1)
    return "ModelEmaV3 updates every parameter"


def extractors(timm: Any) -> str:
    """Maps by timm's wrappers."""
    features = importlib.import_module("timm.models._features")
    info = features.FeatureInfo(hs.create_model("swin_t").feature_info, 4)
    shapes = {}
    for kind in ("FeatureGetterNet", "FeatureListNet", "FeatureHookNet"):
        more = {} if kind == "FeatureGetterNet" else {"flatten_sequential": True}
        wrapped = getattr(features, kind)(hs.create_model("swin_t"), out_indices=(0, 2), **more)
        shapes[kind] = [tuple(m.shape[1:]) for m in wrapped.eval()(torch.randn(1, 3, 224, 224))]
    return f"channels {info.channels()}; " + "; ".join(f"{k} {v}" for k, v in shapes.items())


def freezing(timm: Any) -> str:
    """Freezing and groups of parameters by name."""
    model = hs.create_model("hybrid_t")
    timm.utils.freeze(model, ["patch_embed", "layers.0"])
    kept = {name.split(".")[0] for name, p in model.named_parameters() if not p.requires_grad}
    timm.utils.unfreeze(model)
    assert kept == {"patch_embed", "layers"}
    groups = timm.models.group_parameters(model, model.group_matcher(coarse=True))
    return f"freeze, unfreeze; {len(groups)} coarse groups"


def weights(timm: Any) -> str:
    """A checkpoint of timm's, by timm's way and by ours."""
    hs.register_with_timm()
    theirs = timm.create_model(PEER).eval()
    images = torch.randn(IMAGES)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        file = str(Path(folder) / "swin.pth")
        torch.save(theirs.state_dict(), file)
        makers: list[Callable[..., nn.Module]] = [timm.create_model, hs.create_model]
        found = [make("swin_t", checkpoint_path=file).eval()(images) for make in makers]
        gaps = [float((logits - theirs(images)).abs().max()) for logits in found]
    assert max(gaps) < 1e-5
    return f"largest difference of logits {max(gaps):.1e}"


def folders(timm: Any) -> str:
    """Timm's folders for the Hub, there and back."""
    hs.register_with_timm()
    images, gaps = torch.randn(2, 3, 64, 64), []
    with tempfile.TemporaryDirectory() as place, torch.no_grad():
        for index, (name, changes) in enumerate(
            (("swin_t", {}), ("hybrid_t", {"num_classes": 5, "global_pool": "max"}))
        ):
            model = timm.create_model(name, img_size=64, **changes)
            hs.replace_blocks(model, "conv+w_msa:gate", stage=1)
            model.reset_classifier(3)
            folder = f"{place}/{index}"
            timm.models.save_for_hf(model, folder, safe_serialization="both")
            logits = model.eval()(images)
            source = f"local-dir:{folder}"
            makers = [timm.create_model, hs.create_model]
            found = [make(source, pretrained=True).eval() for make in makers]
            gaps += [float((again(images) - logits).abs().max()) for again in found]
            other = timm.create_model(source, pretrained=True, num_classes=7).eval()
            assert torch.equal(other.forward_features(images), model.forward_features(images))
    assert max(gaps) == 0
    return "equal logits, also after reset_classifier and replace_blocks; num_classes=7 too"


def given_facts(timm: Any) -> str:
    """`pretrained_cfg` and `pretrained_cfg_overlay`."""
    hs.register_with_timm()
    overlay = {"mean": (0.1, 0.2, 0.3)}
    for name in ("swin_t", PEER):
        model = timm.create_model(name, pretrained_cfg_overlay=overlay)
        assert timm.data.resolve_data_config(model=model)["mean"] == overlay["mean"]
    images = torch.randn(IMAGES)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        file = {"file": str(Path(folder) / "swin.pth")}
        theirs = timm.create_model(PEER).eval()
        torch.save(theirs.state_dict(), file["file"])
        for more in ({"pretrained_cfg_overlay": file}, {"pretrained_cfg": file}):
            ours = timm.create_model("swin_t", pretrained=True, **more).eval()
            assert float((ours(images) - theirs(images)).abs().max()) < 1e-5
    return "facts of images, and weights from a file with `pretrained=True`"


def windows(timm: Any) -> str:
    """Weights of timm's `SwinTransformer(window_size=(7, 9))` in ours, and our mixers in it."""
    plain = str(TIMM.part("w_msa")), str(TIMM.part("sw_msa"))
    stages = tuple(hs.Stage(48 * 2**i, 2, 3 * 2**i, plain) for i in range(3))
    taken, replaced = [], []
    for size in ((224, 288), (112, 180), (100, 68)):
        make = importlib.import_module("timm.models.swin_transformer").SwinTransformer
        theirs = make(
            size,
            num_classes=10,
            embed_dim=48,
            depths=(2, 2, 2),
            num_heads=(3, 6, 12),
            window_size=(7, 9),
            strict_img_size=False,
        ).eval()
        for parameter in theirs.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.2)
        variant = hs.Variant(size, num_classes=10, window_size=(7, 9), stages=stages)
        ours = hs.HybridSwin(variant).eval()
        assert not hs.load_weights(ours, theirs.state_dict()).resized
        images = [torch.randn(2, 3, *s) for s in (size, (size[0] + 32, size[1] + 64))]
        with torch.no_grad():
            expected = [theirs(batch) for batch in images]
            taken += [ours(b) - logits for b, logits in zip(images, expected, strict=True)]
            for stage in range(3):
                hs.replace_blocks(theirs, "w_msa+mdta:gate", stage=stage)
            replaced += [theirs(b) - logits for b, logits in zip(images, expected, strict=True)]
    gaps = [max(float(gap.abs().max()) for gap in found) for found in (taken, replaced)]
    assert max(gaps) < 1e-4
    return f"largest difference of logits, at six sizes: {gaps[0]:.1e}; {gaps[1]:.1e}"


def training(timm: Any) -> str:
    """Two steps with timm's loss, Mixup, scheduler, gradient scaler and clipping."""
    model = hs.create_model("hybrid_t", num_classes=5, img_size=64, drop_path_rate=0.1)
    mixup = timm.data.Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, num_classes=5)
    loss = timm.loss.SoftTargetCrossEntropy()
    optimizer = timm.optim.create_optimizer_v2(model, opt="adamw", lr=1e-3, layer_decay=0.8)
    scheduler, _ = timm.scheduler.create_scheduler_v2(optimizer, num_epochs=2)
    losses = []
    for epoch in range(2):
        images, labels = mixup(torch.randn(4, 3, 64, 64), torch.arange(4))
        optimizer.zero_grad()
        found: Tensor = loss(model(images), labels)
        found.backward()  # type: ignore[no-untyped-call]
        timm.utils.dispatch_clip_grad(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step(epoch + 1)
        losses.append(round(found.item(), 3))
    return f"losses {losses}"


CHECKS = (
    registry,
    optimiser,
    data_config,
    average,
    extractors,
    freezing,
    weights,
    folders,
    given_facts,
    windows,
    training,
)


def behaviour(name: str) -> str:
    """What timm's tests of every network ask, at its native size."""
    model = hs.create_model(name).eval()
    cfg, images = model.default_cfg, torch.randn(IMAGES)
    with torch.no_grad():
        features = model.forward_features(images)
        before = model.forward_head(features, pre_logits=True)
        out = model(images)
        assert features.shape[1:] == (*cfg["pool_size"], model.num_features)
        assert before.shape == (2, model.head_hidden_size)
        final, maps = model.forward_intermediates(images)
        assert torch.allclose(final, features) and len(maps) == len(model.feature_info)
        model.set_grad_checkpointing()
        assert torch.allclose(model(images), out, rtol=1e-4, atol=1e-5)
        model.reset_classifier(0)
        assert torch.equal(model(images), before)
        model.reset_classifier(0, "")
        assert torch.equal(model(images), features)
    model.reset_classifier(42, "max")
    model.train()(images).mean().backward()
    assert all(p.grad is not None for p in model.parameters())
    return "forward, backward, heads, pools, intermediates, checkpointing"


def main() -> None:
    """Print the table."""
    timm = import_timm()
    torch.manual_seed(0)
    print(f"timm {timm.__version__}, torch {torch.__version__}\n\n| asked | found |\n|---|---|")
    for check in CHECKS:
        print(f"| {(check.__doc__ or '').strip().rstrip('.')} | {check(timm)} |")
    for name in NAMES:
        print(f"| `{name}` as timm's own tests ask | {behaviour(name)} |")


if __name__ == "__main__":
    main()
