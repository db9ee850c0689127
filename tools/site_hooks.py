"""What MkDocs does to a page besides Markdown: formulas become MathML, fences lose their test."""

import html
import re

import latex2mathml.converter

_FENCE = re.compile(r"^(```\w+) (?:run|dry_run|ci|flags|manual)$", re.MULTILINE)
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_COMMENT = re.compile(r"^<!-- (?:generated: \w+|written|end) -->\n", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    return _COMMENT.sub("\n", _FENCE.sub(r"\1", markdown))


def on_page_content(content: str, **_: object) -> str:
    return _FORMULA.sub(_as_mathml, content)


def _as_mathml(found: "re.Match[str]") -> str:
    display = "block" if found[2] == "[" else "inline"
    return str(latex2mathml.converter.convert(html.unescape(found[3]).strip(), display=display))
