"""Walks all of /data by next_cursor with plain requests, again and again while data come in.

usage: walk_requests.py URL SECONDS

Each walk has to find every row exactly once. Ends as soon as two walks saw the data change under them, and with 1 where
none did within SECONDS. Prints one JSON object.
"""

import json
import os
import sys
import time

import requests

from walk import judge

url, seconds = sys.argv[1], float(sys.argv[2])


def walk(session: requests.Session, limit: int) -> tuple[list[int], list[int]]:
    """The ids in the order in which they came, and the generation of each page."""
    ids, generations, params = [], [], {"limit": limit}
    while True:
        answer = session.get(f"{url}/data", params=params, timeout=10)
        answer.raise_for_status()
        page = answer.json()
        ids += [row["id"] for row in page["data"]]
        generations.append(int(answer.headers["X-Generation"]))
        if page["pagination"]["next_cursor"] is None:
            return ids, generations
        params["cursor"] = page["pagination"]["next_cursor"]


def main() -> None:
    session = requests.Session()
    if key := os.environ.get("API_KEY"):
        session.headers["X-API-Key"] = key
    known = set(walk(session, 500)[0])
    walks = moved = 0
    until = time.monotonic() + seconds
    while moved < 2 and time.monotonic() < until:
        ids, generations = walk(session, 3)
        judge(ids, known, f"walk {walks + 1} over generations {generations[0]} to {generations[-1]}")
        if generations != sorted(generations):
            sys.exit(f"a later page was of an older generation: {generations}")
        walks, moved = walks + 1, moved + (generations[0] < generations[-1])
    if moved < 2:
        sys.exit(f"the data stood still during {walks - moved} of {walks} walks: nothing was shown")
    print(json.dumps({"rows": len(known), "walks": walks, "while_data_changed": moved}))


main()
