# SPDX-License-Identifier: ISC
"""A real Prometheus that scrapes a running mailhauld."""
import json
import os
import urllib.parse
import urllib.request

import corpus
from fakes import RecordingSmtp
from servers import Child, free_ports, wait_for

CONTRIB = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "..", "contrib", "prometheus")
COUNT = 3

CONFIG = """\
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ "%s" ]
scrape_configs:
  - job_name: mailhaul
    static_configs: [ { targets: [ "127.0.0.1:%d" ] } ]
"""


class Prometheus:
    def __init__(self, path, target):
        os.mkdir(path)
        self.port, = free_ports(1)
        config = os.path.join(path, "prometheus.yml")
        with open(config, "w") as f:
            f.write(CONFIG % (os.path.abspath(os.path.join(
                CONTRIB, "mailhaul.rules.yml")), target))
        self.child = Child(
            ["prometheus", "--config.file", config,
             "--storage.tsdb.path", os.path.join(path, "data"),
             "--web.listen-address", "127.0.0.1:%d" % self.port],
            os.path.join(path, "log"), dict(os.environ, no_proxy="*"))

    def ask(self, what, **parameters):
        """The data of its API; None: it does not answer yet."""
        self.child.check()
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (
            self.port, what, urllib.parse.urlencode(parameters))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except OSError as e:
            if getattr(e, "code", 503) != 503:
                raise AssertionError("%s: %s" % (url, e)) from e
            return None

    def values(self, query):
        """Of each series, by its labels without those of the scrape."""
        data = self.ask("query", query=query)
        return {} if data is None else {
            tuple(sorted(v for k, v in series["metric"].items()
                         if k not in ("__name__", "instance", "job"))):
            float(series["value"][1]) for series in data["result"]}


def expressions(node):
    """Every query of the dashboard, as a panel would ask it."""
    if isinstance(node, dict):
        if "expr" in node:
            yield node["expr"].replace("$__rate_interval", "1m")
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from expressions(child)


def test_scrape(world, haul, user, port):
    box = world.dovecot.mailbox(user)
    for i in range(COUNT):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nbody\r\n")
    listen, = free_ports(1)
    haul.options["listen"] = "127.0.0.1:%d" % listen
    haul.account(user, "imap", port("imap"), interval="1h")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        running = haul.start()
        prometheus = Prometheus(os.path.join(haul.path, "prometheus"), listen)
        try:
            wait_for("a scrape", lambda: prometheus.values(
                'up{job="mailhaul"}') == {(): 1}, 60)
            wait_for("what was relayed", lambda: prometheus.values(
                'mailhaul_messages_total{result="relayed"}') ==
                {tuple(sorted((user, "relayed"))): COUNT}, 60)
            # What comes later is seen as well.
            recorder.on("dot", lambda *_: "550 5.7.1 No")
            box.add(corpus.header(99, "refused") + b"\r\nbody\r\n")
            wait_for("what is held", lambda: sum(prometheus.values(
                "mailhaul_held").values()) == 1, 60)
            for query in expressions(json.load(open(os.path.join(
                    CONTRIB, "dashboard.json")))):
                assert prometheus.ask("query", query=query) is not None
            rules = [rule for group in prometheus.ask("rules")["groups"]
                     for rule in group["rules"]]
            assert len(rules) >= 10
            wait_for("the rules", lambda: all(
                rule["health"] == "ok" for group in
                prometheus.ask("rules")["groups"]
                for rule in group["rules"]), 60)
            wait_for("an alert on its way", lambda: "MailhaulHeld" in {
                a["labels"]["alertname"]
                for a in prometheus.ask("alerts")["alerts"]}, 60)
        finally:
            prometheus.child.close()
        running.stop()
