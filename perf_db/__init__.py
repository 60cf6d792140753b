"""Measured truth: how long a kernel took on a GPU, and where each number came from."""
