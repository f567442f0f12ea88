# SPDX-License-Identifier: Apache-2.0
"""What a study is made of, and how it is read from YAML.

seed: 1                      # seed, frames, split, data, metrics: for tables that say no other
tables:
  - title: Street scenes over a fading channel
    data: [camvid]           # or scenes:SEED; where camvid lies is said on the command line
    systems:
      - {codec: gesco, payload_bytes: [256, 512]}
      - {system: full_image, name: pixels, labels: truth}
      - {system: witt, made_by: semcom train jscc --system witt}  # empty until it was run
      - {system: picture_chain, payload_bytes: 512, mcs: [qpsk_1/2, 16qam_1/2]}  # one row: the
                             # better scheme over each link, named beside its score
    links:
      - {channel: rayleigh, snr_db: "0:20:5"}
      - none
    metrics: [psnr, miou]
    across: links            # what the columns are: links, payload_bytes or metrics
    sheet: 2                 # frames on the sheets of pictures
    quick: false             # left out with --quick
    surface: [image_kept, map_kept]   # two options of a system, over which quality is drawn
    paper:                   # what a paper says of it, held against ours: see `Claim`
      - {source: Table I, what: mIoU, paper: ".94", row: pixels, metric: miou, why: other data}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs import CODECS, codec_of
from semcom_ros.errors import SemcomError, choose
from semcom_ros.lab.evaluation.study.claims import Claim, parse_claims
from semcom_ros.lab.evaluation.study.data import LABELS
from semcom_ros.lab.evaluation.study.links import Link, parse_links, read_commands, spread
from semcom_ros.lab.evaluation.study.metrics import DEFAULT, METRICS
from semcom_ros.lab.evaluation.study.systems import SYSTEMS
from semcom_ros.parameter import Parameter

FRAMES = Parameter("frames", 100, "at most so many frames of each data set", 1)
SEED = Parameter("seed", 1, "of channels, noise and confidence intervals", 0)
SHEET = Parameter("sheet", 2, "frames on the sheets of pictures", 0, 16)
ACROSS = ("links", "payload_bytes", "metrics")
SIZE, SCHEME = "payload_bytes", "mcs"
_COMMON = ("seed", "frames", "split", "data", "metrics")
_TABLE = ("title", "frames", "split", "data", "metrics", "systems", "links", "across", "sheet",
          "quick", "surface", "paper")  # fmt: skip
_OF_ROW = ("system", "name", "labels", "made_by")


@dataclass(frozen=True)
class Entry:
    """One row of a table: a system with its options, and the labels that the vehicle sends.

    family: the row's name without its payload size. title: with it. schemes: what is measured in
    its place where it is the envelope over several, each with its `scheme` of modulation and code.
    made_by: the commands that make its weights.
    """

    family: str
    title: str
    system: str
    options: tuple[tuple[str, Any], ...] = ()
    labels: str = LABELS[0]
    scheme: str = ""
    schemes: tuple[Entry, ...] = ()
    made_by: tuple[str, ...] = ()

    @property
    def measured(self) -> tuple[Entry, ...]:
        """The entries behind the row."""
        return self.schemes or (self,)

    def of_scheme(self, scheme: str, envelope: bool) -> Entry:
        """The row with one scheme, by itself or within an envelope."""
        options = tuple(sorted((*self.options, (SCHEME, scheme))))
        if not envelope:
            return replace(self, options=options)
        names = {name: f"{getattr(self, name)}, {scheme}" for name in ("family", "title")}
        return replace(self, options=options, scheme=scheme, **names)

    @property
    def size(self) -> int | None:
        """Bytes of a payload, None where they mean nothing to the system."""
        return dict(self.options).get(SIZE)


CEILING = Entry("real image", "real image", "original")
"""The last row of every table: what the metrics say of the camera's own images."""


@dataclass(frozen=True)
class Table:
    """Every system over every link on every data set, for these metrics.

    surface: two options over which quality is drawn. claims: what a paper says of such a table.
    """

    title: str
    data: tuple[str, ...]
    entries: tuple[Entry, ...]
    links: tuple[Link, ...] = (Link(),)
    metrics: tuple[str, ...] = DEFAULT
    split: str = "val"
    frames: int = FRAMES.default
    across: str = ACROSS[0]
    sheet: int = SHEET.default
    quick: bool = True
    surface: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def sizes(self) -> list[int]:
        """The payload sizes of the systems, from the smallest."""
        return sorted({e.size for e in self.entries if e.size is not None})

    @property
    def families(self) -> dict[str, list[Entry]]:
        """The rows by what they share but for their payload sizes."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.family, []).append(entry)
        return found


class Cell(NamedTuple):
    """What is measured at once for a table."""

    table: Table
    data: str
    entry: Entry
    link: Link


@dataclass(frozen=True)
class Study:
    """Tables that share one seed. paper: claims that no table here holds."""

    tables: tuple[Table, ...]
    seed: int = SEED.default
    title: str = "Study"
    paper: tuple[Claim, ...] = ()

    @property
    def claims(self) -> list[Claim]:
        """All that is held against a paper."""
        return [*self.paper, *(claim for table in self.tables for claim in table.claims)]

    def cells(self) -> Iterator[Cell]:
        """Every cell of every table, each system over its links one after the other."""
        for table in self.tables:
            for data in table.data:
                for row, link in product(table.entries, table.links):
                    for entry in row.measured:
                        yield Cell(table, data, entry, link)
                yield Cell(table, data, CEILING, Link())


def read_study(
    path: Path, data: tuple[str, ...] = (), fixed: Mapping[str, Any] | None = None
) -> Study:
    """The study in a YAML file; the rest as for `parse_study`.

    Raises SemcomError naming the file and what is wrong, and OSError where it cannot be read.
    """
    try:
        return parse_study(yaml.safe_load(path.read_text("utf-8")), data, fixed)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SemcomError(f"The study {path} is not YAML: {error}.") from error
    except SemcomError as error:
        raise SemcomError(f"{path}: {error}") from error


def parse_study(
    content: Any, data: tuple[str, ...] = (), fixed: Mapping[str, Any] | None = None
) -> Study:
    """The study that YAML's `content` describes. Raises SemcomError.

    data: for tables that name none. fixed: what the command line says, whatever a table does.
    """
    _check_keys(content, (*_COMMON, "tables", "title", "paper"), "the study")
    common = {name: content[name] for name in _COMMON if name in content}
    tables = content.get("tables")
    if not isinstance(tables, list) or not tables:
        raise SemcomError("The study has no tables: list them under 'tables'.")
    fixed = fixed or {}
    for table in tables:
        _check_keys(table, _TABLE, "a table")
    read = tuple(_table({"data": list(data), **common, **t, **fixed}) for t in tables)
    if len({table.title for table in read}) < len(read):
        raise SemcomError("Two tables have one title: give every table its own.")
    seed = SEED.check({**common, **fixed}.get("seed", SEED.default))
    title, claims = str(content.get("title", "Study")), parse_claims(content.get("paper"), METRICS)
    return Study(read, seed, title, claims)


def _table(said: Mapping[str, Any]) -> Table:
    title = str(said.get("title", "Study"))
    for needed in ("systems", "data"):
        if not said.get(needed):
            raise SemcomError(f"The table '{title}' names no {needed}: list them.")
    entries = [entry for one in _list(said["systems"]) for entry in parse_entries(one)]
    names = [entry.title for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise SemcomError(
            f"Two rows of the table '{title}' are called '{twice}': give them names ('name')."
        )
    links = [link for one in _list(said.get("links", NONE)) for link in parse_links(one)]
    metrics = [choose(str(m), METRICS, "metric") for m in _list(said.get("metrics", [*DEFAULT]))]
    across = said.get("across") or ("links" if len(links) > 1 else "metrics")
    return Table(
        title,
        tuple(str(name) for name in _list(said["data"])),
        tuple(entries),
        tuple(dict.fromkeys(links)),
        tuple(dict.fromkeys(metrics)),
        str(said.get("split", "val")),
        FRAMES.check(said.get("frames", FRAMES.default)),
        choose(str(across), ACROSS, "layout of a table"),
        SHEET.check(said.get("sheet", SHEET.default)),
        said.get("quick", True) is not False,
        _surface(said.get("surface", []), entries),
        parse_claims(
            said.get("paper"),
            METRICS,
            {CEILING.title, *names, *(entry.family for entry in entries)},
            {name for link in links for name in (link.level, link.words)},
        ),
    )


def _surface(names: Any, entries: list[Entry]) -> tuple[str, ...]:
    """The options over which a table is drawn. Raises SemcomError unless they are none or two."""
    known = {name for entry in entries for name, _ in entry.options}
    options = tuple(choose(str(name), known, "option to draw over") for name in _list(names))
    if len(options) not in (0, 2):
        raise SemcomError(f"A surface lies over two options, not {len(options)}: name two.")
    return options


def parse_entries(content: Any) -> list[Entry]:
    """The rows that one entry of `systems` stands for: lists of options give a row each.

    A name of a codec or a system, or a mapping with `codec` or `system`, perhaps `name`, `labels`
    and `made_by`, and the system's own options. Raises SemcomError.
    """
    if isinstance(content, str):
        content = {"codec" if content in CODECS or ":" in content else "system": content}
    if not isinstance(content, Mapping) or not ({"codec", "system"} & content.keys()):
        raise SemcomError(
            f"The system {content!r} is not known: write a codec's or a system's name, or "
            "{codec: gesco, payload_bytes: [256, 512]}."
        )
    options = {k: spread(v) for k, v in content.items() if k not in _OF_ROW}
    system = choose(str(content.get("system", "codec")), SYSTEMS, "system")
    for codec in options.get("codec", []):
        codec_of(str(codec))
    labels = choose(str(content.get("labels", LABELS[0])), LABELS, "choice of labels")
    made_by = read_commands(content["made_by"]) if "made_by" in content else ()
    schemes = options.pop(SCHEME, [])
    told = [o for o, values in options.items() if len(values) > 1 and o not in ("codec", SIZE)]
    entries = []
    for values in product(*options.values()):
        chosen = dict(zip(options, values, strict=True))
        name = str(content.get("name") or chosen.get("codec") or system)
        family = ", ".join([name, *(f"{option} {chosen[option]}" for option in told)])
        title = f"{family}, {chosen[SIZE]} bytes" if SIZE in chosen else family
        settings = tuple(sorted(chosen.items()))
        row = Entry(family, title, system, settings, labels, made_by=made_by)
        made = tuple(row.of_scheme(str(one), len(schemes) > 1) for one in schemes)
        entries += [replace(row, schemes=made)] if len(made) > 1 else made or [row]
    return entries


def _check_keys(content: Any, known: tuple[str, ...], what: str) -> None:
    if not isinstance(content, Mapping):
        raise SemcomError(f"In {what}, {content!r} stands where 'name: value' pairs belong.")
    for key in content:
        choose(str(key), known, f"key of {what}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
