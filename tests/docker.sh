#!/usr/bin/env bash
# A Docker engine of our own for the tests: `docker.sh start DIR`, `docker.sh stop DIR`.
#
# It runs beside one that the machine may have, as root, without systemd: it keeps everything in DIR
# and needs neither a bridge nor iptables nor overlay mounts, so containers have no network. The image
# `orchestrator-test:1` in it is a busybox, which needs no registry. DOCKER_HOST=unix://DIR/socket.
set -euo pipefail
action=$1
folder=$2

case $action in
  start)
    # What a job has left that was killed.
    [ ! -e "$folder/pid" ] || "$0" stop "$folder"
    mkdir -p "$folder"
    dockerd --host "unix://$folder/socket" --data-root "$folder/data" --exec-root "$folder/exec" \
      --pidfile "$folder/daemon.pid" --storage-driver vfs --bridge none \
      --iptables=false --ip6tables=false --group "${SUDO_GID:-0}" >"$folder/log" 2>&1 </dev/null &
    engine=$!
    echo "$engine" >"$folder/pid"
    export DOCKER_HOST=unix://$folder/socket
    deadline=$((SECONDS + 60))
    until docker version >/dev/null 2>&1; do
      if ! kill -0 "$engine" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
        echo "the docker engine does not start:" >&2
        tail -n 20 "$folder/log" >&2
        exit 1
      fi
      sleep 0.1
    done
    image=$folder/image
    mkdir -p "$image/bin" "$image/etc" "$image/proc" "$image/sys" "$image/dev" "$image/tmp"
    chmod 1777 "$image/tmp"
    cp "$(command -v busybox)" "$image/bin/busybox"
    for applet in $("$image/bin/busybox" --list); do
      [ "$applet" = busybox ] || ln -sf busybox "$image/bin/$applet"
    done
    tar -C "$image" -c . | docker import - orchestrator-test:1 >/dev/null
    docker version --format 'docker client {{.Client.Version}}, engine {{.Server.Version}}'
    ;;
  stop)
    [ -e "$folder/pid" ] || exit 0
    engine=$(cat "$folder/pid")
    # The number may be another process's by now.
    if [ "$(cat "/proc/$engine/comm" 2>/dev/null)" = dockerd ]; then
      kill "$engine"
      while [ -e "/proc/$engine" ] && ! grep -q '^State:.*Z' "/proc/$engine/status"; do sleep 0.1; done
    fi
    rm -rf "$folder"
    ;;
  *)
    echo "usage: docker.sh start|stop DIR" >&2
    exit 2
    ;;
esac
