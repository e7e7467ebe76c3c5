"""File formats of tokenizers: Hugging Face's, GPT-2's and tiktoken's."""
