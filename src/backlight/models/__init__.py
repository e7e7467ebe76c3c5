"""The language models, from n-gram counts to a GPT: one file each, with its entry in the table of models."""

from backlight.models.bigram import Bigram, BigramConfig
from backlight.models.decoding import Decoder, decode
from backlight.models.gpt import GPT, GPTConfig
from backlight.models.mixture import Mixture
from backlight.models.mlp import MLP, MLPConfig
from backlight.models.ngram import NGram, NGramConfig
from backlight.models.protocol import LanguageModel, Reads
from backlight.models.recurrent import GRUConfig, LSTMConfig, RecurrentConfig, RecurrentModel, RNNConfig
from backlight.models.registry import MODELS, mixtures, model_spec, register_model
from backlight.models.spec import ModelConfig, ModelSpec, settings_of
from backlight.models.wavenet import WaveNet, WaveNetConfig

__all__ = [
    "GPT",
    "MLP",
    "MODELS",
    "Bigram",
    "BigramConfig",
    "Decoder",
    "GPTConfig",
    "GRUConfig",
    "LSTMConfig",
    "LanguageModel",
    "MLPConfig",
    "Mixture",
    "ModelConfig",
    "ModelSpec",
    "NGram",
    "NGramConfig",
    "RNNConfig",
    "Reads",
    "RecurrentConfig",
    "RecurrentModel",
    "WaveNet",
    "WaveNetConfig",
    "decode",
    "mixtures",
    "model_spec",
    "register_model",
    "settings_of",
]
