#!/bin/sh
# Asks a running Kasparro a little of everything, one line for each check; exits 1 at the first that fails.
#   API_URL        where it answers (default http://127.0.0.1:8000)
#   API_KEY        sent as X-API-Key, where there is one; then pages about operations are asked too
#   SMOKE_WAIT_S   how long it may take to become ready, in seconds (default 60)
set -eu

base=${API_URL:-http://127.0.0.1:8000}
base=${base%/}
wait_s=${SMOKE_WAIT_S:-60}
body=$(mktemp)
problem=$(mktemp)
trap 'rm -f "$body" "$problem"' EXIT

command -v curl >/dev/null || { echo 'failed: curl is missing; install it' >&2; exit 1; }

# Prints the status, 000 where nothing answers; the body is in $body. The key goes through a pipe, since
# every user of a machine can read command lines.
ask() {
    : >"$body"
    {
        if [ -n "${API_KEY:-}" ]; then
            printf 'header = "X-API-Key: %s"\n' "$API_KEY"
        fi
    } | curl --config - --silent --show-error --max-time 10 --output "$body" \
        --write-out '%{http_code}' "$base$1" 2>"$problem" || true
}

fail() {
    echo "failed: $1" >&2
    echo "  it said: $(cat "$problem" "$body" | tr '\n' ' ' | cut -c1-300)" >&2
    echo "  hint: $2" >&2
    exit 1
}

bad_key='API_KEY is not good there: kasparro keys list shows those that are'

# check PATH WORD HINT: the answer is 200 and has WORD in it.
check() {
    status=$(ask "$1")
    [ "$status" != 401 ] || fail "$1 answered $status" "$bad_key"
    [ "$status" = 200 ] || fail "$1 answered $status" "$3"
    grep -q -F -- "$2" "$body" || fail "$1 answered 200 without $2" "$3"
    echo "ok      $1"
}

until=$(($(date +%s) + wait_s))
while status=$(ask /readyz); [ "$status" != 200 ]; do
    # Probes may look at no key, so another path has to tell whether it is good before the time is up.
    for path in /readyz /health; do
        [ "$(ask "$path")" != 401 ] || fail "$path answered 401" "$bad_key"
    done
    if [ "$(date +%s)" -ge "$until" ]; then
        case $status in
        000) fail "nothing answers at $base" 'is it started, and is API_URL right? make logs shows why it ended' ;;
        503) fail "/readyz answered $status for $wait_s s" 'no source may have been fetched yet: make logs-worker, or SMOKE_WAIT_S=300' ;;
        *) fail "/readyz answered $status" 'something else than Kasparro answers there: check API_URL' ;;
        esac
    fi
    sleep 1
done
echo 'ok      /readyz'

check /health '"database":"healthy"' 'the database does not answer: make logs'
check / '"links"' 'something else than Kasparro answers there: check API_URL'
check '/data?limit=1' '"pagination"' 'read what it said; make logs-api'
total=$(sed -n 's/.*"total_items":\([0-9]*\).*/\1/p' "$body")
case $total in
'') fail '/data does not say how many rows there are' 'something else than Kasparro answers there: check API_URL' ;;
0) echo '        no rows yet: the first run of each source brings them' ;;
*) echo "        $total rows" ;;
esac
check /stats '"total_runs"' 'read what it said; make logs-api'
check /metrics 'kasparro_build_info' 'read what it said; make logs-api'
check /openapi.json '"openapi"' 'read what it said; make logs-api'
if [ -n "${API_KEY:-}" ]; then
    check '/runs?limit=1' '"pagination"' 'read what it said; API_KEY needs the scope read'
fi
echo "every check of $base passed"
