"""How a W&B run is started: quietly, and sending nothing of this machine."""

import os
from typing import Any

from search.settings.wandb import WandbPlace


def start_run(where: WandbPlace, **options: Any) -> Any:
    """`wandb.init` with ``options``, and with those of a place."""
    import wandb  # seconds

    where.dir.mkdir(parents=True, exist_ok=True)
    # W&B keeps copies of tables; with the folder they are found again by `wandb sync`
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        os.environ.setdefault(name, str(where.dir / "wandb" / name.split("_")[1].lower()))
    mode: Any = where.mode  # `WANDB_MODE` may hold anything: wandb says what it takes
    settings = wandb.Settings(  # a new one each time: init writes the run's name into it
        console="off",
        silent=True,
        host="",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    return wandb.init(
        mode=mode,
        entity=where.entity,
        project=where.project,
        group=where.group,
        tags=list(where.tags),
        dir=str(where.dir),
        settings=settings,
        reinit="finish_previous",
        **options,
    )
