# Runs one PostgreSQL cluster for a test process. Orders come on stdin, a line each; every order is
# answered by one line. When stdin ends, the test process is gone, however it ended: then the server and
# the folder go too.
#
# $1: the folder of the server's programs. $2 and on: where the cluster's folder may lie, best first.

# Neither ^C in the terminal nor an answer that nobody reads may end this before the work is done.
trap '' HUP INT QUIT TERM PIPE
umask 077
programs=$1
shift
folder=
for base in "$@"; do
  # In memory a database is created ten times as fast. A small container has 64 MiB there, which is not
  # enough, and fills at the wrong moment.
  if [ "$base" = /dev/shm ]; then
    free_kib=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
    [ "${free_kib:-0}" -ge 2097152 ] || continue
  fi
  folder=$(mktemp -d "$base/kasparro-postgres.XXXXXX") && break
done
[ -n "$folder" ] || exit 1
data=$folder/data
log=$folder/log
exec 2>>"$log"
pid=

# Looks $1 times, 0.05 s apart, until the server has ended.
ended() {
  looks=$1
  while kill -0 "$pid" 2>/dev/null; do
    [ "$looks" -gt 0 ] || return 1
    looks=$((looks - 1))
    sleep 0.05
  done
  wait "$pid"
  pid=
}

create() {
  "$programs/initdb" -D "$data" --no-sync --auth=trust -U kasparro --locale=C --encoding=UTF8 \
    </dev/null >>"$log" 2>&1
}

start() {
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && return 0
  "$programs/postgres" -D "$data" -c port="$1" </dev/null >>"$log" 2>&1 &
  pid=$!
  looks=1200
  while [ "$looks" -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
    # The file may still be the one of a server that was killed, so its process id counts too.
    if [ "$(sed -n '1p;8p' "$data/postmaster.pid" 2>/dev/null | tr -d ' \n')" = "${pid}ready" ]; then
      return 0
    fi
    looks=$((looks - 1))
    sleep 0.05
  done
  crash
  return 1
}

# Kills the server with all its processes at once. Stopped first, it can neither start nor reap any.
crash() {
  [ -n "$pid" ] || return 0
  kill -STOP "$pid"
  children=$(cat "/proc/$pid/task/$pid/children" || ps -A -o pid= -o ppid= | awk -v parent="$pid" '$2 == parent { print $1 }')
  # shellcheck disable=SC2086 # one word for each process
  kill -KILL "$pid" $children
  wait "$pid"
  pid=
}

# Ends the server by signal $1; the shutdown is "fast" for INT and "immediate" for QUIT.
stop() {
  [ -n "$pid" ] || return 0
  kill -s "$1" "$pid"
  ended 400 || crash
}

say() {
  if "$@"; then echo ok; else echo failed; fi
}

echo "$folder"
while read -r order argument; do
  case $order in
    create) say create ;;
    start) say start "$argument" ;;
    stop) say stop INT ;;
    kill) say crash ;;
    *) echo failed ;;
  esac
done

# What is thrown away needs no checkpoint.
stop QUIT
rm -rf "$folder"
