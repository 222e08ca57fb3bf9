"""Doubles of NVIDIA's programs on an Orin Nano Super, and of the kernel's files that they read and write."""
