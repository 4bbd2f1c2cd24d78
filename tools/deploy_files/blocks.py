"""Generated blocks in files written by hand: what stands between two marked lines."""

import re


class NoBlock(ValueError):
    """Raised when a file lacks a block, or has it twice."""


def fill(text: str, name: str, content: str) -> str:
    """Return the text with a block's content in place of what stands there.

    Args:
        text: a file that has the lines `generated: begin NAME` and `generated: end NAME`, each in a comment.
        name: the block.
        content: whole lines.

    Raises:
        NoBlock: there is no such block, or more than one.
    """
    begin, end = (rf"^[^\n]*\bgenerated: {word} {re.escape(name)}\b[^\n]*$\n" for word in ("begin", "end"))
    found = re.findall(rf"({begin})(.*?)({end})", text, re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        raise NoBlock(f"{len(found)} blocks `generated: begin {name}` ... `generated: end {name}`; one is wanted")
    ((first, before, last),) = found
    return text.replace(first + before + last, first + content + last)
