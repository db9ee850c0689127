"""A Python toolchain that is the interpreter of .venv, with all of its packages."""

_BUILD = """
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

py_runtime(
    name = "python3",
    interpreter_path = "{python}",
    python_version = "PY3",
    stub_shebang = "#!{python}",
)

py_runtime_pair(
    name = "pair",
    py3_runtime = ":python3",
)

toolchain(
    name = "toolchain",
    toolchain = ":pair",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

def _environment_python(context):
    python = context.path(Label("//:WORKSPACE")).dirname.get_child(".venv").get_child("bin").get_child("python")
    if not python.exists:
        fail("there is no %s: run `make .venv` first" % python)
    context.file("BUILD", _BUILD.format(python = python))

environment_python = repository_rule(
    implementation = _environment_python,
    configure = True,
    local = True,
)
