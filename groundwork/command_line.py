"""How every binary starts and ends: quiet libraries, short help, one sentence for a mistake."""

import atexit
import gc
import os
import re
import select
import shlex
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from absl import flags, logging

from groundwork import late_imports, libraries, plugins, versions
from groundwork.errors import NO_ROOM, UserError, of_system
from groundwork.stores import mirror, schemes

USER_ERROR_EXIT = 2
# What a shell reports of a program that a closed pipe ended.
_READER_LEFT_EXIT = 128 + signal.SIGPIPE
_HELP = ("--help", "-help", "-h", "--helpshort")
_HELP_FULL = "--helpfull"
VERSION = "--version"
_WIDTH = 96
_WANTED = (
    (r"invalid literal for int\(\) with base \d+: .*", "a whole number is wanted"),
    (r"could not convert string to float: .*", "a number is wanted"),
)
_groups: dict[str, str] = {}
_taking_urls: set[str] = set()


def quiet_libraries() -> None:
    """Silences the libraries' own chatter; must run before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    libraries.prepare()
    late_imports.provide(late_imports.OF_RUNS)
    if len(sys.argv) == 2 and sys.argv[1] in _HELP:
        late_imports.provide(late_imports.OF_HELP)
    # Of the many objects that imports and traces make, nearly all stay: looking through them again
    # and again for garbage takes a second of a start.
    gc.set_threshold(50_000, 10, 10)


def group_flag(name: str, heading: str) -> None:
    """Puts a flag that a library module defines into `--help`, under this heading."""
    _groups[name] = heading


def take_urls(*names: str) -> None:
    """Of flags that name a file or folder: it may be in a store, too (groundwork/stores)."""
    _taking_urls.update(names)


def define_plugin_flag(values: flags.FlagValues = flags.FLAGS) -> None:
    """`--plugin`, for a program that takes things of the user's."""
    group_flag(plugins.FLAG, "Things of your own")
    if plugins.FLAG not in values:
        flags.DEFINE_multi_string(plugins.FLAG, [], plugins.HELP, flag_values=values)


def plugins_given(values: flags.FlagValues = flags.FLAGS) -> tuple[str, ...]:
    """The modules that `--plugin` names."""
    return plugins.split(values[plugins.FLAG].value)


def load_plugins(argv: Sequence[str]) -> None:
    """Imports the plugins that a command line names; its flags are parsed after that."""
    if plugins.FLAG in flags.FLAGS:
        whole = flags.FLAGS.read_flags_from_files(list(argv), force_gnu=False)
        plugins.load(plugins.named(whole))


def enter_callers_folder() -> None:
    """Under `bazel run`, relative paths in flags mean the user's folder, not Bazel's."""
    folder = os.environ.get("BUILD_WORKING_DIRECTORY")
    if folder:
        os.chdir(folder)


def by_name(word: str, folder: Path | None) -> str:
    """`--flagfile=NAME` of a file that comes with the program, as its path; others as they are."""
    name = word.removeprefix("--flagfile=")
    if folder is None or name == word or os.path.exists(name):
        return word
    shipped = folder / f"{name.removesuffix('.flags')}.flags"
    return f"--flagfile={shipped}" if "/" not in name and shipped.is_file() else word


def run(
    main: Callable[[], int | None],
    after_plugins: Callable[[], None] = lambda: None,
    flagfiles: Path | None = None,
) -> None:
    """Parses the flags, calls `main()` and turns a UserError into one line and exit code 2.

    `after_plugins` defines the flags that the plugins bring; `flagfiles` is a folder of flag files,
    each of which a user may give by its name.
    """
    quiet_libraries()
    enter_callers_folder()

    def guarded(argv: Sequence[str]) -> int:
        if len(argv) > 1:
            return _refuse(f"unexpected argument {argv[1]!r}: every setting is a --flag")
        try:
            check_paths()
            return main() or 0
        except UserError as error:
            return _refuse(str(error))
        except MemoryError:
            return _refuse("what was asked for does not fit into the memory of this machine")
        except OSError as error:
            if error.errno not in NO_ROOM and error.filename is None:
                raise
            return _refuse(of_system(error))

    def parse(argv: Sequence[str]) -> list[str]:
        if VERSION in argv[1:]:
            print(versions.table(), flush=True)
            sys.exit(0)
        try:
            load_plugins(argv)
            after_plugins()
        except (flags.Error, UserError) as error:
            sys.exit(_refuse(str(error)))
        if any(argument in _HELP for argument in argv[1:]):
            print(short_help(main), flush=True)
            sys.exit(0)
        if _HELP_FULL in argv[1:]:
            print(flags.FLAGS.get_help(), flush=True)
            sys.exit(0)
        try:
            return flags.FLAGS(list(argv))
        except flags.Error as error:
            sys.exit(_refuse(f"{_plain(str(error))} (see --help)"))

    logging.set_verbosity(logging.WARNING)
    # Not absl's app.run: a TensorFlow that is first imported inside it makes its context before it
    # has switched to version 2 (tensorflow.python.distribute hangs a callback on absl's start), and
    # Keras then builds graphs of version 1.
    try:
        code = guarded(parse([by_name(word, flagfiles) for word in sys.argv]))
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_left():
            raise
        code = _READER_LEFT_EXIT
    end(code)


def end(code: int) -> NoReturn:
    """Ends this process at once, where Python would first take TensorFlow and TFF apart.

    That takes a second and frees what the system frees anyway. What a normal end does for others
    is done: threads are waited for, whatever registered with atexit is called, output is flushed.
    """
    if "tensorflow" not in sys.modules or sys.getprofile():  # a profiler reports at a normal end
        sys.exit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _plain(sentence: str) -> str:
    """absl's words for a wrong flag, without Python's for a text that is not a number."""
    for of_python, ours in _WANTED:
        sentence = re.sub(of_python, ours, sentence)
    return sentence.removeprefix("ERROR:: ").replace("flag --", "--", 1)


def check_paths() -> None:
    """Refuses a URL that cannot be served, before anything is made."""
    for name, value in flags.FLAGS.flag_values_dict().items():
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str):
                schemes.check(name, text, served=name in _taking_urls)


def _reader_left() -> bool:
    """Whether who read the output has left (`... | head`), which is not our error."""
    output = select.poll()
    output.register(sys.stdout.fileno(), select.POLLOUT)
    left = any(event & select.POLLERR for _, event in output.poll(0))
    if left:
        # What is left in the buffer would raise once more at the end of the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return left


def short_help(main: Callable[[], int | None]) -> str:
    """The binary's own description and flags, grouped; the libraries' flags are left out."""
    module = sys.modules[main.__module__]
    sections: dict[str, list[flags.Flag]] = {"": []}
    own = flags.FLAGS.flags_by_module_dict().get(flags_module(module.__name__), [])
    sections[""] = [flag for flag in own if flag.name not in _groups]
    for name, heading in _groups.items():
        if name in flags.FLAGS:
            sections.setdefault(heading, []).append(flags.FLAGS[name])
    lines = [(module.__doc__ or "").strip()]
    for heading, members in sections.items():
        if members:
            lines += ["", f"{heading or 'Flags'}:"]
            lines += [_describe(flag) for flag in members]
    lines += [
        "",
        f"--flagfile=FILE reads flags from a file; {_HELP_FULL} lists every flag; {VERSION} names"
        " the code,\nthe libraries and the machine.",
    ]
    return "\n".join(lines)


def suggest(module: str, **values: object) -> None:
    """Names, in one line, the command that is useful after this one has succeeded."""
    given = [
        shlex.quote(f"--{name}={mirror.address(value) if isinstance(value, Path) else value}")
        for name, value in values.items()
        if value
    ]
    print(f"next: {' '.join(['python -m', module, *given])}", file=sys.stderr)


def flags_module(name: str) -> str:
    """absl files the flags of the main module under the program's path."""
    return sys.argv[0] if name == "__main__" else name


def _describe(flag: flags.Flag) -> str:
    values = getattr(flag.parser, "enum_values", None)
    choice = "|".join(map(str, values)) if values else ""
    numeric = isinstance(flag.parser, flags.IntegerParser | flags.FloatParser)
    if flag.boolean:
        left = f"--[no]{flag.name}"
    else:
        left = f"--{flag.name}={choice or ('N' if numeric else 'VALUE')}"
    shown = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
    default = "" if shown in (None, "", False) else f" [{shown}]"
    # absl adds the choices, and a remark to the help of a repeatable flag.
    said = flag.help.removeprefix(f"<{choice}>: ").partition(";\n")[0]
    text = textwrap.fill(
        f"{said}{default}", _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
    )
    return f"  {left}\n{text}"


def _refuse(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return USER_ERROR_EXIT
