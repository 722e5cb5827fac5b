# SPDX-License-Identifier: ISC
"""What mailhaul shall reach, as multiples of the least that the work can cost
(in the same run): printed, and nothing fails by it."""
import collections

from workload import MB

CPU_MAX = 0.15                  # ms for each message of case a
PEERS_MIN = 10.0                # times as fast as a peer that submits
SUBMITTING = ("fdm", "fetchmail", "mpop", "getmail")
WALL_MAX = {"a": 2.5, "b": 1.5, "c": 1.5, "d": 2.0, "e": 1.5, "f": 1.5,
            "g": 1.3}
LEAST = {"d": ("limit-poll",), "g": ("limit-data",)}
BOTH_WAYS = ("limit", "limit-delete")
MEMORY_MAX = collections.defaultdict(
    lambda: 8.0, c=6.0, d_pop3=12.0, d_imap=4.0)  # MB above an idle start

Bar = collections.namedtuple("Bar", "case protocol what figure limit held")


def seconds(table, letter, protocol, name):
    figures = table.get((letter, protocol, name)) or \
        table.get((letter, "smtp", name))
    if figures and figures.right():
        return figures.median("seconds")
    return None


def wall(table, letter, protocol):
    """One bar for each bound; that which removes what it fetched does the
    work that mailhaul has to do, the other less."""
    ours = seconds(table, letter, protocol, "mailhaul")
    for name in LEAST.get(letter, BOTH_WAYS):
        least = seconds(table, letter, protocol, name)
        if ours and least:
            ratio, most = ours / least, WALL_MAX[letter]
            yield Bar(letter, protocol, "time / " + name, "%.2f" % ratio,
                      "<= %.1f" % most, ratio <= most)


def peers(table, letter, protocol):
    ours = table.get((letter, protocol, "mailhaul"))
    for name in SUBMITTING:
        figures = table.get((letter, protocol, name))
        if ours and ours.right() and figures and figures.right():
            ratio = ours.rate() / figures.rate()
            yield Bar(letter, protocol, "messages/s / " + name,
                      "%.1f" % ratio, ">= %.0f" % PEERS_MIN,
                      ratio >= PEERS_MIN)


def memory(table, letter, protocol, idle):
    figures = table.get((letter, protocol, "mailhaul"))
    if figures and figures.right():
        above = figures.extremes("peak")[1] / MB - idle
        most = MEMORY_MAX["d_" + protocol if letter == "d" else letter]
        yield Bar(letter, protocol, "MB above idle", "%.1f" % above,
                  "<= %.0f" % most, above <= most)


def cpu(table, letter, protocol):
    figures = table.get((letter, protocol, "mailhaul"))
    if figures and figures.right():
        used = figures.median("cpu") * 1000 / figures.count
        yield Bar(letter, protocol, "CPU ms/message", "%.3f" % used,
                  "<= %.2f" % CPU_MAX, used <= CPU_MAX)


def all_of(table, idle):
    for letter, protocol, name in table:
        if name != "mailhaul" or len(letter) > 1:
            continue
        if letter in WALL_MAX:
            yield from wall(table, letter, protocol)
        if letter == "a":
            yield from cpu(table, letter, protocol)
            yield from peers(table, letter, protocol)
        yield from memory(table, letter, protocol, idle)


def show(table, idle):
    print("\nBars.  An idle start of mailhauld takes %.1f MB." % idle)
    row = "%-4s %-6s %-24s %9s %8s  %s"
    print(row % ("case", "from", "what", "figure", "bar", ""))
    for bar in all_of(table, idle):
        print(row % (bar.case, bar.protocol + "s", bar.what, bar.figure,
                     bar.limit, "held" if bar.held else "MISSED"))
