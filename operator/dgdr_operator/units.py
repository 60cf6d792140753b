"""The only conversion factors in the project: what a number at a door is worth inside, in SI."""

MILLISECOND = 1e-3
"""Seconds: requests, reports and status speak of milliseconds."""

MEBIBYTE = 2**20
"""Bytes: GPU memory in requests and node labels is in MiB."""

GIBIBYTE = 2**30
"""Bytes: memory in reports is in GiB."""

GIGABYTE = 1e9
"""Bytes: links are rated in GB/s."""
