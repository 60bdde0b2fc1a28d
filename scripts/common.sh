# Functions shared by the scripts: messages, and installing missing packages. Sourced, not run.

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

# install_missing COMMAND PACKAGE [COMMAND PACKAGE …]: installs the Debian package of each missing command.
install_missing() {
    local packages=()
    while [ $# -ge 2 ]; do
        if command -v "$1" >/dev/null; then note "$1 is installed"; else packages+=("$2"); fi
        shift 2
    done
    install_packages ${packages[@]+"${packages[@]}"}
}

install_packages() {
    [ $# -gt 0 ] || return 0
    command -v apt-get >/dev/null \
        || fail "install these packages by hand, since this is not a Debian or Ubuntu machine: $*"
    note "installing from the distribution's packages: $*"
    as_root apt-get update -qq || fail "apt-get update failed"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null \
        || fail "apt-get could not install: $*"
}

# quietly COMMAND…: runs a build with one line of progress instead of a line per file. If it fails, prints its output.
quietly() {
    local started=$SECONDS log
    log=$(mktemp)
    if "$@" 2>&1 | tee "$log" | progress; then
        rm -f "$log"
        note "done in $(minutes $((SECONDS - started)))"
    else
        grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Emitting|Wrapping|Write|Linking) ' "$log" >&2 || true
        rm -f "$log"
        return 1
    fi
}

# Reads the output of `swift build` and shows the progress: in place on a terminal, otherwise every ten percent.
progress() {
    local line percent shown=-1 step=10 fetching=false
    if [ -t 1 ]; then step=1; fi
    while IFS= read -r line; do
        if [[ $line == Fetching* ]] && ! $fetching; then
            fetching=true
            note "fetching dependencies"
        fi
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
        # The total grows during the build, so the percentage may decrease.
        if [ "$percent" -lt $((shown + step)) ]; then continue; fi
        shown=$percent
        if [ -t 1 ]; then printf '\r    building: %d %%' "$percent"; else note "building: $percent %"; fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}

minutes() {
    if [ "$1" -lt 60 ]; then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}
