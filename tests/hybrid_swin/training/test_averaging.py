"""The average of the weights, step by step, and what stands for the network when."""

import lightning.pytorch as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from hybrid_swin.training.averaging import WeightAverage
from hybrid_swin.training.quiet import quiet


def assert_close(found, expected):
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-5, atol=1e-7)


class Line(L.LightningModule):
    """A linear layer behind a batch norm; keeps its weights after each step and each reading."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
        self.after_steps, self.read = [], []

    def training_step(self, batch, batch_idx):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, batch_idx):
        self.read.append({k: v.clone() for k, v in self.state_dict().items()})

    def on_train_batch_end(self, *_):
        self.after_steps.append({k: v.clone() for k, v in self.state_dict().items()})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("every", [1, 2])
def test_it_is_the_formula_and_stands_for_the_weights_in_validation_alone(tmp_path, every):
    torch.manual_seed(0)
    module, average = Line(), WeightAverage(0.7)
    expected = {k: v.clone().double() for k, v in module.state_dict().items()}
    loader = DataLoader(TensorDataset(torch.randn(20, 3)), batch_size=4)
    with quiet():
        trainer = L.Trainer(
            accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
            accumulate_grad_batches=every, callbacks=[average], default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.fit(module, loader, DataLoader(TensorDataset(torch.zeros(2, 3)), batch_size=2))
    ends = range(10) if every == 1 else (1, 3, 4, 6, 8, 9)  # batches that end a step
    steps = [module.after_steps[i] for i in ends]
    read = 0
    for number, weights in enumerate(steps, start=1):
        for name, weight in weights.items():
            whole = not weight.is_floating_point()
            expected[name] = weight if whole else 0.7 * expected[name] + 0.3 * weight.double()
        if number % (len(steps) // 2) == 0:
            for name, weight in module.read[read].items():
                assert_close(weight, expected[name])
            read += 1
    for name, weight in module.state_dict().items():  # its own are back
        assert torch.equal(weight, steps[-1][name])
        assert_close(average.weights[name], expected[name])
