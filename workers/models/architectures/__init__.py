"""The architectures of our networks, as PyTorch modules."""
