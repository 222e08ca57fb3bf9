"""``maie-corpus``: make single sentences and whole meetings, spoken, with their references."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from maie_training.audio import NOISE_KINDS
from maie_training.corpus import Plan, Recording, plan_meeting, plan_sentence, render, write_item
from maie_training.meetings import NAME_CHOICES, Wording
from maie_training.pattern_sets import PATTERN_CHOICES
from maie_training.speech import SpeechError, require_synthesiser
from maie_training.splits import SIDES, Split
from maie_training.voices import VOICE_SETS


def add_material_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is said, in which voices and in how much noise."""
    parser.add_argument("--seed", type=int, required=True, help="the same seed, the same material")
    parser.add_argument("--sentences", choices=SIDES, default="train", help="side of the sentences")
    parser.add_argument("--names", choices=SIDES, default="any", help="side of people's names")
    parser.add_argument("--patterns", choices=SIDES, default="any", help="side of the patterns")
    parser.add_argument("--voices", choices=VOICE_SETS, default="train", help="set of voices")
    parser.add_argument("--fillers", type=float, default=0.3, help="share of sentences with a disfluency")
    parser.add_argument("--snr", type=float, help="signal-to-noise ratio in dB; none: no noise")
    parser.add_argument("--noise", choices=NOISE_KINDS, default="white", help="kind of noise")
    parser.add_argument(
        "--topics",
        type=int,
        nargs=2,
        metavar=("LEAST", "MOST"),
        default=(2, 4),
        help="topics of a meeting; each takes about a minute",
    )
    parser.add_argument(
        "--meeting-patterns",
        choices=PATTERN_CHOICES,
        default="known",
        help="of meetings: the small set, more than those, or only ones kept from training",
    )
    parser.add_argument(
        "--meeting-names",
        choices=NAME_CHOICES,
        default="fixed",
        help="of meetings: from a fixed list, or made up anew, and then with more words than the small vocabulary has",
    )
    parser.add_argument("--named", action="store_true", help="the chair and volunteers are named aloud in meetings")


def plans(arguments: argparse.Namespace, count: int, meetings: int) -> Iterator[Plan]:
    """Yield the plans of ``count`` sentences and then of ``meetings`` meetings."""
    split = Split(arguments.sentences, arguments.names, arguments.patterns)
    recording = Recording(
        voices=arguments.voices,
        filler_rate=arguments.fillers,
        snr_db=arguments.snr,
        noise=arguments.noise,
        topics=(arguments.topics[0], arguments.topics[1]),
        wording=Wording(arguments.meeting_patterns, arguments.meeting_names, arguments.named),
    )
    for number in range(count):
        yield plan_sentence(arguments.seed, number, split, recording)
    for number in range(meetings):
        yield plan_meeting(arguments.seed, number, split, recording)


def _make(plan: Plan, folder: Path) -> float:
    item = render(plan)
    write_item(item, folder)
    return float(item.reference["duration"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return 0, or 2 when the synthesiser is missing or fails."""
    parser = argparse.ArgumentParser(prog="maie-corpus", description=__doc__)
    add_material_options(parser)
    parser.add_argument("--count", type=int, default=0, help="number of single sentences")
    parser.add_argument("--meetings", type=int, default=0, help="number of whole meetings")
    parser.add_argument("--out", type=Path, required=True, help="folder for the items")
    arguments = parser.parse_args(argv)
    try:
        require_synthesiser()
        with ThreadPoolExecutor() as pool:
            jobs = plans(arguments, arguments.count, arguments.meetings)
            seconds = list(pool.map(partial(_make, folder=arguments.out), jobs))
    except SpeechError as error:
        print(f"maie-corpus: {error}", file=sys.stderr)
        return 2
    print(f"{len(seconds)} items, {sum(seconds) / 60:.1f} minutes, in {arguments.out}")
    return 0
