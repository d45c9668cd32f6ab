"""Judges a walk through /data that goes on while data come in."""

import collections
import sys


def judge(ids: list[int], known: set[int], how: str) -> None:
    """Ends with 1 unless each of `known` was seen exactly once, and nothing else."""
    twice = [id for id, times in collections.Counter(ids).items() if times > 1]
    never, strange = known - set(ids), set(ids) - known
    if twice or never or strange:
        sys.exit(f"{how}: seen twice {twice[:10]}, never {sorted(never)[:10]}, not known before {sorted(strange)[:10]}")
