"""Which topics cross an edge: patterns checked against the channel, the streams they stand on, what they match."""

from collections.abc import Iterable

from nautilus.bus.patterns import check_pattern, is_pattern, matches
from nautilus.errors import Invalid
from nautilus.model.enums import Channel, MessageType
from nautilus.model.topic_types import TYPES
from nautilus.model.topics import FAMILIES

MOST_TOPICS = 100_000


def families_of(channel: Channel) -> list[str]:
    """The families that a channel carries and whose messages have a type.

    >>> families_of(Channel.NEURAL_GPU)
    ['compute']
    """
    return [family for family in FAMILIES if family in TYPES and FAMILIES[family].channel is channel]


def patterns_by_family(patterns: Iterable[str], channel: Channel, option: str) -> dict[str, list[str]]:
    """The patterns, those with a wildcard for the family written out, by family.

    Raises Invalid naming `option` where a pattern is none, or is of another channel.

    >>> patterns_by_family([">"], Channel.NEURAL_GPU, "edges.neural_gpu.outbound")
    {'compute': ['compute.>']}
    """
    found: dict[str, list[str]] = {}
    for pattern in patterns:
        try:
            check_pattern(pattern)
        except Invalid as error:
            raise Invalid(option, str(error)) from error
        first, dot, rest = pattern.partition(".")
        if first == ">" or (first == "*" and dot):
            for family in families_of(channel):
                found.setdefault(family, []).append(f"{family}.{rest or '>'}")
            continue
        _check_family(first, pattern, channel, option)
        found.setdefault(first, []).append(pattern)
    return found


def _check_family(family: str, pattern: str, channel: Channel, option: str) -> None:
    if family not in FAMILIES:
        raise Invalid(option, f"{pattern!r} has no known family; {channel} has {', '.join(families_of(channel))}")
    other = FAMILIES[family].channel
    if other is not channel:
        raise Invalid(option, f"{pattern!r} belongs to the channel {other}, not to {channel}")
    if family not in TYPES:
        raise Invalid(option, f"{pattern!r}: messages of this family have no type and cannot cross")


class Selection:
    """The topics under some patterns of one channel. Remembers its answers, a bounded number of them."""

    def __init__(self, patterns: Iterable[str], channel: Channel, option: str) -> None:
        self.channel = channel
        self.families = patterns_by_family(patterns, channel, option)
        self._known: dict[str, bool] = {}

    @property
    def message_types(self) -> list[MessageType]:
        """The message types whose streams the topics stand on."""
        return list(dict.fromkeys(FAMILIES[family] for family in self.families))

    def __contains__(self, topic: str) -> bool:
        """Whether a topic was asked for; raises Invalid for what is no topic of this channel."""
        known = self._known.get(topic)
        if known is None:
            known = self._look(topic)
            if len(self._known) >= MOST_TOPICS:
                self._known.clear()
            self._known[topic] = known
        return known

    def _look(self, topic: str) -> bool:
        check_pattern(topic)
        if is_pattern(topic):
            raise Invalid("topic", f"{topic!r} is a pattern")
        family = topic.partition(".")[0]
        _check_family(family, topic, self.channel, "topic")
        return any(matches(pattern, topic) for pattern in self.families.get(family, ()))
