"""The subcommands of `python -m train`, one file each: its parser, and what runs it.

Files import torch only inside of `run`, so that `--help`, `index` and `download photos` work
without it.
"""
