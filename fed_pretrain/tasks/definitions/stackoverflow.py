"""Stack Overflow's sentences by user."""

from fed_pretrain.tasks.definitions.posts import next_character, next_word

_WHAT = "Stack Overflow sentences, by user"

DEFINITIONS = (
    # TFF's Stack Overflow baseline: sequences of 20 words.
    next_word("stackoverflow", _WHAT, words=20),
    next_character("stackoverflow_char", _WHAT),
)
