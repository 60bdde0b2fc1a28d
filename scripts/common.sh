# What the scripts share: saying what happens, and installing what is missing. Sourced, not run.

say() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# Debian keeps daemons in directories that only root has on the path.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

need_swift() {
    command -v swift >/dev/null || fail "Swift is not on the path. Install Swift 6.2 or later from https://swift.org/install and run this again."
    note "$(swift --version 2>/dev/null | head -n 1)"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# install_missing COMMAND PACKAGE [COMMAND PACKAGE …]: installs the Debian package of each command that is not there.
install_missing() {
    local packages=()
    while [ $# -ge 2 ]; do
        if command -v "$1" >/dev/null; then note "$1 is here"; else packages+=("$2"); fi
        shift 2
    done
    install_packages ${packages[@]+"${packages[@]}"}
}

install_packages() {
    [ $# -gt 0 ] || return 0
    command -v apt-get >/dev/null \
        || fail "these are missing and this is not a Debian or Ubuntu machine, so install them by hand: $*"
    note "installing from the distribution's packages: $*"
    as_root apt-get update -qq || fail "apt-get update failed"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null \
        || fail "apt-get could not install: $*"
}
