#!/usr/bin/env bash
# Tests the packages that cpack makes of a finished build, each as users install it: the archive is
# unpacked into ~/.local, the npm package is installed from its file, and the Debian packages are
# unpacked into a folder and installed in a separate Debian 12. The machine itself does not change.
#   packages.sh MOONLET     the built executable, whose build folder is packed
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
build=$(cd "$(dirname "$1")" && pwd -P)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/moonlet-packages.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export XDG_STATE_HOME=$scratch/state HOME=$scratch/home GIT_CONFIG_GLOBAL=/dev/null
mkdir -p home

skipped=0
# shellcheck source=tests/late/packages/check.sh
. "$root/tests/late/packages/check.sh"
# skip NAME [REASON]
skip() {
  skipped=$((skipped + 1))
  printf 'skipped: tests/late/packages: %s (%s)\n' "$1" "${2:-$missing is missing}"
}
# has PROGRAM… succeeds if all programs are installed, or sets `missing` to the first one that is not.
has() {
  for missing; do command -v "$missing" >/dev/null || return 1; done
}

# holds PREFIX checks that an unpacked package of moonlet has all its files.
programs=(moonlet)
for program in executor web keeper; do
  if [ -x "$build/moonlet-$program" ]; then programs+=("moonlet-$program"); fi
done
holds() {
  local prefix=$1 file ok=0
  for file in "${programs[@]/#/bin/}" share/man/man1/moonlet.1 share/bash-completion/completions/moonlet \
    share/zsh/site-functions/_moonlet share/fish/vendor_completions.d/moonlet.fish \
    share/moonlet/lua/moonlet/meta share/moonlet/plugin share/doc/moonlet/reference.md \
    share/doc/moonlet/copyright; do
    if ! [ -s "$prefix/$file" ] && ! [ -s "$prefix/$file.gz" ]; then
      echo "$file is missing"
      ok=1
    fi
  done
  return $ok
}
# runs PROGRAM lets the program run a preset, with the keeper beside it.
runs() {
  rm -rf repository && git init -q repository && : >repository/a.txt || return 1
  (cd repository && "$1" run precommit-classifier && "$1" --version)
}

# The archive is unpacked into a ~/.local with other files, and removed again by its list of files.
everything() { (cd home && find . -printf '%p %y %s\n' | sort); }
install_archive() {
  mkdir -p home/.local/bin home/.local/share/man/man1 home/.local/lib/empty &&
    echo other >home/.local/bin/other && echo other >home/.local/share/man/man1/other.1 && everything >before &&
    tar -xzf "$archive" -C home/.local --strip-components=1
}
remove_archive() {
  tar -tzf "$archive" | sed -n 's,^[^/]*/\(.*[^/]\)$,\1,p' >listed &&
    (cd home/.local && xargs -d '\n' rm <../../listed &&
      sed 's,/[^/]*$,,' ../../listed | sort -u | xargs -d '\n' rmdir -p --ignore-fail-on-non-empty)
  everything >after && diff before after
}

echo "the archive for one user"
check "cpack makes the archive" cpack --config "$build/CPackConfig.cmake" -G TGZ -B "$scratch/archive"
archive=$(echo archive/moonlet-*.tar.gz)
check "the archive is unpacked into ~/.local" install_archive
check "the archive holds programs, man page, completions, types and guides" holds home/.local
check "the unpacked moonlet runs a preset" runs "$HOME/.local/bin/moonlet"
check "nothing is left when the listed files are removed" remove_archive

echo "the npm package"
install_npm() {
  npm install --offline --no-audit --no-fund --prefix "$scratch/project" "$build"/npm/moonlet-*.tgz
}
remove_npm() { npm uninstall --offline --prefix "$scratch/project" moonlet && ! [ -e project/node_modules/moonlet ]; }
if has npm; then
  mkdir project
  rm -f "$build"/npm/moonlet-*.tgz
  check "npm packs the archive" cmake --build "$build" --target moonlet_npm
  check "npm installs the file" install_npm
  check "the npm package holds what the archive does" holds project/node_modules/moonlet/moonlet
  check "the moonlet of npm runs a preset" runs "$scratch/project/node_modules/.bin/moonlet"
  check "npm removes it" remove_npm
else
  skip "the npm package"
fi

echo "the Debian packages"
# Lintian rejects the maintainer of an unpublished package, whose address is on localhost.
make_debs() {
  cpack --config "$build/CPackConfig.cmake" -G DEB -B "$scratch/debs" \
    -D CPACK_PACKAGE_CONTACT="moonlet <moonlet@debian.org>"
}
unpack_debs() {
  local deb
  for deb in debs/*.deb; do dpkg-deb -x "$deb" debian || return 1; done
  dpkg-deb -f debs/moonlet_*.deb Depends | grep libc6
}
library_is_found() {
  find debian -name libmoonlet.so.1 | grep . && [ -e debian/usr/include/moonlet/moonlet.h ] &&
    dpkg-deb -I debs/libmoonlet1_*.deb shlibs | grep 'libmoonlet 1 libmoonlet1'
}

# Builds the packages again with a higher version, as for the next release.
raise_version() {
  local deb version
  mkdir -p trial/old trial/new && cp debs/*.deb trial/old || return 1
  for deb in debs/*.deb; do
    rm -rf raised && dpkg-deb -R "$deb" raised || return 1
    version=$(dpkg-deb -f "$deb" Version)
    sed -i "s/^Version: .*/&+next/; s/(= $version)/(= $version+next)/" raised/DEBIAN/control
    dpkg-deb --root-owner-group -b raised trial/new || return 1
  done
}
in_bare_debian() {
  cp -r "$root/tests/late/packages/in_debian.sh" "$root"/examples/embed* trial || return 1
  mmdebstrap --variant=apt --format=null --customize-hook="copy-in '$scratch/trial' /" \
    --customize-hook='chroot "$1" bash -c "/trial/in_debian.sh >/trial/answers; true"' \
    --customize-hook="copy-out /trial/answers '$scratch'" bookworm /dev/null
}
# Each line "ok NAME" or "FAIL NAME" of the script counts as one test.
count_answers() {
  local line
  check "the tests in a bare Debian 12 come to their end" grep -x 'done' answers
  while IFS= read -r line; do
    case $line in
      'ok '*) passed=$((passed + 1)) ;;
      'FAIL '*)
        failed=$((failed + 1))
        printf 'FAILED: tests/late/packages: in a bare Debian 12: %s\n' "${line#FAIL }"
        ;;
      'done') ;;
      *) printf '%s\n' "$line" ;;
    esac
  done <answers
}

if has dpkg-deb dpkg-shlibdeps file; then
  check "cpack makes the Debian packages" make_debs
  check "they name what they depend on" unpack_debs
  check "the package moonlet holds what the archive does" holds debian/usr
  check "libmoonlet1 says which programs need it" library_is_found
  check "the moonlet of the Debian package runs a preset" runs "$scratch/debian/usr/bin/moonlet"
  if has lintian; then
    check "lintian finds no error and no warning" lintian --fail-on error,warning debs/*.deb
  else
    skip "lintian finds no error and no warning"
  fi
  echo "the Debian packages in a bare Debian 12"
  if has mmdebstrap; then
    check "the packages get a higher version" raise_version
    if in_bare_debian >debian.log 2>&1; then
      count_answers
    else
      skip "the Debian packages in a bare Debian 12" "mmdebstrap cannot make one: $(grep '^E: ' debian.log | tail -n 1)"
    fi
  else
    skip "the Debian packages in a bare Debian 12"
  fi
else
  skip "the Debian packages"
fi

echo "the source archive and its Homebrew formula"
make_source() { cpack --config "$build/CPackSourceConfig.cmake" -B "$scratch/source"; }
# A source archive must build without git, so it contains the id of its commit.
source_is_whole() {
  tar -tzf source/moonlet-*.tar.gz >listed && grep -q '^[^/]*/COMMIT$' listed &&
    grep -q '^[^/]*/CMakeLists.txt$' listed && ! grep -E '^[^/]*/(build|\.git|\.agent)/' listed
}
make_formula() {
  cmake -DARCHIVE="$(echo "$scratch"/source/moonlet-*.tar.gz)" -DURL=https://example.org/moonlet.tar.gz \
    -DHOMEPAGE=https://example.org -DOUT="$scratch/moonlet.rb" -P "$root/host/cmake/homebrew/formula.cmake" &&
    grep -F "$(sha256sum source/moonlet-*.tar.gz | cut -d ' ' -f 1)" moonlet.rb && ! grep -n '@[A-Z]*@' moonlet.rb
}
check "cpack makes the source archive" make_source
check "the source archive names its commit and holds no build" source_is_whole
check "the formula names the archive's checksum" make_formula
if has brew; then
  check "brew finds the formula in style" brew style moonlet.rb
elif has ruby; then
  check "ruby reads the formula" ruby -c moonlet.rb
else
  skip "ruby reads the formula"
fi

printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
