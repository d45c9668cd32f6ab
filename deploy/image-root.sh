#!/bin/sh
# Collects one program and all it needs to run alone into a folder, which becomes the whole image:
#   image-root.sh PROGRAM FOLDER
set -eu
program=$1
root=$2

mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/tmp"
cp "$program" "$root/usr/local/bin/kasparro"

# The loader and the C library, at the paths under which the program looks for them.
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done

# Who is trusted to vouch for upstreams and for a database elsewhere.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# Names of hosts: first those that the engine writes to /etc/hosts, then DNS.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'kasparro:x:65532:65532::/data:/nowhere' >"$root/etc/passwd"
echo 'kasparro:x:65532:' >"$root/etc/group"
chmod 1777 "$root/tmp"
