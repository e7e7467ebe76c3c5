"""Watching any `torch.nn.Module` learn, and examining one: by hooks, which are gone afterwards."""
