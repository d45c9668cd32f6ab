"""Loads all of /data with dlt, as its users do, into files, while data come in.

usage: walk_dlt.py URL FOLDER SECONDS

Each load has to bring every row exactly once. Ends as soon as one load saw the data change under it, and with 1 where
none did within SECONDS. Prints one JSON object.
"""

import gzip
import json
import os
import pathlib
import sys
import time

import dlt
import requests
from dlt.sources.rest_api import rest_api_source

from walk import judge

url, folder, seconds = sys.argv[1], pathlib.Path(sys.argv[2]), float(sys.argv[3])


class Noting(requests.Session):
    """A session that notes the generation of each answer; dlt replaces what hooks a session has."""

    def __init__(self, generations: list[int]) -> None:
        super().__init__()
        self.generations = generations
        if key := os.environ.get("API_KEY"):
            self.headers["X-API-Key"] = key

    def send(self, request, **options):
        answer = super().send(request, **options)
        self.generations.append(int(answer.headers["X-Generation"]))
        return answer


def load(name: str, limit: int) -> tuple[list[int], list[int]]:
    """The ids of the rows that were loaded, and the generation of each page."""
    generations: list[int] = []
    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "session": Noting(generations),
                "paginator": {"type": "cursor", "cursor_path": "pagination.next_cursor", "cursor_param": "cursor"},
            },
            "resources": [
                {
                    "name": "listings",
                    "endpoint": {
                        "path": "data",
                        "params": {"limit": limit},
                        "data_selector": "data",
                    },
                }
            ],
        }
    )
    store = folder / name
    destination = dlt.destinations.filesystem(bucket_url=str(store))
    pipeline = dlt.pipeline(name, destination=destination, dataset_name="kasparro", pipelines_dir=str(folder / "state"))
    pipeline.run(source, loader_file_format="jsonl").raise_on_failed_jobs()
    ids = []
    for path in (store / "kasparro" / "listings").glob("*.jsonl*"):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        ids += [json.loads(line)["id"] for line in text.splitlines()]
    return ids, generations


def main() -> None:
    known = set(load("before", 500)[0])
    loads, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        loads += 1
        ids, generations = load(f"load_{loads}", 3)
        judge(ids, known, f"load {loads} over generations {generations[0]} to {generations[-1]}")
        if min(generations) < max(generations):
            print(json.dumps({"rows": len(known), "loads": loads, "pages": len(generations)}))
            return
    sys.exit(f"the data stood still during {loads} loads: nothing was shown")


main()
