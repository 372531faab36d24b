# The npm packages of the suites in a browser, installed once into $cache. Source it.
# shellcheck shell=bash disable=SC2154
packages=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/package.json

# Prints the reason why the browser's suite cannot run; installs the npm packages when they are missing.
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
