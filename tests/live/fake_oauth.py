# SPDX-License-Identifier: ISC
"""An OAuth2 provider that does what a real one will not do on demand, and a
POP3 server that takes its tokens."""
import base64
import hashlib
import http.server
import itertools
import json
import ssl
import threading
import time
import urllib.parse

import fakes

CLIENT = "mailhaul-test"
SCOPE = "mail offline_access"
# Not to be found in any log.
SECRET_PARTS = ("accesstoken", "refreshtoken", "devicecode", "authcode")


class Provider:
    """One refresh token is good at a time and for one use: who uses an old one
    loses all (RFC 9700 section 4.14.2).

    life: seconds of an access token; script: what the next questions to the
    token endpoint are answered with instead: "garbage", "huge", "hang",
    "redirect", or an error of OAuth.
    """

    def __init__(self, certs, cert="server"):
        self.life, self.interval, self.code_life = 3600, 1, 900
        self.rotates = True
        self.more = {}         # in the answer
        self.script, self.device_script = [], []
        self.approved = None   # of the device: None, True or an error
        self.numbers = itertools.count(1)
        self.refresh, self.dead = None, set()
        self.access = {}       # token: until when it is good
        self.codes = {}        # code: (challenge, redirect_uri)
        self.asked = []        # (time, grant type, what it was answered)
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certs.cert(cert), certs.key(cert))
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                provider.post(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request, address):
                request.settimeout(60)
                try:
                    with context.wrap_socket(request, True) as tls:
                        super().finish_request(tls, address)
                except OSError:
                    pass

            def handle_error(self, *_):
                pass
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = "https://localhost:%d" % self.port
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def options(self, certs, **more):
        """Of an account or a destination that signs in here."""
        return {"auth": "xoauth2", "password": None,
                "oauth_client_id": CLIENT, "oauth_scope": SCOPE,
                "oauth_token_url": self.url + "/token",
                "oauth_device_url": self.url + "/device",
                "oauth_authorize_url": self.url + "/authorize",
                "oauth_ca_file": certs.ca, **more}

    def count(self, grant):
        return sum(g == grant for _, g, _ in self.asked)

    def good(self, token):
        with self.lock:
            return self.access.get(token, 0) > time.monotonic()

    def expire(self):
        """The access tokens that are there."""
        with self.lock:
            self.access.clear()

    def revoke(self):
        """All of it, as when the password was changed."""
        with self.lock:
            self.access.clear()
            self.dead.add(self.refresh)
            self.refresh = None

    # --- a person with a browser

    def approve(self, address, lie=None):
        """Signs in at an authorization address; the address that the browser
        is sent to."""
        url = urllib.parse.urlsplit(address)
        query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))
        assert query["response_type"] == "code", query
        assert query["client_id"] == CLIENT and query["scope"] == SCOPE
        assert query["code_challenge_method"] == "S256", query
        assert query["redirect_uri"].startswith("http://127.0.0.1:"), query
        code = "authcode%d" % next(self.numbers)
        self.codes[code] = query["code_challenge"], query["redirect_uri"]
        answer = {"code": code, "state": query["state"]}
        answer.update(lie or {})
        return query["redirect_uri"] + "?" + urllib.parse.urlencode(answer)

    # --- the endpoints

    def issue(self):
        number = next(self.numbers)
        with self.lock:
            token = "accesstoken%d" % number
            self.access[token] = time.monotonic() + self.life
            if self.refresh is None or self.rotates:
                self.dead.add(self.refresh)
                self.refresh = "refreshtoken%d" % number
            return {"access_token": token, "token_type": "Bearer",
                    "expires_in": self.life, "scope": SCOPE,
                    "refresh_token": self.refresh, **self.more}

    def use_refresh(self, token):
        with self.lock:
            if token == self.refresh:
                return None
            if token in self.dead:
                self.refresh = None  # somebody has a copy: nobody is trusted
                self.access.clear()
        return {"error": "invalid_grant",
                "error_description": "this refresh token is not good"}

    def grant(self, form):
        kind = form.get("grant_type", "")
        if form.get("client_id") != CLIENT:
            return {"error": "invalid_client"}
        if kind == "refresh_token":
            return self.use_refresh(form["refresh_token"]) or self.issue()
        if kind == "authorization_code":
            challenge, uri = self.codes.pop(form["code"], (None, None))
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if proof != challenge or uri != form["redirect_uri"]:
                return {"error": "invalid_grant"}
            return self.issue()
        if form["device_code"] != "devicecode":
            return {"error": "bad_verification_code"}
        if self.approved is True:
            return self.issue()
        return {"error": self.approved or "authorization_pending"}

    def device(self, form):
        assert form["scope"] == SCOPE, form
        return {"device_code": "devicecode", "user_code": "WDJB-MJHT",
                "verification_uri": self.url + "/activate",
                "expires_in": self.code_life, "interval": self.interval}

    def post(self, handler):
        size = int(handler.headers["Content-Length"])
        form = dict(urllib.parse.parse_qsl(
            handler.rfile.read(size).decode(), strict_parsing=True))
        device = handler.path == "/device"
        script = self.device_script if device else self.script
        trick = script.pop(0) if script else None
        kind = "device" if device else form.get("grant_type")
        self.asked.append((time.monotonic(), kind, trick))
        if trick == "hang":
            self.stopped.wait(60)
            return
        if trick == "redirect":
            handler.send_response(302)
            handler.send_header("Location", self.url + "/elsewhere")
            handler.end_headers()
            return
        if trick == "huge":
            body = b'{"access_token": "' + b"x" * (10 << 20) + b'"}'
        elif trick == "garbage":
            body = b"<html>Welcome to the hotel!</html>"
        elif trick:
            body = json.dumps({"error": trick, "error_description":
                               "as the test wants it\x1b[2J"}).encode()
        else:
            body = json.dumps(self.device(form) if device
                              else self.grant(form)).encode()
        handler.send_response(400 if b'"error"' in body else 200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


class TokenPop3(fakes.FakePop3):
    """Takes the provider's tokens and nothing else (Outlook.com's manner:
    XOAUTH2 in two lines)."""

    def __init__(self, certs, messages, provider, host="127.0.0.1"):
        self.host = host
        self.provider = provider
        self.logins = []  # True: good
        super().__init__(certs, messages, capa=(
            "UIDL", "TOP", "SASL XOAUTH2"))

    def on_auth(self, session, words):
        assert [w.upper() for w in words] == ["AUTH", "XOAUTH2"], words
        session.send("+ ")
        data = base64.b64decode(session.line()).decode()
        user, bearer = data.split("\1")[:2]
        assert user.startswith("user=") and bearer.startswith("auth=Bearer ")
        good = self.provider.good(bearer[len("auth=Bearer "):])
        self.logins.append(good)
        if good:
            return "+OK"
        session.send("+ " + base64.b64encode(
            b'{"status":"400","schemes":"Bearer","scope":"mail"}').decode())
        session.line()
        return "-ERR Authentication failure: the token is not good"
