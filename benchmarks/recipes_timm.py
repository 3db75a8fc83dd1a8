"""What timm gives Swin-T's parameters and its learning rate, as data for our tests.

Commands::

    python benchmarks/recipes_timm.py                 # makes an environment with timm, 2 minutes
    python benchmarks/recipes_timm.py --here          # where timm is installed already

Writes ``tests/golden/timm_swin_recipe.json``: of ``param_groups_layer_decay`` over
``swin_tiny_patch4_window7_224`` each parameter's weight decay and scale of the learning rate, and
what ``CosineLRScheduler`` and ``param_groups_weight_decay`` say as Microsoft's Swin uses them.
"""

import argparse
import json
import subprocess
import tempfile
import venv
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "timm_swin_recipe.json"
PACKAGES = "timm==1.0.31", "torch"
DECAY, LAYER_DECAY = 0.05, 0.8
EPOCHS, WARMUP, STEPS = 300, 20, 1251  # of an epoch: 1,281,167 images, 1,024 at a time, none left
PEAK, START, LEAST = 1e-3, 1e-6, 1e-5
UPDATES = (
    *(0, 1, 2, 1250, 1251, 12_510, 25_019, 25_020, 25_021, 50_000, 100_000),
    *(187_650, 200_200, 300_000, 375_298, 375_299),
)


def main() -> None:
    """Write the file, in an environment of its own unless told otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--here", action="store_true", help="timm is installed here")
    if parser.parse_args().here:
        GOLDEN.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        subprocess.run([python, __file__, "--here"], check=True)


def measured() -> dict[str, Any]:
    """All of it."""
    import timm
    import torch
    from timm.optim import param_groups_layer_decay, param_groups_weight_decay
    from timm.scheduler import CosineLRScheduler

    model = timm.create_model("swin_tiny_patch4_window7_224")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    exempt = model.no_weight_decay()
    layered = param_groups_layer_decay(model, DECAY, exempt, layer_decay=LAYER_DECAY)
    plain = param_groups_weight_decay(model, DECAY, no_weight_decay_list=exempt)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], lr=PEAK)
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=(EPOCHS - WARMUP) * STEPS,
        lr_min=LEAST,
        warmup_t=WARMUP * STEPS,
        warmup_lr_init=START,
        warmup_prefix=True,
        cycle_limit=1,
        t_in_epochs=False,
    )
    rates = {}
    for update in UPDATES:
        scheduler.step_update(update)
        rates[str(update)] = optimizer.param_groups[0]["lr"]
    return {
        "timm": timm.__version__,
        "weight_decay": {
            names[id(p)]: group["weight_decay"] for group in plain for p in group["params"]
        },
        "layer_decay": LAYER_DECAY,
        "layers": {
            names[id(p)]: [group["weight_decay"], group["lr_scale"]]
            for group in layered
            for p in group["params"]
        },
        "steps_per_epoch": STEPS,
        "rates": rates,
    }


if __name__ == "__main__":
    main()
