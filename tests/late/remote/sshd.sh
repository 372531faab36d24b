# Starts an sshd for a test on the loopback interface, without root. Source it with LAB set to an existing
# folder. It puts an `ssh` first in PATH that knows this server as the host `far`.
# shellcheck shell=bash disable=SC2034

# Makes a network namespace for the server that lab_sshd starts next, and a link to it. Fails if this user
# has no right to make one.
lab_link() {
  local name=lab$$ subnet=10.219.$(($$ % 256))
  mkdir -p "$LAB/ssh"
  command -v ip >/dev/null && ip netns add "$name" 2>/dev/null || return 1
  if ip link add "$name" type veth peer name far0 netns "$name" &&
    ip address add "$subnet.1/24" dev "$name" && ip link set "$name" up &&
    ip -n "$name" address add "$subnet.2/24" dev far0 && ip -n "$name" link set far0 up &&
    ip -n "$name" link set lo up; then
    printf '%s %s.2\n' "$name" "$subnet" >"$LAB/ssh/link"
  else
    ip netns del "$name"
    return 1
  fi
}

# Usage: lab_link_set up|down. Cuts or restores the link.
lab_link_set() {
  local name address
  read -r name address <"$LAB/ssh/link" && ip link set "$name" "$1"
}

lab_link_remove() {
  local name address
  if read -r name address 2>/dev/null <"$LAB/ssh/link"; then ip netns del "$name" && rm "$LAB/ssh/link"; fi
}

lab_sshd() {
  local port=$1 user name address=127.0.0.1
  if [ -e "$LAB/ssh/link" ]; then read -r name address <"$LAB/ssh/link"; fi
  user=$(id -un)
  mkdir -p "$LAB/ssh" "$LAB/bin"
  chmod 700 "$LAB/ssh"
  [ -f "$LAB/ssh/host" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh/host"
  [ -f "$LAB/ssh/login" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh/login"
  cp "$LAB/ssh/login.pub" "$LAB/ssh/allowed"
  printf '%s\n' "ListenAddress $address" "Port $port" "HostKey $LAB/ssh/host" "PidFile $LAB/ssh/pid" \
    "AuthorizedKeysFile $LAB/ssh/allowed" "UsePAM no" "PasswordAuthentication no" "StrictModes no" \
    "KbdInteractiveAuthentication no" "AllowUsers $user" "MaxStartups 100" "PrintMotd no" >"$LAB/ssh/server"
  [ -f "$LAB/ssh/known" ] ||
    printf '[%s]:%s %s\n' "$address" "$port" "$(cut -d' ' -f1,2 "$LAB/ssh/host.pub")" >"$LAB/ssh/known"
  printf '%s\n' "Host far" "  HostName $address" "  Port $port" "  User $user" "  IdentityFile $LAB/ssh/login" \
    "  IdentitiesOnly yes" "  UserKnownHostsFile $LAB/ssh/known" "  GlobalKnownHostsFile /dev/null" \
    "  StrictHostKeyChecking yes" "  LogLevel ERROR" >"$LAB/ssh/client"
  printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$LAB/ssh/client" >"$LAB/bin/ssh"
  chmod +x "$LAB/bin/ssh"
  if [ "$(id -u)" -eq 0 ]; then mkdir -p /run/sshd; fi
  lab_sshd_start
}

lab_sshd_start() {
  local name address inside=()
  if [ -e "$LAB/ssh/link" ]; then
    read -r name address <"$LAB/ssh/link"
    inside=(ip netns exec "$name")
  fi
  ${inside[@]+"${inside[@]}"} "$(PATH=$PATH:/usr/sbin command -v sshd)" -f "$LAB/ssh/server" -E "$LAB/ssh/log"
  local i
  for ((i = 0; i < 100; ++i)); do
    if [ -s "$LAB/ssh/pid" ]; then return 0; fi
    sleep 0.05
  done
  cat "$LAB/ssh/log" >&2
  return 1
}

# Ends the server. With `all` it also ends the sessions, which are separate processes of sshd.
lab_sshd_stop() {
  local pid children
  pid=$(cat "$LAB/ssh/pid" 2>/dev/null) || return 0
  children=$(pgrep -P "$pid" || true)
  kill "$pid" 2>/dev/null || true
  if [ "${1:-}" = all ]; then
    local child
    for child in $children; do
      # shellcheck disable=SC2046
      kill -9 $(pgrep -P "$child") "$child" 2>/dev/null || true
    done
  fi
  rm -f "$LAB/ssh/pid"
}
