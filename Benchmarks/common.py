"""What Benchmarks/compare and Benchmarks/brokers share: installing, building, mosquitto, tables and charts."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "Benchmarks" / "Peers"
BUILT = PEERS / ".build"
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def fail(text):
    sys.exit(f"error: {text}")


def run_quietly(command):
    result = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        fail(f"{' '.join(map(str, command))} failed:\n{result.stdout[-4000:]}")


# What is needed


def install_packages(needed):
    """Installs the packages (the keys) whose values are false."""
    missing = [package for package, is_there in needed.items() if not is_there]
    if not missing:
        return
    if not shutil.which("apt-get"):
        fail(f"these are missing and this is not a Debian or Ubuntu machine, so install them by hand: {missing}")
    say(f"Installing {' '.join(missing)}")
    root = [] if os.geteuid() == 0 else ["sudo"]
    run_quietly([*root, "apt-get", "update", "-qq"])
    run_quietly([*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing])


def build_peer(name, libraries=()):
    BUILT.mkdir(exist_ok=True)
    links = [f"-l{library}" for library in libraries]
    run_quietly(["gcc", "-O2", "-Wall", "-Wextra", "-o", BUILT / name, PEERS / f"{name}.c", *links, "-lpthread"])


def build_curlew():
    """Builds the command in release mode and returns its path."""
    say("Building curlew in release mode, which takes some minutes the first time")
    run_quietly(["swift", "build", "-c", "release", "--product", "curlew"])
    folder = subprocess.check_output(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, text=True)
    return pathlib.Path(folder.strip()) / "curlew"


# The far ends


@contextlib.contextmanager
def null_peer(name, core=None):
    """Runs one of the listening peers; yields its port and its process."""
    peer = subprocess.Popen(
        [*on_core(core), BUILT / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield int(peer.stdout.readline()), peer
    finally:
        peer.stdin.close()
        peer.wait()


@contextlib.contextmanager
def mosquitto(settings=(), core=None):
    """Runs a mosquitto with these additional configuration lines; yields its port and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "log_type none", "user root"]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as configuration:
        configuration.write("\n".join([*lines, *settings]) + "\n")
        configuration.flush()
        command = [*on_core(core), "mosquitto", "-c", configuration.name]
        broker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port, broker)
            yield port, broker
        finally:
            broker.terminate()
            broker.wait()


def wait_for_port(port, process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    fail(f"{' '.join(map(str, process.args))} does not listen at port {port}")


def on_core(core):
    """The prefix of a command that pins it to one core; empty for `None`."""
    return [] if core is None else ["taskset", "-c", str(core)]


# Results


def machine():
    return f"{os.cpu_count()} cores, {os.uname().sysname}"


def table(lines, markdown):
    """Formats lines of cells. The first line is the heading; first and last column are text, the others numbers."""
    if markdown:
        rule = ["---"] + ["---:"] * (len(lines[0]) - 2) + ["---"]
        return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(text.rjust(width) if index else text.ljust(width) for index, (text, width) in enumerate(zip(line, widths)))
        for line in lines
    )


def chart(title, description, works, colours):
    """A bar chart of messages per second, as SVG. Each work has a name and one value for each client or broker."""
    height, left, width, top = 15, 118, 440, 58
    parts, y = [], top
    for name, values in works:
        most = max(value for value in values.values() if value)
        middle = y + (len(colours) * height + 3) / 2
        parts.append(f'<text x="{left - 10}" y="{middle}" text-anchor="end" class="name">{name}</text>')
        for who, colour in colours.items():
            if values.get(who):
                length = max(1, width * values[who] / most)
                parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{height - 3}" fill="{colour}"/>')
                parts.append(f'<text x="{left + length + 5:.1f}" y="{y + height - 4.5}">{values[who]:,.0f}</text>')
            y += height
        y += 12
    legend, x = [], left
    for who, colour in colours.items():
        legend.append(f'<rect x="{x}" y="30" width="10" height="10" fill="{colour}"/><text x="{x + 14}" y="39">{who}</text>')
        x += 32 + 7 * len(who)
    style = "text{font:11px system-ui,sans-serif;fill:#777}.name{font-weight:600}.title{font-size:13px;font-weight:600}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="660" height="{y}" viewBox="0 0 660 {y}" role="img">'
        f"<title>{description}</title><style>{style}</style>"
        f'<text x="{left}" y="16" class="title">{title}</text>' + "".join(legend + parts) + "</svg>\n"
    )
