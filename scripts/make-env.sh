#!/bin/sh
# Makes what docker-compose.yml needs and the project does not hold: .env, and the secrets in .secrets.
# What is there already stays as it is.
set -eu
cd "$(dirname "$0")/.."
umask 077

[ -e .env ] || cp .env.example .env

# Other users of this machine are kept out by the folder. The files themselves are readable, because
# containers read them under users of their own.
mkdir -p .secrets
chmod 0700 .secrets

for name in postgres_password owner_password worker_password api_password server_secret; do
    file=.secrets/$name
    if [ ! -s "$file" ]; then
        od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file.new"
        mv "$file.new" "$file"
        echo "made $file"
    fi
    chmod 0644 "$file"
done

# Keys of upstreams: an empty file means the free access.
for name in coingecko_api_key coinpaprika_api_key; do
    [ -e ".secrets/$name" ] || : >".secrets/$name"
    chmod 0644 ".secrets/$name"
done
