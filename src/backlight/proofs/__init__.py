"""Every op, layer and model held against PyTorch and against central differences."""
