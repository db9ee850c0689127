"""The `fed-pretrain COMMAND --flags` program of an installed copy: runs one of the binaries."""

import runpy
import sys

from groundwork import command_line, versions

COMMANDS = {
    "doctor": "fed_pretrain.doctor",
    "fetch-embedded": "fed_pretrain.fetch_embedded",
    "prepare": "data_prep.prepare",
    "verify": "data_prep.verify",
    "describe": "data_prep.describe",
    "export-data": "data_prep.export",
    "pretrain": "fed_pretrain.pretrain",
    "train": "fed_pretrain.train",
    "analyze": "fed_pretrain.analyze",
    "report": "fed_pretrain.report",
    "theory": "fed_pretrain.theory",
    "export": "fed_pretrain.export",
    "study": "pipelines.study",
    "tune": "pipelines.tune",
    "watch": "pipelines.watch",
}


def main() -> int:
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in ("--help", "-h"):
        print("usage: fed-pretrain COMMAND --flag=value ...   (COMMAND --help lists its flags)")
        for name, module in COMMANDS.items():
            print(f"  {name:14} python -m {module}")
        return 0
    if command == command_line.VERSION:
        print(versions.table())
        return 0
    if command not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"error: unknown command {command!r}: known are {known}", file=sys.stderr)
        return 2
    sys.argv[:2] = [f"fed-pretrain {command}"]
    runpy.run_module(COMMANDS[command], run_name="__main__", alter_sys=True)
    return 0
