"""Walks the API with a typed client that openapi-python-client made from /openapi.json.

usage: client_walk.py FOLDER URL

FOLDER holds the generated package `kasparro_client`. Prints one JSON object of what was seen; ends with 1 and says why
where an answer is not what the description says.
"""

import datetime
import json
import os
import sys

folder, url = sys.argv[1:]
sys.path.insert(0, folder)

from kasparro_client import AuthenticatedClient, Client
from kasparro_client.api.market_data import asset, asset_history, data
from kasparro_client.api.operations import health
from kasparro_client.models import DataNumbers, Problem
from kasparro_client.types import UNSET


def expect(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"{what} is not so")


def right(answer):
    """The typed body of an answer that is no problem."""
    expect(answer.status_code == 200, f"200 instead of {answer.status_code}: {answer.content[:300]}")
    expect(not isinstance(answer.parsed, Problem) and answer.parsed is not None, "a typed body")
    return answer.parsed


def every_row(client) -> tuple[list, int]:
    rows, pages, cursor = [], 0, UNSET
    while True:
        page = right(data.sync_detailed(client=client, limit=50, numbers=DataNumbers.STRING, cursor=cursor))
        rows, pages = rows + page.data, pages + 1
        cursor = page.pagination.next_cursor
        if cursor is None:
            expect(len(rows) == page.total, f"{len(rows)} rows of a total of {page.total}")
            return rows, pages


def main() -> None:
    key = os.environ.get("API_KEY")
    options = {"base_url": url, "raise_on_unexpected_status": True}
    client = AuthenticatedClient(token=key, **options) if key else Client(**options)
    rows, pages = every_row(client)
    expect(len({row.id for row in rows}) == len(rows), "each id once")
    for row in rows:
        expect(isinstance(row.id, int) and isinstance(row.source, str), f"id and source of {row}")
        expect(row.updated_at is None or isinstance(row.updated_at, datetime.datetime), f"the instant of {row}")
        expect(row.price_usd is None or isinstance(row.price_usd, str), f"numbers=string in {row}")
    shared = [row.asset_id for row in rows if row.source != "csv"]
    one = right(asset.sync_detailed(client=client, id=shared[0]))
    expect(one.id == shared[0] and len(one.listings) > 0, f"the listings of asset {shared[0]}")
    points = right(asset_history.sync_detailed(client=client, id=shared[0], limit=10))
    expect(len(points.data) > 0, f"a history of asset {shared[0]}")
    state = right(health.sync_detailed(client=client))
    expect(state.database == "healthy", "a healthy database")
    wrong = data.sync_detailed(client=client, limit=0)
    expect(isinstance(wrong.parsed, Problem) and wrong.parsed.status == 400, "limit=0 as a typed problem")
    print(json.dumps({"rows": len(rows), "pages": pages, "asset": one.id, "points": len(points.data)}))


main()
