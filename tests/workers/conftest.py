import torch

# As a job computes; more threads than the machine has free cores make small nets many times slower.
torch.set_num_threads(1)
