"""Action items in a form that compares."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any


def action_items(notes: Mapping[str, Any]) -> Counter[tuple[Any, ...]]:
    """Return assignee, date and words of each of the notes' action items, however often it is there."""
    return Counter(
        (item["assignee"], item["due_date"], *re.findall(r"[\w']+", item["description"].lower()))
        for item in notes["action_items"]
    )
