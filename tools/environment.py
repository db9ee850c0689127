"""Makes `.venv` from the lock files; needs nothing but Python 3.11 and the package index.

Every step can be repeated: the stamp is written last, and an environment without one that this
tool began is thrown away and begun anew.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time

SUPPORTED = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(ENVIRONMENT, "bin", "python")
BEGUN = os.path.join(ENVIRONMENT, ".begun")
STAMP = os.path.join(ENVIRONMENT, ".stamp")
GPU_STAMP = os.path.join(ENVIRONMENT, ".gpu")
BOOTSTRAP = os.path.join(ROOT, ".cache", "bootstrap")
LOG = os.path.join(ROOT, ".cache", "install.log")
LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
GPU_LOCK = "requirements-gpu.lock"
BOOTSTRAP_LOCK = "requirements-bootstrap.lock"
SIDES = "environments"
SIDE_LOCK = os.path.join(SIDES, "{}.lock")
"""Of a separate environment in .cache/NAME, for a server, a tool or a peer that tests run."""
BESIDE = "-c ../requirements.lock"
"""A .in file with this line asks for packages that go with those of .venv."""
EMBEDDED_LOCK = os.path.join("groundwork", "embedded.lock")
GIGABYTES_NEEDED = 6
COMPILE = (
    *("pip", "compile", "--quiet", "--generate-hashes", "--python-version", "3.11"),
    *("--python-platform", "x86_64-manylinux_2_31", "--custom-compile-command", "make lock"),
)


class Refused(Exception):
    """One sentence for the user: what is wrong and what to do."""


def check_machine(version, system, machine, free_bytes):
    """Refuses what cannot work, before anything is downloaded."""
    if tuple(version[:2]) != SUPPORTED:
        raise Refused(
            "Python {}.{} is not supported: TensorFlow Federated 0.87 and this lock need "
            "Python 3.11 (name one with `make PYTHON=/path/to/python3.11`)".format(*version[:2])
        )
    if (system, machine) != ("Linux", "x86_64"):
        raise Refused(
            f"{system} on {machine} is not supported: TensorFlow Federated 0.87 ships its worker "
            "for Linux on x86_64 only (use a Linux machine or container)"
        )
    if free_bytes < GIGABYTES_NEEDED * 10**9:
        raise Refused(
            f"only {free_bytes / 1e9:.1f} GB are free in {ROOT}: the environment needs "
            f"{GIGABYTES_NEEDED} GB while it is made"
        )


def check_lock(name, text):
    """Refuses a lock with an entry that is not a pin with well-formed hashes."""
    for number, entry in enumerate(text.split("\n"), start=1):
        line = entry.split("#")[0].rstrip("\\ ").strip()
        if not line:
            continue
        for part in line.split():
            pin = re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", part)
            if not pin and not re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", part):
                raise Refused(
                    f"{name}, line {number} is damaged ({part[:60]!r} is neither NAME==VERSION nor "
                    f"a sha256): restore it with `git checkout {name}`"
                )


def explain(output, lock):
    """The one sentence for a failed download or install, from the tool's own output."""
    mismatch = re.search(r"[Hh]ash(?:es)? mismatch for `?([^\s`]+)|DO NOT MATCH THE HASHES", output)
    if mismatch:
        named = mismatch.group(1) or _package_of_pip_mismatch(output)
        return (
            f"{lock} does not fit what the package index serves for {named}: the entry is damaged "
            f"or the file was tampered with (restore it with `git checkout {lock}`)"
        )
    if re.search(
        r"dns error|error sending request|Failed to fetch|client error|NewConnectionError"
        r"|ConnectTimeout|Could not fetch URL|Temporary failure in name resolution"
        r"|No matching distribution found|Connection (refused|reset)|ProxyError",
        output,
    ):
        return (
            "the package index cannot be reached: check the network (or your pip/uv index "
            "settings) and run the same command again; what was downloaded is kept"
        )
    last = [line for line in output.splitlines() if line.strip()][-1:]
    if last and last[0].startswith("error: "):  # a program of ours has said it in a sentence
        return last[0][len("error: ") :]
    return "{} could not be installed: {}".format(lock, last[0].strip() if last else "no output")


def _package_of_pip_mismatch(output):
    found = re.search(r"^\s+(\S+==\S+|\S+)(?: from \S+)?.*:\s*$\s+Expected sha256", output, re.M)
    return found.group(1) if found else "one of its packages"


def run(arguments, lock, label, extra=None):
    """Runs one step quietly, its output in the log; a failure becomes one sentence."""
    environment = {
        **os.environ,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_RETRIES": "2",
        "PIP_ROOT_USER_ACTION": "ignore",
        "UV_NO_PROGRESS": "1",
        **(extra or {}),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.pop("VIRTUAL_ENV", None)
    started = time.monotonic()
    finished = threading.Event()
    waiting = threading.Thread(target=_tell_time, args=(label, started, finished), daemon=True)
    waiting.start()
    try:
        process = subprocess.run(
            arguments,
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    finally:
        finished.set()
        waiting.join()
    output = process.stdout.decode("utf-8", "replace")
    with open(LOG, "a") as log:
        log.write("$ {}\n{}\n".format(" ".join(arguments), output))
    if process.returncode != 0:
        raise Refused(f"{explain(output, lock)} [details: {os.path.relpath(LOG, ROOT)}]")
    print(f"{label}: done in {time.monotonic() - started:.0f} s", flush=True)


def _tell_time(label, started, finished):
    while not finished.wait(20):
        print(f"{label}: {time.monotonic() - started:.0f} s so far", flush=True)


def bootstrap():
    """The pinned installer in its own environment; returns its folder of programs."""
    done = os.path.join(BOOTSTRAP, ".stamp")
    programs = os.path.join(BOOTSTRAP, "bin")
    digest = _digest([BOOTSTRAP_LOCK])
    if _read(done) == digest and os.path.exists(os.path.join(programs, "uv")):
        return programs
    shutil.rmtree(BOOTSTRAP, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", BOOTSTRAP], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if made.returncode != 0:
        raise Refused(
            f"{sys.executable} cannot make virtual environments: install its venv module (on "
            "Debian and Ubuntu `apt-get install python3.11-venv`)"
        )
    run(
        [os.path.join(programs, "python"), "-m", "pip", "install", "--require-hashes", "--no-deps"]
        + ["-r", BOOTSTRAP_LOCK],
        BOOTSTRAP_LOCK,
        "installer",
    )
    _write(done, digest)
    return programs


def install(installer, gpu, runtime=False):
    """Makes or updates .venv; instant when the stamp says that nothing changed."""
    gpu = gpu or os.path.exists(GPU_STAMP)
    locks = [LOCK, *([] if runtime else [DEV_LOCK]), *([GPU_LOCK] if gpu else [])]
    digest = _digest([*locks, EMBEDDED_LOCK])
    if _read(STAMP) == digest and os.path.exists(PYTHON):
        _write(STAMP, digest)
        return
    for name in (*locks, BOOTSTRAP_LOCK, EMBEDDED_LOCK):
        check_lock(name, _read(os.path.join(ROOT, name)))
    programs = bootstrap()
    if os.path.exists(BEGUN):
        shutil.rmtree(ENVIRONMENT)
    _remove(STAMP)
    if not os.path.exists(PYTHON):
        os.makedirs(ENVIRONMENT, exist_ok=True)
        _write(BEGUN, "this environment is half made\n")
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    _write(BEGUN, "this environment is half made\n")
    _install_packages(programs, installer, locks)
    let_files_run(PYTHON)
    if not runtime:
        embedded()
    if gpu:
        _install_gpu_hook()
        _write(GPU_STAMP, "")
    _write(STAMP, digest)
    _remove(BEGUN)


def _install_packages(programs, installer, locks):
    files = [part for lock in locks for part in ("-r", lock)]
    label = "packages with CUDA (3 GB)" if GPU_LOCK in locks else "packages (0.6 GB the first time)"
    if installer == "pip":
        run([PYTHON, "-m", "pip", "install", "--no-deps", "--require-hashes", *files], LOCK, label)
        return
    run(
        [os.path.join(programs, "uv"), "pip", "sync", "--python", PYTHON, "--require-hashes"]
        + ["--compile-bytecode", *locks],
        " + ".join(locks),
        label,
    )


def side(name):
    """The environment .cache/NAME; it also imports what .venv has if its lock keeps to that one."""
    folder = os.path.join(ROOT, ".cache", name)
    stamp, lock = os.path.join(folder, ".stamp"), SIDE_LOCK.format(name)
    digest = _digest([lock])
    python = os.path.join(folder, "bin", "python")
    if _read(stamp) != digest:
        check_lock(lock, _read(os.path.join(ROOT, lock)))
        uv = os.path.join(bootstrap(), "uv")
        if not os.path.exists(python):
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        run([uv, "pip", "sync", "--python", python, "--require-hashes", lock], lock, name)
    if BESIDE in _read(os.path.join(ROOT, lock.replace(".lock", ".in"))):
        _go_beside(_packages(python), _packages(PYTHON))
    _write(stamp, digest)


def _go_beside(side, main):
    """Unlike a bare line with the folder, it also obeys the .pth files there."""
    _write(os.path.join(side, "beside.pth"), f"import site; site.addsitedir({main!r})\n")


def side_names():
    """The environments that have a lock file."""
    folder = os.path.join(ROOT, SIDES)
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []  # the image has none
    return [file.removesuffix(".lock") for file in files if file.endswith(".lock")]


def embedded():
    """Downloads the archives that the lock pins and unpacks them; no code of theirs is run."""
    label = "embedded data and weights"
    run([PYTHON, "-m", "fed_pretrain.fetch_embedded"], EMBEDDED_LOCK, label)


def let_files_run(python):
    """So that `python fed_pretrain/train.py` finds the project from any folder, and whoever imports
    TensorFlow Federated first finds what it needs."""
    hook = os.path.join(_packages(python), "fed_pretrain_checkout.pth")
    _write(hook, ROOT + "\nimport groundwork.libraries as ours; ours.prepare()\n")


def _install_gpu_hook():
    """Lets every start of this Python put the CUDA wheels on the library path."""
    folder = _packages(PYTHON)
    shutil.copy(os.path.join(ROOT, "tools", "cuda_library_path.py"), folder)
    hook = os.path.join(folder, "cuda_library_path.pth")
    _write(hook, "import cuda_library_path; cuda_library_path.ensure()\n")


def _packages(python):
    told = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return subprocess.check_output(told).decode().strip()


def relock(upgrade):
    """Regenerates the lock files from their short .in files."""
    uv = os.path.join(bootstrap(), "uv")
    more = ["--upgrade"] if upgrade else []
    overrides = ["--override", "requirements-overrides.txt"]
    for name in (LOCK, DEV_LOCK, GPU_LOCK, BOOTSTRAP_LOCK, *map(SIDE_LOCK.format, side_names())):
        source = name.replace(".lock", ".in")
        overriding = name == LOCK or BESIDE in _read(os.path.join(ROOT, source))
        run(
            [uv, *COMPILE, *more, *(overrides if overriding else []), source, "-o", name],
            name,
            name,
        )


def _digest(names):
    digest = hashlib.sha256()
    for name in names:
        digest.update(_read(os.path.join(ROOT, name)).encode())
    return digest.hexdigest()


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        if path.endswith(".lock"):
            raise Refused(
                f"{path} is missing: restore it with `git checkout {os.path.basename(path)}`"
            ) from None
        return ""


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _remove(path):
    if os.path.exists(path):
        os.remove(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["install", "gpu", "side", "lock"])
    parser.add_argument("name", nargs="?", choices=side_names(), help="side: which environment")
    parser.add_argument("--installer", choices=["uv", "pip"], default="uv")
    parser.add_argument(
        "--runtime", action="store_true", help="no tools of development, no embedded data"
    )
    parser.add_argument("--upgrade", action="store_true", help="lock: take newer versions")
    arguments = parser.parse_args()
    try:
        free = shutil.disk_usage(ROOT).free
        check_machine(sys.version_info, platform.system(), platform.machine(), free)
        os.makedirs(os.path.join(ROOT, ".cache"), exist_ok=True)
        if arguments.action in ("install", "gpu"):
            gpu = arguments.action == "gpu"
            install(arguments.installer, gpu, arguments.runtime)
        elif arguments.action == "side":
            side(arguments.name)
        else:
            relock(arguments.upgrade)
    except Refused as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted; the same command starts over cleanly", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
