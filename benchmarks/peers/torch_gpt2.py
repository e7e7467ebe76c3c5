"""GPT-2 in PyTorch with a key-value cache that is allocated once; our own code, without autograd."""

import torch
from torch.nn import functional as F  # noqa: N812  (its usual name)


class TorchGPT2:
    """Computes the logits of the next token of one text, from the weights of a `GPT` of Backlight."""

    def __init__(self, ours):
        self.config = ours.config
        self.weights = {name: torch.from_numpy(array) for name, array in ours.state_dict().items()}
        for name, array in self.weights.items():  # PyTorch's layout of linear layers, (outputs, inputs)
            if array.ndim == 2 and name.startswith("blocks"):
                self.weights[name] = array.T.contiguous()
        D = self.config.n_embd // self.config.n_head
        self.keys, self.values = (
            torch.empty(self.config.n_layer, self.config.n_head, self.config.context, D) for _ in range(2)
        )
        self.length = 0

    @torch.inference_mode()
    def read(self, ids):
        """Read ids (T,) after those read before, and return the logits (V,) of the next token."""
        begin, end = self.length, self.length + len(ids)
        w, C = self.weights, self.config.n_embd
        x = w["token.weight"][ids] + w["position.weight"][begin:end]
        for n in range(self.config.n_layer):
            qkv = self._linear(self._norm(x, f"blocks.{n}.first_norm"), f"blocks.{n}.attention.qkv")
            q, k, v = (part.view(end - begin, self.config.n_head, -1).transpose(0, 1) for part in qkv.split(C, 1))
            self.keys[n, :, begin:end], self.values[n, :, begin:end] = k, v
            y = F.scaled_dot_product_attention(
                q[None], self.keys[None, n, :, :end], self.values[None, n, :, :end], is_causal=begin == 0
            )
            x = x + self._linear(y[0].transpose(0, 1).reshape(end - begin, C), f"blocks.{n}.attention.output")
            up = self._linear(self._norm(x, f"blocks.{n}.second_norm"), f"blocks.{n}.mlp.0")
            x = x + self._linear(F.gelu(up, approximate="tanh"), f"blocks.{n}.mlp.2")
        self.length = end
        return w["token.weight"] @ self._norm(x[-1], "norm")

    def _linear(self, x, name):
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])
