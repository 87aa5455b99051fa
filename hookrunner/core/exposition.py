"""Prometheus' text format as containers print it: read strictly, and put together.

What one container prints must not break what all others have to say: a text with a mistake
anywhere is left out whole, and no container can speak in another's name.

Source:
    https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from hookrunner.errors import HookrunnerError

TEXT_LIMIT = 512 * 2**10
"""Bytes of one container's text; node_exporter's are some 150 KB."""
SAMPLE_LIMIT = 10_000
"""Samples of one container's text: it grows by its labels, and Prometheus keeps each."""
OWN_LABELS = ("project", "container", "image")
"""What every sample is told to be of."""
OWN_PREFIX = "hookrunner_"
"""How the names begin that are ours alone."""

_OWN = "\0"  # stands in a chunk for a container's own labels; no text may have one in it
_TYPES = frozenset({"counter", "gauge", "histogram", "summary", "untyped"})
_SUFFIXES = {
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
# Possessive throughout (`++`, `*+`): a text made to be slow takes no longer than others.
_PAIR = re.compile(
    r'[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+"((?:[^"\\]|\\[\\"n])*+)"[ \t]*+'
)
_LABELS = r'\{[^"}]*+(?:"(?:[^"\\]|\\.)*+"[^"}]*+)*+\}'
_META = re.compile(rf"#[ \t]+(HELP|TYPE)[ \t]+({_NAME})(?:[ \t]+(.*))?")
_SAMPLE = re.compile(
    rf"({_NAME}+)[ \t]*+({_LABELS})?[ \t]*+([^\s{{]\S*+)(?:[ \t]++(-?[0-9]{{1,18}}))?[ \t]*+"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]{1,5})?")
_SPECIAL = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SHOWN = 60  # characters of a mistake that are shown


class Family(msgspec.Struct):
    """A family of metrics in one container's text.

    Attributes:
        kind: Its type.
        help: As it is written, escapes included; empty where it says none.
        chunks: The samples' lines by their name, in one piece or several.
    """

    kind: str = ""
    help: str | None = None
    chunks: dict[str, list[str]] = msgspec.field(default_factory=dict)


class Exposition(msgspec.Struct, frozen=True):
    """One container's text, ready to be put beside others.

    Attributes:
        families: By name.
        samples: How many it has.
        size: Characters of all samples.
    """

    families: Mapping[str, Family]
    samples: int
    size: int


def parse(text: bytes) -> Exposition:
    """Read a text.

    Raises:
        HookrunnerError: It is no valid text; the message says which line, and why.
    """
    if len(text) > TEXT_LIMIT:
        raise HookrunnerError(f"it is longer than {TEXT_LIMIT // 2**10} KiB")
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError:
        raise HookrunnerError("it is no UTF-8") from None
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        try:
            reader.take(line)
        except ValueError as error:
            raise HookrunnerError(f"line {number}: {error}") from None
    for family in reader.families.values():
        for name, written in family.chunks.items():
            family.chunks[name] = ["".join(written)]
    return Exposition(reader.families, len(reader.seen), reader.size)


class _Reader:
    """Takes a text line by line; `ValueError` says what is wrong with one."""

    def __init__(self) -> None:
        self.families: dict[str, Family] = {}
        self.seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        self.size = 0

    def take(self, line: str) -> None:
        if _CONTROL.search(line):
            raise ValueError("a control character")
        line = line.strip(" \t")
        if line.startswith("#"):
            meta = _META.fullmatch(line)
            if meta:
                self._describe(meta[1], meta[2], meta[3] or "")
        elif line:
            self._sample(line)

    def _describe(self, what: str, name: str, value: str) -> None:
        _check_name(name)
        family = self.families.setdefault(name, Family())
        if what == "HELP":
            if family.help is not None:
                raise ValueError(f"a second HELP of {_shown(name)}")
            if re.search(r"\\(?![\\n])", re.sub(r"\\\\", "", value)):
                raise ValueError(f"the HELP of {_shown(name)} has a wrong escape")
            family.help = value
            return
        if family.kind or family.chunks:
            raise ValueError(f"a second or a late TYPE of {_shown(name)}")
        if value not in _TYPES:
            raise ValueError(f"there is no type {_shown(value)}")
        family.kind = value

    def _sample(self, line: str) -> None:
        found = _SAMPLE.fullmatch(line)
        if found is None:
            raise ValueError(f"this is no sample: {_shown(line)}")
        name, labels, value, at = found.groups()
        _check_name(name)
        if not (_NUMBER.fullmatch(value) or _SPECIAL.fullmatch(value)):
            raise ValueError(f"this is no number: {_shown(value)}")
        family = self._family_of(name)
        pairs = _labels(labels or "")
        for special in ("le", "quantile"):
            if special in pairs and family.kind in _SUFFIXES:
                _check_bound(pairs[special])
        series = (name, tuple(sorted(pairs.items())))
        if series in self.seen:
            raise ValueError(f"the same sample again: {_shown(line)}")
        if len(self.seen) == SAMPLE_LIMIT:
            raise ValueError(f"it has more than {SAMPLE_LIMIT} samples")
        self.seen.add(series)
        told = "".join(f',{key}="{text}"' for key, text in _exported(pairs))
        written = f"{name}{{{_OWN}{told}}} {value}{f' {at}' if at else ''}\n"
        self.size += len(written)
        family.chunks.setdefault(name, []).append(written)

    def _family_of(self, name: str) -> Family:
        """The family of a sample: that of its name, else the one whose suffix it has."""
        if name not in self.families:
            for kind, suffixes in _SUFFIXES.items():
                for suffix in suffixes:
                    family = self.families.get(name.removesuffix(suffix))
                    if name.endswith(suffix) and family is not None and family.kind == kind:
                        return family
        return self.families.setdefault(name, Family())


def _check_name(name: str) -> None:
    if name.startswith(OWN_PREFIX):
        raise ValueError(f"the names {OWN_PREFIX}... are hookrunner's own: {_shown(name)}")


def _check_bound(text: str) -> None:
    if not (_NUMBER.fullmatch(text) or _SPECIAL.fullmatch(text)):
        raise ValueError(f"this bound is no number: {_shown(text)}")


def _labels(text: str) -> dict[str, str]:
    """Read ``{a="b",c="d"}``; values stay escaped. One that is empty says nothing."""
    found: dict[str, str] = {}
    place, end = 1, len(text) - 1
    while place < end:
        pair = _PAIR.match(text, place, end)
        if pair is None:
            if text[place:end].strip(" \t"):
                raise ValueError(f"these are no labels: {_shown(text)}")
            break
        name, value = pair.groups()
        if name in found or name.startswith("__"):
            raise ValueError(f"the label {_shown(name)} is there twice, or nobody's to use")
        found[name] = value
        place = pair.end()
        if place < end:
            if text[place] != ",":
                raise ValueError(f"these are no labels: {_shown(text)}")
            place += 1
    return {name: value for name, value in found.items() if value}


def _exported(pairs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The labels by names that are not ours, as Prometheus itself renames them.

    Source:
        https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config
    """
    taken = {*OWN_LABELS, *pairs}
    for name, value in pairs.items():
        told = name
        while name in OWN_LABELS and told in taken:
            told = f"exported_{told}"
        taken.add(told)
        yield told, value


def _shown(text: str) -> str:
    """A part of a container's text, fit for one line of a message."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return ascii(cut)


def label_value(text: str) -> str:
    """A text as the value of a label: a control character is no part of a name."""
    clean = _CONTROL.sub(" ", text)
    return clean.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def own_labels(*, project: str, container: str, image: str) -> str:
    """The labels that every sample of a container gets."""
    values = (project, container, image)
    return ",".join(
        f'{name}="{label_value(value)}"' for name, value in zip(OWN_LABELS, values, strict=True)
    )


def merged(texts: Iterable[tuple[str, Exposition]]) -> str:
    """Put the texts of containers together, each family once.

    Where two say that it is of another type, or the samples of two families have one name,
    nobody can be right: these are untyped, each by its own name.

    Args:
        texts: Each with the labels that `own_labels` made. The first that says what a family
            is about is believed.
    """
    parts = list(texts)
    mixed = _mixed(exposition for _, exposition in parts)
    kinds: dict[str, str] = {}
    helps: dict[str, str] = {}
    chunks: defaultdict[str, list[str]] = defaultdict(list)
    for own, exposition in parts:
        for name, family in exposition.families.items():
            for sample, lines in family.chunks.items():
                place = sample if name in mixed else name
                kinds[place] = "untyped" if name in mixed else family.kind or "untyped"
                if family.help:
                    helps.setdefault(place, family.help)
                chunks[place].append("".join(lines).replace(_OWN, own))
    return "".join(
        f"# HELP {name} {helps.get(name, 'A metric of containers.')}\n"
        f"# TYPE {name} {kinds[name]}\n{''.join(chunks[name])}"
        for name in sorted(chunks)
    )


def _mixed(expositions: Iterable[Exposition]) -> set[str]:
    """The families that cannot be told apart, or are of several types."""
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for exposition in expositions:
        for name, family in exposition.families.items():
            if family.chunks:
                kinds[name].add(family.kind or "untyped")
                for sample in (name, *family.chunks):
                    owners[sample].add(name)
    shared = {name for names in owners.values() if len(names) > 1 for name in names}
    return shared | {name for name, told in kinds.items() if len(told) > 1}
