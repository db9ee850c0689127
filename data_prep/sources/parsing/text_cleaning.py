"""The two text cleanings of the federated literature, and the splitting of posts into sentences.

`stack_overflow` follows the six steps that TensorFlow Federated states for its Stack Overflow data
(lowercase; unescape HTML; remove non-ascii; punctuation as separate tokens except apostrophe and
hyphen; squeeze white space; URLs become <URL>). TFF ships no code for them: sentence splitting and
the treatment of markup are ours (blocks of code are left out, inline code is kept).

`leaf_reddit` follows LEAF's Reddit cleaning step by step: unescape HTML, squeeze white space, drop
non-ascii, http... -> <URL>, u/x -> <USER>, r/x -> <SUBREDDIT>, casefold (so these become <url>,
<user>, <subreddit>, as LEAF's own do), split as a tweet tokeniser does, join with single spaces.
"""

import functools
import html
import re
import string
from collections.abc import Iterator
from html.parser import HTMLParser

URL = "<URL>"

_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"]+|\bwww\.[^\s<>\"]+", re.IGNORECASE)
_SEPARATE = re.compile("([" + re.escape("".join(set(string.punctuation) - set("'-"))) + "])")
_SENTENCE_END = re.compile(r"(?<=[.?!])[\"')\]]*\s+")


def stack_overflow(text: str) -> str:
    """One sentence (or title) as TFF's Stack Overflow data writes it."""
    pieces = (_plain_tokens(piece) for piece in _URL.split(html.unescape(text)))
    return " ".join(f" {URL} ".join(pieces).split())


def _plain_tokens(piece: str) -> str:
    ascii_only = piece.lower().encode("ascii", "ignore").decode()
    return " ".join(_SEPARATE.sub(r" \1 ", ascii_only).split())


def sentences(body: str) -> list[str]:
    """The cleaned sentences of a post's rendered HTML; code blocks are left out."""
    parser = _Paragraphs()
    parser.feed(body)
    parser.close()
    found = []
    for paragraph in parser.paragraphs():
        for sentence in _SENTENCE_END.split(paragraph):
            cleaned = stack_overflow(sentence)
            if cleaned:
                found.append(cleaned)
    return found


class _Paragraphs(HTMLParser):
    """Collects the text of each block element; `pre` blocks (code) are passed over."""

    _BLOCKS = re.compile(r"p|div|li|ul|ol|h[1-6]|blockquote|br|hr|pre|table|tr|td|th|dl|dt|dd")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._blocks: list[list[str]] = [[]]
        self._code_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self._code_depth += 1
        if self._BLOCKS.fullmatch(tag):
            self._blocks.append([])

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre" and self._code_depth:
            self._code_depth -= 1
        if self._BLOCKS.fullmatch(tag):
            self._blocks.append([])

    def handle_data(self, data: str) -> None:
        if not self._code_depth:
            self._blocks[-1].append(data)

    def paragraphs(self) -> Iterator[str]:
        for block in self._blocks:
            text = " ".join("".join(block).split())
            if text:
                yield text


_LEAF_URL = re.compile(r"http\S+")
_LEAF_USER = re.compile(r"/?u/\w+")
_LEAF_SUBREDDIT = re.compile(r"/?r/\w+")


def leaf_reddit(body: str) -> str:
    """A comment as LEAF's Reddit data writes it: tokens joined by single spaces."""
    text = " ".join(html.unescape(body).split())
    text = text.encode("ascii", "ignore").decode()
    text = _LEAF_URL.sub("<URL>", text)
    text = _LEAF_USER.sub("<USER>", text)
    text = _LEAF_SUBREDDIT.sub("<SUBREDDIT>", text)
    return " ".join(tweet_tokens(text.casefold()))


LEAF_PHRASES = (
    "[ deleted ]",
    "[ removed ]",
    "[deleted]",
    "[removed]",
    "bot",
    "thank you for participating",
    "thank you for your submission",
    "thanks for your submission",
    "your submission has been removed",
    "your comment has been removed",
    "downvote this comment if this is",
    "your post has been removed",
)
"""A cleaned comment that contains one of these is left out by LEAF."""

LEAF_WORDS = ("[deleted]", "[removed]", "auto", "bot", "mod", "mentioned", "transcriber")
"""LEAF leaves out authors and subreddits whose name contains one of these."""

LEAF_SUBREDDITS = frozenset({"askreddit", "imagesofnetwork"})

_LEAF_AUTHORS = """
AskReddit ImagesOfNetwork notifier transcribersofreddit ilariab95 DJ_Spam SteamKiwi AwkwardMod
Mentioned_Videos MovieGuide censorship_notifier MTGCardFetcher StudabakerHoch Roboragi
PictureGame 38749grwodsl one_year_on koja1234 tippr User_Simulator mnemosyne-0002 Decronym
sterlingphoenix monkey_sage pussgurka CosmicKeys Mafiya_chlenom_K TheTopazian nikforce1605
iAdam1n TitaniumDragon zeug666 4e4eneK DoMoreWithLess Purpleflower88 NeedHelpWithExcel
nicsgalleries Vkrrs musono ZX-Ace APeskyPanda TransparentJailbrea mockingbird abismado
spotify_transcriber
"""
LEAF_AUTHORS = frozenset(_LEAF_AUTHORS.casefold().split())
"""Bots that LEAF names; data, not code: needed to leave out the same comments."""


@functools.lru_cache(maxsize=1 << 16)
def leaf_refuses_name(author: str, subreddit: str) -> bool:
    """Whether LEAF leaves out this author or this subreddit."""
    author, subreddit = author.casefold(), subreddit.casefold()
    return (
        author in LEAF_AUTHORS
        or subreddit in LEAF_SUBREDDITS
        or any(word in author or word in subreddit for word in LEAF_WORDS)
    )


_TWEET_TOKEN = re.compile(
    r"""
      (?:[a-z][\w-]+:/{1,3}|www\d{0,3}\.)[^\s<>]+                 # addresses that still stand
    | (?<![@.])[a-z0-9]+(?:[.-][a-z0-9]+)*\.[a-z]{3,13}\b(?!@)(?:/[^\s<>]*)?      # bare host names
    | (?:\+?[01][ *\-.)]*)?(?:\(?\d{3}[ *\-.)]*)?\d{3}[ *\-.)]*\d{4}  # telephone numbers
    | [<>]?[:;=8][\-o*']?[)\](\[dp/:}{@|\\] | [)\](\[dp/:}{@|\\][\-o*']?[:;=8][<>]? | <3   # faces
    | <[^>\s]+>                                                   # <url>, <user>, markup
    | -+> | <-+                                                   # arrows
    | @\w+                                                        # names
    | \#+[\w_]+[\w'_-]*[\w_]+                                     # hashtags
    | [\w.+-]+@[\w-]+\.(?:[\w-]\.?)+[\w-]                         # mail addresses
    | [a-z][a-z'\-_]+[a-z]                                        # words with ' and -
    | [+-]?\d+[,/.:-]\d+[+-]?                                     # 1.5, 10:30, 3/4
    | [\w_]+                                                      # other words
    | \.(?:\s*\.){1,}                                             # dots in a row
    | \S
    """,
    re.VERBOSE,
)
_LONG_RUN = re.compile(r"([^a-z0-9])\1{3,}")


def tweet_tokens(text: str) -> list[str]:
    """Splits lower-case ascii text as a tweet tokeniser does: words, faces, numbers, marks."""
    return _TWEET_TOKEN.findall(_LONG_RUN.sub(r"\1\1\1", text))
