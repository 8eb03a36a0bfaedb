# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares the messages that a page quotes with those of the sources: messages.py PAGE SOURCE…

Prints "gone: MESSAGE" for each quoted message that no source has, and "missing: SOURCE: MESSAGE" for each refusal of the
sources that the page does not quote. "…" in the page stands for what the source fills in, or for words left out. Quoted is
what stands in backquotes in the first column of the page's tables.
"""

import re
import sys

LITERAL = r'"(?:[^"\\]|\\.)*"'
TEXT = re.compile(rf"{LITERAL}(?:(?:\s|PRI\w+|[A-Z][A-Z_]+)*{LITERAL})*")
# error_set(err, -EPERM, "…"), also with another error and error_set_errno().
ERROR = re.compile(rf"error_set(?:_errno)?\s*\(\s*[^,]+,\s*([^,]+?),\s*({TEXT.pattern})")
CONVERSION = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]")
FILLED = "\0"

# The errors that say: eval does not do this, or the host cannot do it, or something from outside ended it.
REFUSALS = {
    f"-{code}"
    for code in "EPERM EBUSY EOPNOTSUPP ENOTSUP ENOPKG EROFS ENODEV ENETRESET ENETUNREACH EADDRNOTAVAIL "
    "EHOSTUNREACH ETIME EUCLEAN ESTALE".split()
}
# Each error of these is one that stops a campaign or a fault: locks and the database.
WHOLE_FILES = ("store/file.c", "store/open.c", "store/schema.c", "target/lock.c", "campaign/lock.c", "campaign/record.c")


def text_of(literals):
    """The text of adjacent string literals, with FILLED for what is filled in."""
    text = "".join(
        part[1:-1] if part.startswith('"') else FILLED for part in re.findall(rf"{LITERAL}|PRI\w+|[A-Z][A-Z_]+", literals)
    )
    text = text.replace('\\"', '"').replace("\\n", "\n").replace("%" + FILLED, FILLED).replace("%%", "\1")
    return CONVERSION.sub(FILLED, text).replace("\1", "%")


def says(text, message):
    """True if the text has the parts of the message in their order."""
    at = 0
    for part in message.split("…"):
        at = text.find(part.strip(), at)
        if at < 0:
            return False
        at += len(part.strip())
    return True


def main():
    page, *paths = sys.argv[1:]
    rows = [line.split(" | ")[0] for line in open(page, encoding="utf-8") if line.startswith("| `")]
    quoted = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    texts, refusals = [], []
    for path in paths:
        source = open(path, encoding="utf-8").read()
        texts += [text_of(match.group()) for match in TEXT.finditer(source)]
        for code, literals in ERROR.findall(source):
            text = text_of(literals)
            if (code in REFUSALS or path.endswith(WHOLE_FILES)) and re.search(r"\w+ \w+ \w+", text):
                refusals.append((path, text))
    for message in quoted:
        if not any(says(text, message) for text in texts):
            print(f"gone: {message}")
    for path, text in refusals:
        if not text.startswith(("internal:", "out of memory")) and not any(says(text, message) for message in quoted):
            print(f"missing: {path}: {text.replace(FILLED, '…')}")


main()
