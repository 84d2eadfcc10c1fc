"""Common corruptions of images, one file a family: those of CIFAR-10-C (Hendrycks & Dietterich, 2019), computed on tensors.

The paper's frost lays photographs of ice over an image, and spatter is drawn by an edge detector; neither is here. Lengths in pixels are
those of the paper for sides of 32, and grow with the smaller side of other images.
"""
