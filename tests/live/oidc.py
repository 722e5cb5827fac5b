# SPDX-License-Identifier: ISC
"""A real OpenID provider (oidc-provider, of the npm registry), a browser that
signs in there, and a Dovecot and a Postfix that take its tokens and nothing
else."""
import html.parser
import http.cookiejar
import json
import os
import re
import shutil
import ssl
import subprocess
import urllib.parse
import urllib.request

import haul as installation
import servers

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir,
                      "oidc")
SCOPE = "openid offline_access"
CLIENT = "mailhaul"


def install(work):
    """The provider's package in a directory of ours, pinned by its lock."""
    path = work.sub("oidc")
    for name in os.listdir(SOURCE):
        shutil.copy(os.path.join(SOURCE, name), path)
    servers.run(servers.tool("npm"), "ci", "--prefix", path, "--no-audit",
                "--no-fund", "--ignore-scripts", timeout=300)
    return os.path.join(path, "provider.mjs")


class Provider:
    """seconds: how long an access token is good."""

    def __init__(self, program, work, certs, seconds, port=None):
        self.port = port or servers.free_ports(1)[0]
        self.url = "https://localhost:%d" % self.port
        self.certs = certs
        self.log = os.path.join(work.path, "provider-%d.log" % self.port)
        self.child = servers.Child(
            [servers.tool("node"), program, str(self.port), certs.key(),
             certs.cert(), str(seconds)], self.log)
        servers.wait_for("the provider", self.ready)

    def ready(self):
        self.child.check()
        return servers.answers(self.port)

    def options(self, **more):
        """Of an account or a destination that signs in here."""
        return {"password": None, "oauth_client_id": CLIENT,
                "oauth_scope": SCOPE, "oauth_token_url": self.url + "/token",
                "oauth_device_url": self.url + "/device/auth",
                "oauth_authorize_url": self.url + "/auth",
                "oauth_ca_file": self.certs.ca, **more}

    def answers(self, *words):
        """What the token endpoint answered, a line each."""
        with open(self.log, encoding="utf-8") as f:
            return [line for line in f if line.startswith("token ") and
                    all(w in line for w in words)]

    def post(self, path, **fields):
        context = ssl.create_default_context(cafile=self.certs.ca)
        data = urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(self.url + path, data,
                                    context=context) as f:
            return json.loads(f.read() or b"{}")

    def close(self):
        self.child.close()


class Form(html.parser.HTMLParser):
    """The first form of a page."""

    def __init__(self, text):
        super().__init__()
        self.action, self.fields, self.inside = None, {}, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and self.action is None:
            self.action, self.inside = attrs.get("action", ""), True
        elif tag in ("input", "button") and self.inside and attrs.get("name"):
            self.fields[attrs["name"]] = attrs.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


class Browser:
    """Somebody who signs in as user and agrees to everything."""

    def __init__(self, user, certs):
        self.user = user
        context = ssl.create_default_context(cafile=certs.ca)
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def visit(self, url):
        """Fills in form after form; answers with the last page's text."""
        data = None
        for _ in range(12):
            with self.opener.open(url, data, timeout=20) as page:
                text, url = page.read().decode(), page.geturl()
            form = Form(text)
            if form.action is None:
                return text
            fields = dict(form.fields)
            if "login" in fields:
                fields.update(login=self.user, password="any")
            fields.pop("abort", None)
            url = urllib.parse.urljoin(url, form.action)
            data = urllib.parse.urlencode(fields).encode()
        raise AssertionError("no end of forms: %s\n%s" % (url, text))


class Login:
    """mailhaul login, while somebody signs in where it says."""

    def __init__(self, haul, *argv):
        haul.write()
        self.log = os.path.join(haul.path, "login.log")
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [installation.MAILHAUL, "-c", haul.conf, "--state", haul.state,
                 "login", *argv], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, env=haul.env(),
                start_new_session=True)

    def text(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def url(self):
        def look():
            assert self.process.poll() is None, self.text()
            return re.search(r"https://\S+", self.text())
        return servers.wait_for("an address", look).group()

    def end(self, expect=installation.OK):
        code = self.process.wait(60)
        assert code == expect, (code, self.text())
        return self.text()


def sign_in(haul, certs, user, name="old", how="--device"):
    login = Login(haul, name, how)
    url = login.url()
    if how == "--device" and "user_code" not in url:
        code = servers.wait_for("a code", lambda: re.search(
            r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", login.text())).group()
        url += "?user_code=" + code
    Browser(user, certs).visit(url)
    return login.end()


OAUTH_CONF = """
introspection_mode = post
introspection_url = https://dovecot:dovecot-secret@localhost:{port}/token/introspection
username_attribute = sub
active_attribute = active
active_value = true
tls_ca_cert_file = {ca}
"""

PASSDB = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {conf}
}}
"""


def dovecot_edit(work, certs, provider):
    """Turns the configuration of our Dovecot into one that takes tokens."""
    conf = os.path.join(work.path, "dovecot-oauth2.conf.ext")
    with open(conf, "w", encoding="ascii") as f:
        f.write(OAUTH_CONF.format(port=provider.port, ca=certs.ca))

    def edit(text):
        start = text.index("passdb {")
        end = text.index("}\n", start) + 2
        text = text[:start] + PASSDB.format(conf=conf) + text[end:]
        return re.sub("auth_mechanisms = .*",
                      "auth_mechanisms = xoauth2 oauthbearer", text)
    return edit


class OidcWorld(servers.World):
    """Dovecot and Postfix behind a provider whose access tokens are good for
    so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds
        super().__init__()

    def start(self, postfix):
        program = install(self.work)
        self.provider = self.keep(Provider(program, self.work, self.certs,
                                           self.seconds))
        self.program = program
        edit = dovecot_edit(self.work, self.certs, self.provider)
        self.dovecot = self.keep(servers.Dovecot(self.work, self.certs, edit))
        self.postfix = self.keep(servers.Postfix(self.work, self.certs,
                                                 self.dovecot))
