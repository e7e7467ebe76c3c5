"""The files that tokenizers are kept in: Hugging Face's, GPT-2's and tiktoken's."""
