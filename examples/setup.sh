# Installs missing packages, configures and builds moonlet, for quickstart.sh and tests/run.sh.
# Source it from bash (3.2 or later) with `root` set to the checkout. Its own messages go to
# standard error, so that standard output carries only the output of other programs. The output of
# apt, cmake and the compiler goes to a log.
# shellcheck shell=bash disable=SC2154

say() { printf '%s\n' "moonlet: $*" >&2; }
die() {
  say "$@"
  exit 1
}

setup_log=$root/build/setup.log

# Prints the progress of a build or an installation on one terminal line, which it overwrites.
moonlet_progress() {
  local what=$1 line text columns
  columns=$(tput cols 2>/dev/null) || columns=80
  while IFS= read -r line; do
    # ninja prints "[12/260] Building …" and make "[  4%] Building …"; cmake and apt print no count.
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) ]]; then
      text="$((100 * BASH_REMATCH[1] / BASH_REMATCH[2])) % ${BASH_REMATCH[3]}"
    elif [[ $line =~ ^\[\ *([0-9]+)%\]\ (.*) ]]; then
      text="${BASH_REMATCH[1]} % ${BASH_REMATCH[2]}"
    else
      text=${line//[[:cntrl:]]/}
    fi
    text="$what: $text"
    printf '\r\033[K%s' "${text:0:columns-1}" >&2
  done
  printf '\r\033[K' >&2
}

# moonlet_logged WHAT COMMAND… runs a command and appends its output to the log. A terminal gets a
# progress line. If the command fails, the end of its output is printed. Needs `set -o pipefail`.
moonlet_logged() {
  local what=$1 status=0 before
  shift
  mkdir -p "${setup_log%/*}" || die "cannot make ${setup_log%/*}"
  printf '\n$ %s\n' "$*" >>"$setup_log" || die "cannot write $setup_log"
  before=$(wc -l <"$setup_log")
  if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
    "$@" 2>&1 </dev/null | tee -a "$setup_log" | moonlet_progress "$what" || status=$?
  else
    "$@" >>"$setup_log" 2>&1 </dev/null || status=$?
  fi
  if [ "$status" -ne 0 ]; then
    tail -n "+$((before + 1))" "$setup_log" | tail -n 40 >&2
    say "the whole output is in $setup_log"
  fi
  return "$status"
}

# Lists one dependency per line: a check, then its package for apt, dnf, pacman and brew, or `-` if
# there is none. `cmd:` checks for any of the named programs, and `inc:` for any of the named
# headers. Packages are not checked, so a library built by hand counts too. `may:` marks an optional
# program: `review` adds the linters of the quickstart, `tests` also the programs that single tests
# need, and `late` those of the late suites.
moonlet_needs() {
  cat <<'NEEDS'
cmd:g++,clang++,c++                          g++                 gcc-c++     gcc            -
cmd:cmake                                    cmake               cmake       cmake          cmake
cmd:ninja,make                               ninja-build         ninja-build ninja          ninja
cmd:git                                      git                 git         git            git
inc:lua5.4/lua.h,lua-5.4/lua.h,lua/lua.h,lua.h liblua5.4-dev     lua-devel   lua            lua@5.4
inc:uv.h                                     libuv1-dev          libuv-devel libuv          libuv
inc:nlohmann/json.hpp                        nlohmann-json3-dev  json-devel  nlohmann-json  nlohmann-json
inc:re2/re2.h                                libre2-dev          re2-devel   re2            re2
inc:sqlite3.h                                libsqlite3-dev      sqlite-devel sqlite        sqlite
inc:nettle/sha2.h                            nettle-dev          nettle-devel nettle        nettle
inc:zlib.h                                   zlib1g-dev          zlib-devel  zlib           zlib
inc:utf8proc.h                               libutf8proc-dev     utf8proc-devel libutf8proc  utf8proc
inc:histedit.h                               libedit-dev         libedit-devel libedit       -
inc:vterm.h                                  libvterm-dev        libvterm-devel libvterm     libvterm
inc:curl/curl.h                              libcurl4-openssl-dev libcurl-devel curl        curl
inc:microhttpd.h                             libmicrohttpd-dev   libmicrohttpd-devel libmicrohttpd libmicrohttpd
inc:catch2/catch_all.hpp,catch2/catch.hpp    catch2              catch-devel catch2         catch2
NEEDS
  if [ -n "${1:-}" ]; then
    cat <<'NEEDS'
may:shellcheck                               shellcheck          ShellCheck  shellcheck     shellcheck
may:pyflakes3,pyflakes                       pyflakes3           python3-pyflakes python-pyflakes -
NEEDS
  fi
  if [ "${1:-}" = tests ]; then
    cat <<'NEEDS'
may:yamllint                                 yamllint            yamllint    yamllint       yamllint
may:cppcheck                                 cppcheck            cppcheck    cppcheck       cppcheck
cmd:python3                                  python3             python3     python         python
may:make                                     make                make        make           -
may:flock                                    util-linux          util-linux  util-linux     util-linux
may:setpriv                                  util-linux          util-linux  util-linux     -
may:unshare                                  util-linux          util-linux  util-linux     -
may:ps                                       procps              procps-ng   procps-ng      -
may:nm                                       binutils            binutils    binutils       -
may:strace                                   strace              strace      strace         -
may:zsh                                      zsh                 zsh         zsh            zsh
may:fish                                     fish                fish        fish           fish
may:tmux                                     tmux                tmux        tmux           tmux
may:vim                                      vim                 vim-enhanced vim           vim
may:less                                     less                less        less           less
may:sqlite3                                  sqlite3             sqlite      sqlite         sqlite
may:/usr/bin/time                            time                time        time           -
may:curl                                     curl                curl        curl           curl
may:npm                                      npm                 npm         npm            node
may:luacheck                                 lua-check           luacheck    luacheck       luacheck
may:clang-format-14                          clang-format-14     -           -              -
NEEDS
  fi
  if [ "${1:-}" = late ]; then
    cat <<'NEEDS'
may:python3                                  python3             python3     python         python
may:node                                     nodejs              nodejs      nodejs         node
may:npm                                      npm                 npm         npm            node
may:chromium                                 chromium            chromium    chromium       -
may:protoc                                   protobuf-compiler   protobuf-compiler protobuf protobuf
may:protoc                                   python3-protobuf    python3-protobuf python-protobuf -
may:/usr/sbin/sshd                           openssh-server      openssh-server openssh      -
may:sbatch                                   slurm-wlm           slurm       slurm-llnl     -
may:/usr/sbin/munged                         munge               munge       munge          -
may:ip,/usr/sbin/ip                          iproute2            iproute     iproute2       -
may:faketime                                 faketime            libfaketime libfaketime    -
may:dpkg-shlibdeps                           dpkg-dev            -           -              -
may:file                                     file                -           -              -
may:lintian                                  lintian             -           -              -
may:mmdebstrap                               mmdebstrap          -           -              -
may:ruby                                     ruby                ruby        ruby           -
NEEDS
  fi
}

# Prints the folders that compilers search for headers. An installation may add to them.
moonlet_include_dirs() {
  local dir searched=()
  IFS=: read -r -a searched <<<"${CPATH:-}"
  for dir in ${searched[@]+"${searched[@]}"} /usr/local/include /usr/include \
    ${HOMEBREW_PREFIX:+"$HOMEBREW_PREFIX/include" "$HOMEBREW_PREFIX/opt/lua@5.4/include"} \
    /opt/homebrew/include /opt/homebrew/opt/lua@5.4/include /usr/local/opt/lua@5.4/include \
    /opt/homebrew/opt/sqlite/include /usr/local/opt/sqlite/include; do
    if [ -d "$dir" ]; then printf '%s\n' "$dir"; fi
  done
  for dir in /usr/include/*-linux-*; do
    if [ -d "$dir" ]; then printf '%s\n' "$dir"; fi
  done
}

# Succeeds if one of the comma-separated programs or headers of check $1 exists.
moonlet_has() {
  local names name dir
  IFS=, read -r -a names <<<"${1#*:}"
  for name in "${names[@]}"; do
    case $1 in
      cmd:* | may:*) if command -v "$name" >/dev/null 2>&1; then return 0; fi ;;
      inc:*)
        while IFS= read -r dir; do
          if [ -e "$dir/$name" ]; then return 0; fi
        done <<<"$include_dirs"
        ;;
    esac
  done
  return 1
}

# moonlet_install_needs [review | tests | late] installs missing dependencies with apt, or names the
# packages and stops on other systems. It starts no package manager if nothing is missing. A missing
# optional package stops nothing.
moonlet_install_needs() {
  rm -f "$setup_log"
  local include_dirs missing=() checks=() optional=() check apt dnf pacman brew
  include_dirs=$(moonlet_include_dirs)
  local dnf_names=() pacman_names=() brew_names=()
  while read -r check apt dnf pacman brew; do
    if moonlet_has "$check"; then continue; fi
    if [[ $check == may:* ]]; then
      optional+=("$apt")
      continue
    fi
    checks+=("$check")
    missing+=("$apt")
    dnf_names+=("$dnf")
    pacman_names+=("$pacman")
    if [ "$brew" != - ]; then brew_names+=("$brew"); fi
  done < <(moonlet_needs "${1:-}")
  if [ ${#missing[@]} -gt 0 ] && ! command -v apt-get >/dev/null 2>&1; then
    say "these are missing: $(moonlet_plain "${checks[@]}")"
    if command -v dnf >/dev/null 2>&1; then
      die "install them and run this again: sudo dnf install ${dnf_names[*]}"
    elif command -v pacman >/dev/null 2>&1; then
      die "install them and run this again: sudo pacman -S --needed ${pacman_names[*]}"
    elif [ "$(uname -s)" = Darwin ]; then
      die "install them and run this again: xcode-select --install (the compiler);" \
        "brew install ${brew_names[*]}"
    fi
    die "install them with the package manager of this system and run this again" \
      "(their names on Debian: ${missing[*]})"
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    moonlet_apt_install "${missing[@]}"
    # On a fresh machine, the folders of headers exist only after the installation.
    include_dirs=$(moonlet_include_dirs)
  fi
  for check in ${checks[@]+"${checks[@]}"}; do
    if ! moonlet_has "$check"; then
      die "$(moonlet_plain "$check") is still not there after the installation;" \
        "see what apt-get said above"
    fi
  done
  if [ ${#optional[@]} -gt 0 ]; then moonlet_install_optional "${optional[@]}"; fi
}

# Installs optional packages. A failure is reported and stops nothing.
moonlet_install_optional() {
  local name known=()
  if command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    # A fresh machine has no package lists yet.
    if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then moonlet_apt update; fi
    for name in "$@"; do
      # `grep -q` in a pipe would end early and make apt-cache fail with SIGPIPE.
      if [[ $(apt-cache policy "$name" 2>/dev/null) == *'Candidate: '[!\(]* ]]; then known+=("$name"); fi
    done
  fi
  if [ ${#known[@]} -gt 0 ] && (moonlet_apt_install "${known[@]}"); then
    hash -r
    return 0
  fi
  say "less is shown or tested without these packages (their names on Debian): $*"
}

moonlet_plain() {
  local check text=
  for check in "$@"; do
    check=${check#*:}
    text+="${text:+, }${check//,/ or }"
  done
  printf '%s' "$text"
}

# moonlet_apt COMMAND [OPTION…] runs apt-get as root.
moonlet_apt() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
    # Without a terminal nobody can type a password, so fail at once.
    if ! [ -t 0 ]; then as_root=(sudo -n); fi
  fi
  moonlet_logged "apt-get $1" ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

moonlet_apt_install() {
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    die "packages are missing, and without root or sudo they cannot be installed;" \
      "have an administrator run: apt-get install $*"
  fi
  say "installing with apt-get: $*"
  # One dead mirror must not stop an installation that other mirrors can serve.
  moonlet_apt update || say "apt-get update failed in part; trying with the lists that are there"
  moonlet_apt install --no-install-recommends "$@" ||
    die "apt-get install failed, see above; by hand: sudo apt-get install $*"
  hash -r
}

moonlet_jobs() {
  local jobs
  jobs=$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
  printf '%s' "${MOONLET_JOBS:-$jobs}"
}

# moonlet_build PRESET [TARGET…] configures build/PRESET if needed and builds the targets, by
# default all. An up-to-date build takes a few tens of milliseconds.
moonlet_build() {
  local preset=$1 dir="$root/build/$1" target arguments=()
  shift
  say "building $dir; the log is $setup_log"
  for target in "$@"; do arguments+=(--target "$target"); done
  # A copied or moved build directory still refers to its old checkout.
  if [ -f "$dir/CMakeCache.txt" ] &&
    ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
    rm -rf "$dir/CMakeCache.txt" "$dir/CMakeFiles"
  fi
  if ! [ -f "$dir/build.ninja" ] && ! [ -f "$dir/Makefile" ] || ! [ -f "$dir/CMakeCache.txt" ]; then
    local configure=(cmake -S "$root" --preset "$preset")
    if ! [ -f "$dir/CMakeCache.txt" ] && [ -z "${CMAKE_GENERATOR:-}" ] &&
      command -v ninja >/dev/null 2>&1; then
      configure+=(-G Ninja)
    fi
    if command -v ccache >/dev/null 2>&1; then
      configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    # CMake does not find clang++ by itself on a Debian without c++.
    if [ -z "${CXX:-}" ] && ! command -v c++ >/dev/null 2>&1 && ! command -v g++ >/dev/null 2>&1; then
      export CXX=clang++
    fi
    (cd "$root" && moonlet_logged configuring "${configure[@]}") ||
      die "cmake could not configure $dir, see above"
  fi
  moonlet_logged building cmake --build "$dir" -j "$(moonlet_jobs)" ${arguments[@]+"${arguments[@]}"} ||
    die "the build in $dir failed, see above"
}
