"""What a test run came to: one word, a sentence that names the bottleneck, and what it changes in the plan. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import msgspec

from engine.planning.candidates import seconds_of
from engine.planning.fitting import Fit, Range, Scaling, predicted
from engine.planning.measurement import Bottleneck, Step, Verdict
from engine.planning.values import Roofline, SizeBin
from engine.quantities import format_percent, format_rate

SLOWED_SHARE = 0.01
"""Answers of 503 for so many of its requests mean that the destination throttles."""

UNEVEN_SHARE = 0.15
"""An agent that differs by so much from the median of its step is worth a look."""

CPU_SHARE = 0.6
"""Agents that compute, or wait for a processor or for their quota of it, for so much of their time are bound by it."""

IDLE_SHARE = 0.5

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WAITS = {
    "source": "reading the source",
    "cpu": "computing",
    "destination": "waiting for the network and the destination",
    "limit": "waiting for the bandwidth limit",
    "idle": "having nothing to do",
}


class Change(msgspec.Struct, frozen=True):
    """A figure of the plan before and after a test run. ``unit``: bytes/s, files/s, agents, seconds."""

    what: str
    unit: str
    before: Range
    after: Range


class Left(msgspec.Struct, frozen=True):
    """What is still to be sent after a test run, and the seconds that so many agents take for it."""

    files: int
    bytes: int
    agents: int
    seconds: Range


def judge(
    steps: Sequence[Step],
    one: Fit | None,
    curve: Scaling | None,
    ahead: int,
    whole: Sequence[SizeBin],
    link: float | None = None,
) -> Verdict:
    """The verdict on the steps; ``ahead``: the number of agents to predict on the mix ``whole``.

    ``link``: bytes/s that are stated to be all there is; no more is promised.
    ``one`` and ``curve`` are made from the steps that were steady and that no bandwidth limit held back; None if there
    was none.
    """
    good = sorted((step for step in steps if step.steady), key=lambda step: step.agents)
    if not good:
        return _nothing(steps)
    last = good[-1]
    if last.slowed >= 3 and last.slowed > SLOWED_SHARE * max(1, last.moved_files):
        return _throttled(last)
    if last.shares.idle >= IDLE_SHARE:
        return Verdict(
            "TOO SMALL", f"{_agents(last)} had nothing to do for {format_percent(last.shares.idle)} of the time."
        )
    left_out = _left_out(steps)
    if any(step.limit is not None for step in good):
        return _limited(good, left_out)
    if one is None or curve is None:
        return _nothing(steps)
    if curve.after is not None:
        return _flat(good, curve, left_out)
    if (uneven := _uneven(last)) is not None:
        return Verdict("UNEVEN", uneven + left_out, _bottleneck(last, alone=True))
    ahead = max(ahead, last.agents + 1)
    future = predicted(curve, one, whole, ahead)
    if len(good) == 1:
        return _single(last, left_out)
    found = _bottleneck(last, alone=True)
    rates = f"each agent reaches {rate_words(last, one, each=True)} however many there are"
    most = future.likely if link is None else min(future.likely, link)
    full = ", all that the stated bandwidth allows" if most < future.likely else ""
    sentence = f"{rates}: {found.name} binds; {number(ahead)} will bring {format_rate(most)}{full}."
    if last.link is not None and last.link.full:
        sentence += f" {last.link.name} is full already: more agents need another host or interface."
    return Verdict("LINEAR", _capital(sentence) + left_out, found)


def changes(
    before: Roofline,
    one: Fit,
    curve: Scaling,
    target: float | None,
    whole: Sequence[SizeBin],
    most: int | None = None,
    link: float | None = None,
    *,
    rest: bool = False,
) -> list[Change]:
    """What the plan has to change. ``target``: bytes/s that are to be reached, if there is a target.

    ``most``: how many agents the copy of the ``whole`` is foretold for, with no more bytes/s than the ``link`` has;
    ``rest``: some was copied before, and is not in it.
    Agents are left out where no number of them reaches the target, or where one may be worth nothing (a margin of all
    of it); the copy for the latter, too.
    """
    found = []
    for name, unit, old, new, measured in (
        ("rate of one agent", "bytes/s", before.bytes_per_second, one.roofline.bytes_per_second, one.bytes_measured),
        ("files of one agent", "files/s", before.files_per_second, one.roofline.files_per_second, one.files_measured),
    ):
        if measured:
            found.append(Change(name, unit, _assumed(old.value, old.origin.kind), _about(new.value, one.margin)))
    if most is not None and (now := seconds_left(whole, one, curve, most, link)) is not None:
        what = f"{'rest of it' if rest else 'full copy'}, {most} agent{'s' if most > 1 else ''}"
        guess = _assumed(most * _rate_of_one(before, whole), _kind(before))
        found.append(Change(what, "seconds", _seconds(whole, guess, link), now))
    if target is not None and one.margin < 1:
        was, reached = _rate_of_one(before, whole), _rate_of_one(one.roofline, whole)
        if was > 0 and reached > 0 and (curve.ceiling is None or curve.ceiling * reached >= target):
            needed = _needed(target, _assumed(was, before.bytes_per_second.origin.kind))
            found.append(Change("agents", "agents", needed, _needed(target, _about(reached * curve.each, one.margin))))
    return found


def seconds_left(
    bins: Sequence[SizeBin], one: Fit, curve: Scaling, agents: int, link: float | None = None
) -> Range | None:
    """How long so many agents take for these files, by what was measured; None where that foretells nothing."""
    rate = predicted(curve, one, bins, agents)
    return None if one.margin >= 1 or rate.low <= 0 else _seconds(bins, rate, link)


def number(count: int) -> str:
    """A small number in words."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else f"{count:,}"


def rate_words(step: Step, one: Fit, *, each: bool = False) -> str:
    """The rate of a step, or of each of its agents, in files/s where those bind."""
    share = step.agents if each else 1
    if one.files_measured and not one.bytes_measured:
        return f"{step.files_per_second / share:,.0f} files/s ({format_rate(step.bytes_per_second / share)})"
    return format_rate(step.bytes_per_second / share)


def where(step: Step) -> str:
    """What took most of the time, and how much."""
    if step.quota >= CPU_SHARE:
        return f"it was used up for {format_percent(step.quota)} of the time"
    name = step.shares.largest
    return f"{format_percent(getattr(step.shares, name))} of the time goes into {_WAITS[name]}"


def binding(step: Step) -> str:
    """What the agents of a step waited for: source, cpu, destination, limit or idle."""
    return "cpu" if max(step.shares.cpu, step.quota) >= CPU_SHARE else step.shares.largest


def _nothing(steps: Sequence[Step]) -> Verdict:
    """No step was steady."""
    if not steps or all(step.ended == "stopped" for step in steps):
        return Verdict("NOT STEADY", "It was stopped before a rate was steady: nothing follows from it.")
    last = max(steps, key=lambda step: step.agents)
    if short := [step for step in steps if step.ended == "out of data"]:
        return Verdict(
            "TOO SMALL",
            f"{_capital(_agents(short[0]))} had copied all after {max(1.0, short[0].whole_seconds):.0f} s, before a "
            "rate was steady: choose larger folders (--folder), or a shorter time (--seconds).",
        )
    return Verdict(
        "NOT STEADY",
        f"The rate of {_agents(last)} still changed by {format_percent(last.spread)} when the time was up: "
        "something else uses the same path, or the files differ much; try again with more --seconds.",
    )


def _throttled(step: Step) -> Verdict:
    return Verdict(
        "THROTTLED",
        f"The destination asked {step.slowed:,} times for fewer requests at {step.files_per_second:,.0f} files/s of "
        f"{_agents(step)}: its prefix or account is the limit, more agents bring more refusals.",
        Bottleneck("the request rate of the destination", "destination"),
    )


def _flat(good: Sequence[Step], curve: Scaling, left_out: str) -> Verdict:
    flat = [step for step in good if step.agents > (curve.after or 0)]
    found = _bottleneck(flat[-1], alone=False)
    highest = max(flat, key=lambda step: step.bytes_per_second)
    enough = f"{number(curve.after or 0)} {'agent brings' if curve.after == 1 else 'agents bring'} all there is"
    most = f"{_agents(highest)} reach {format_rate(highest.bytes_per_second)} in all"
    sentence = f"{_capital(enough)}: {most}; {found.name} binds. {_capital(where(flat[-1]))}."
    return Verdict("FLAT", sentence + left_out, found, curve.after)


def _limited(good: Sequence[Step], left_out: str) -> Verdict:
    """A bandwidth limit held back some of the steps: what is said of others is all that was found."""
    held = [step for step in good if step.limit is not None]
    free = [step for step in good if step.limit is None and step.agents < held[0].agents]
    first, found = held[0], Bottleneck("the bandwidth limit", "link")
    binds = f"the bandwidth limit of {format_rate(first.limit or 0.0)} binds"
    if free:
        alone = f"{_agents(free[-1])} {_reach(free[-1])} {format_rate(free[-1].bytes_per_second)}"
        sentence = f"{alone}; with {number(first.agents)} {binds}, and lifting it was not tried."
    else:
        sentence = (
            f"{_agents(first)} {_reach(first)} {format_rate(first.bytes_per_second)}: {binds}. What an agent does "
            "without it, and whether more of them help, was not tried."
        )
    return Verdict("LIMITED", _capital(sentence) + left_out, found)


def _reach(step: Step) -> str:
    return "reaches" if step.agents == 1 else "reach"


def _single(step: Step, left_out: str) -> Verdict:
    found = _bottleneck(step, alone=True)
    rate = f"{format_rate(step.bytes_per_second)} and {step.files_per_second:,.0f} files/s"
    sentence = f"{_capital(_agents(step))} {_reach(step)} {rate}: {found.name} binds; {where(step)}."
    scope = " Whether others share it, a ladder tells (--ladder)." if step.agents == 1 else ""
    return Verdict("MEASURED", sentence + scope + left_out, found)


def _bottleneck(step: Step, *, alone: bool) -> Bottleneck:
    """What binds. ``alone``: each agent by itself; else what they share."""
    match binding(step):
        case "cpu" if step.quota >= CPU_SHARE:
            return Bottleneck("the CPU quota that xsync runs under", "host")
        case "cpu" if alone and step.host_cpu < 0.9:
            return Bottleneck("the CPU that one agent can use", "agent")
        case "cpu":
            return Bottleneck("the CPU of this host", "host")
        case "source" if alone:
            return Bottleneck("reading the source, for each agent by itself,", "agent")
        case "source":
            return Bottleneck("the source", "source")
        case _ if step.link is not None and step.link.full:
            return Bottleneck(f"the network interface {step.link.name} of this host", "host")
        case _ if alone:
            return Bottleneck("the path of one agent", "agent")
        case _:
            return Bottleneck("the shared link, or the destination behind it,", "link")


def _uneven(step: Step) -> str | None:
    """Which agents of a step are unlike the others."""
    if step.agents < 2:
        return None
    work = [size + (256 << 10) * files for files, size in step.each]
    usual = median(work)
    odd = [index for index, each in enumerate(work) if abs(each - usual) > UNEVEN_SHARE * usual]
    if not odd:
        return None
    names = ", ".join(f"agent-{index + 1} {format_rate(step.each[index][1])}" for index in odd)
    middle = format_rate(median(size for _, size in step.each))
    return f"Agents differ by more than {format_percent(UNEVEN_SHARE)} from {middle}: {names}."


def _left_out(steps: Sequence[Step]) -> str:
    bad = [step for step in steps if not step.steady]
    if not bad:
        return ""
    why = {"out of data": "too little to copy", "out of time": "not steady", "stopped": "stopped"}
    return " Left out: " + ", ".join(f"{_agents(step)} ({why.get(step.ended, step.ended)})" for step in bad) + "."


def _agents(step: Step) -> str:
    return f"{number(step.agents)} agent{'' if step.agents == 1 else 's'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _about(value: float, margin: float) -> Range:
    return Range(value * (1 - margin), value, value * (1 + margin))


def _assumed(value: float, kind: str) -> Range:
    """A default may be off by a factor of two either way; what was stated or measured by a tenth."""
    return Range(value / 2, value, value * 2) if kind == "default" else _about(value, 0.1)


def _rate_of_one(roofline: Roofline, whole: Sequence[SizeBin]) -> float:
    seconds = seconds_of(whole, roofline)
    return sum(each.bytes for each in whole) / seconds if seconds > 0 else 0.0


def _seconds(bins: Sequence[SizeBin], rate: Range, link: float | None) -> Range:
    size, most = sum(each.bytes for each in bins), math.inf if link is None else link
    return Range(*(size / min(each, most) for each in (rate.high, rate.likely, rate.low)))


def _kind(of: Roofline) -> str:
    """Where the weaker of both figures comes from."""
    kinds = {of.files_per_second.origin.kind, of.bytes_per_second.origin.kind}
    return "default" if "default" in kinds else of.bytes_per_second.origin.kind


def _needed(target: float, rate: Range) -> Range:
    """Agents that reach a target together."""
    low, likely, high = (float(math.ceil(target / each - 1e-9)) for each in (rate.high, rate.likely, rate.low))
    return Range(low, likely, high)
