"""Networks of PyTorch modules: blocks of branches and fusions, stages, stem and head."""
