# Installs the npm packages of the browser suites once, into $cache. Source it.
# shellcheck shell=bash disable=SC2154
packages=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/package.json

# Installs the npm packages if they are missing. If the browser suites cannot run, prints the reason.
missing() {
  local program pinned
  for program in /usr/bin/chromium node npm; do
    command -v "$program" >/dev/null || { echo "$program is not installed" && return; }
  done
  pinned=$(sha256sum <"$packages")
  [ "$(cat "$cache/pinned" 2>/dev/null)" = "$pinned" ] && return
  mkdir -p "$cache" && cp "$packages" "$cache/" &&
    (cd "$cache" && timeout 300 npm install --ignore-scripts --no-audit --no-fund --loglevel=error >"$cache/npm.log" 2>&1) &&
    printf '%s\n' "$pinned" >"$cache/pinned" || echo "npm could not install the packages (see $cache/npm.log)"
}
