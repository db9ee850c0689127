"""Functions traced without AutoGraph, which takes a quarter of a start and changes none of ours.

Ours say `tf.cond` and `tf.while_loop`. A layer or a loss of the user's may say `if` and `for` of a
tensor: TensorFlow then refuses the trace, and it is made once more with AutoGraph.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

from groundwork.untyped import Nested

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def unconverted(function: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """The same function, AutoGraph off in what it traces unless that needs it; a decorator."""
    plain = tf.autograph.experimental.do_not_convert(function)

    @functools.wraps(function)
    def either(*arguments: _Given.args, **named: _Given.kwargs) -> _Made:
        try:
            made: _Made = plain(*arguments, **named)
        except tf.errors.OperatorNotAllowedInGraphError:
            made = function(*arguments, **named)
        return made

    return either


class Traced:
    """`tf.function`, AutoGraph only where it is needed; a decorator."""

    def __init__(self, python_function: Callable[..., Nested], **options: Any) -> None:
        self._python_function = python_function
        self._options = options
        self._function = tf.function(python_function, autograph=False, **options)

    def __call__(self, *arguments: Nested, **named: Nested) -> Nested:
        return self._or_converted(lambda function: function(*arguments, **named))

    def get_concrete_function(self, *specs: tf.TensorSpec) -> Nested:
        return self._or_converted(lambda function: function.get_concrete_function(*specs))

    def _or_converted(self, use: Callable[[Any], Nested]) -> Nested:
        try:
            return use(self._function)
        except tf.errors.OperatorNotAllowedInGraphError:
            self._function = tf.function(self._python_function, **self._options)
            return use(self._function)
