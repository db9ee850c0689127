"""Runs the steps of the Dockerfile in a folder, where there is no container engine; then a command.

  sudo python3 tools/build_in_chroot.py --root=/tmp/image -- train --task=digits --workdir=runs/x

The base is made by debootstrap. It needs root, for chroot and mounts; the mounts are in a namespace
of their own and are gone with it. `--lend=FILE` copies a file of this machine into the image while
it is built (certificates, the settings of a package index). What another image is copied from is
refused: that takes an engine.
"""

import argparse
import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSED_ON = ("PIP_", "UV_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy", "REQUESTS_")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# With this machine's PATH, since the image's own need not have what mounts.
MOUNT = f'PATH={PATH} && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"'


class Refused(Exception):
    """One sentence for the user."""


@dataclass
class Stage:
    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile and their instructions; comments and continued lines are gone."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base.strip(), name.strip()))
        elif word:
            found[-1].steps.append((word, rest.strip()))
    return found


def chain(every: list[Stage], target: str) -> list[Stage]:
    """The target, the last one if none is named, after the stages that it is built from."""
    named = {stage.name: stage for stage in every if stage.name}
    if target and target not in named:
        raise Refused(f"--target={target}: the Dockerfile has {', '.join(named)}")
    stage = named[target] if target else every[-1]
    found = [stage]
    while found[0].base in named:
        found.insert(0, named[found[0].base])
    return found


@dataclass
class Image:
    root: Path
    arguments: dict[str, str]
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    workdir: str = "/"
    user: str = "root"
    lent: tuple[str, ...] = ()
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def apply(self, word: str, rest: str) -> None:
        print(f"== {word} {rest}"[:160], flush=True)
        getattr(self, f"_{word.lower()}")(rest)

    def run(self, command: list[str]) -> int:
        """In the chroot, as its user and in its folder."""
        passed = {n: v for n, v in os.environ.items() if n.startswith(PASSED_ON)}
        home = {"HOME": "/root" if self.user == "root" else f"/home/{self.user}"}
        inside = f"cd {shlex.quote(self.workdir)} && exec {shlex.join(command)}"
        root, path = str(self.root), self.environment["PATH"]
        change = f'{MOUNT} && exec env PATH={path} {shutil.which("chroot", path=PATH)} "$@"'
        command = [
            "sh",
            "-c",
            change,
            root,
            f"--userspec={self.user}",
            root,
            "/bin/sh",
            "-c",
            inside,
        ]
        return subprocess.run(
            ["unshare", "--mount", *command],
            env={**passed, **home, **self.environment, "PATH": PATH},
            check=False,
        ).returncode

    def _run(self, rest: str) -> None:
        self._lend()  # A step before may have made its own, as ca-certificates does.
        if self.run(["/bin/sh", "-c", rest]) != 0:
            raise Refused(f"the step failed: RUN {rest[:80]}")

    def _lend(self) -> None:
        for name in ("/etc/resolv.conf", "/etc/hosts", *self.lent):
            place = self.root / name.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, place)

    def _copy(self, rest: str) -> None:
        *sources, target = shlex.split(rest)
        if sources[0].startswith("--"):
            raise Refused(f"COPY {sources[0]} takes a container engine")
        place = self.root / (self.workdir + "/" + target).lstrip("/")
        found = [Path(p) for source in sources for p in sorted(glob.glob(str(ROOT / source)))]
        for source in found:
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, place, ignore=ignored, dirs_exist_ok=True)
                continue
            into = place if len(found) > 1 or target.endswith("/") else place.parent
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, into / source.name)

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self.environment[name] = self.arguments.get(name, default)

    def _env(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            known = self.environment
            self.environment[name] = value.replace("$COMMIT", known.get("COMMIT", ""))

    def _workdir(self, rest: str) -> None:
        self.workdir = rest
        (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _user(self, rest: str) -> None:
        self.user = rest

    def _entrypoint(self, rest: str) -> None:
        self.entry = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self.command = json.loads(rest)


def debootstrap(image: str, root: Path) -> None:
    name, _, tag = image.partition(":")
    if name != "debian":
        raise Refused(f"FROM {image} takes a container engine; only debian can be made here")
    suite = tag.removesuffix("-slim")
    made = subprocess.run(["debootstrap", "--variant=minbase", suite, str(root)], check=False)
    if made.returncode != 0:
        raise Refused("debootstrap failed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="Folder of the image.")
    parser.add_argument("--target", default="", help="A stage; default is the last.")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--lend", action="append", default=[], metavar="FILE")
    parser.add_argument("command", nargs="*", help="What to run in the image, by its entry point.")
    given = parser.parse_args()
    try:
        if os.geteuid() != 0:
            raise Refused("this takes root: chroot and mounts are refused to anybody else")
        built = chain(stages((ROOT / "Dockerfile").read_text()), given.target)
        arguments = dict(pair.split("=", 1) for pair in given.build_arg)
        image = Image(given.root.resolve(), arguments, lent=tuple(given.lend))
        if not (image.root / "bin" / "sh").exists():
            debootstrap(built[0].base, image.root)
        for stage in built:
            for word, rest in stage.steps:
                image.apply(word, rest)
    except Refused as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 2
    return image.run([*image.entry, *(given.command or image.command)])


if __name__ == "__main__":
    sys.exit(main())
