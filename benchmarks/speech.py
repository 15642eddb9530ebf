"""Word error rate and speed of `SpeechTranscriber` on English telephone prompts.

``python -m benchmarks.speech [--engines ctranslate2 transformers] [--every 1]``

The prompts of at least three words of Debian's asterisk-core-sounds-en, whose texts were not
written as transcripts. In both the text and the transcript, numbers are spelled out, and case,
punctuation and what stands in brackets are left out; nothing else is made equal. Words that are
written in two ways ("log in" and "login") count as errors. The worst prompts are printed, to be
judged by ear.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence

import numpy as np
import soundfile

from docs.examples._data import telephone_prompts
from sktransfer import SpeechTranscriber

TARGET = 0.08
LEAST_WORDS = 3
WORST = 10

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ONES += ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"]
ONES += ["eighteen", "nineteen"]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(number: int) -> str:
    """Return a number below a million in words."""
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return f"{spelled(number // size)} {name} {spelled(rest) if rest else ''}"
    if number < len(ONES):
        return ONES[number]
    ones = number % 10
    return f"{TENS[number // 10]} {ONES[ones] if ones else ''}"


def words(text: str) -> list[str]:
    """Return the words that are said, numbers spelled out, without case and punctuation."""
    text = re.sub(r"\[.*?\]|\(.*?\)|<.*?>", " ", text.lower())
    text = re.sub(r"(?<=\d),(?=\d{3})|['’]", "", text)
    text = re.sub(r"\d{1,6}", lambda found: f" {spelled(int(found[0]))} ", text)
    return re.findall(r"[a-z]+", text)


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of words to insert, leave out and replace."""
    row = np.arange(len(heard) + 1)
    for number, word in enumerate(said, 1):
        replaced = row[:-1] + np.array([word != other for other in heard], int)
        best = np.r_[number, np.minimum(row[1:] + 1, replaced)]
        # A word that is inserted costs one more than the place before it.
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))
    return int(row[-1])


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engines", nargs="+", default=["ctranslate2", "transformers"])
    parser.add_argument("--every", type=int, default=1, help="take one of so many prompts")
    options = parser.parse_args()

    paths, texts = telephone_prompts()
    said = [words(text) for text in texts]
    kept = [i for i, these in enumerate(said) if len(these) >= LEAST_WORDS][:: options.every]
    paths, said = paths[kept], [said[i] for i in kept]
    sound = sum(soundfile.info(path).duration for path in paths)
    print(f"{len(paths)} prompts, {sum(map(len, said)):,} words, {sound:,.0f} s of sound")
    for engine in options.engines:
        model = SpeechTranscriber(engine=engine, cache=False).fit(paths)
        model.transform(paths[:1])
        start = time.perf_counter()
        heard = model.transform(paths)
        seconds = time.perf_counter() - start
        report(engine, said, heard, seconds / sound)


def report(engine: str, said: list[list[str]], heard: np.ndarray, speed: float) -> None:
    """Print the results of an engine."""
    counts = np.array([errors(a, words(b)) for a, b in zip(said, heard, strict=True)])
    rate = counts.sum() / sum(map(len, said))
    print(
        f"\n{engine}: word error rate {rate:.3f} (target {TARGET}), {(counts == 0).mean():.0%} of "
        f"the prompts without an error, {speed:.3f} seconds per second of sound"
    )
    share = counts / [len(these) for these in said]
    for i in np.argsort(-share, kind="stable")[:WORST]:
        print(f"  {share[i]:.2f}  {' '.join(said[i])!r} | {heard[i]!r}")


if __name__ == "__main__":
    main()
