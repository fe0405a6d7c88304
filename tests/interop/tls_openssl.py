#!/usr/bin/env python3
"""What fairlead's TLS agrees to, asked by the command `openssl s_client`: versions, ciphers, ALPN, renegotiation,
resumption, early data, compression.

    tls_openssl.py --server interop_server --certificates fairlead_test_certificates_tool
"""

import argparse
import json
import re
import select
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PATIENCE = 20


class Mismatch(Exception):
    """The server did something else than it should have."""


def openssl(*arguments, text=""):
    """Runs openssl with `text` as its input; what it prints, errors behind the rest."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, text=True,
                          timeout=PATIENCE)
    return done.stdout + done.stderr


class Server:
    """interop_server with the certificate of localhost, for the length of a `with` block."""

    def __init__(self, program, certificates):
        self.command = [program, "--certificate", certificates["certificate"], "--key", certificates["key"]]
        self.authority = certificates["authority"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        if not ready:
            self.process.kill()
            raise Mismatch("the server does not start")
        self.port = json.loads(self.process.stdout.readline())["port"]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def ask(self, *options, text=""):
        """One connection of s_client, which ends with its input."""
        return openssl("s_client", "-connect", f"localhost:{self.port}", "-servername", "localhost",
                       "-CAfile", self.authority, "-verify_return_error", "-verify_hostname", "localhost",
                       *options, text=text)


def expect(output, pattern, what):
    found = re.search(pattern, output)
    if found is None:
        raise Mismatch(f"{what}: there is no {pattern!r} in\n{output}")
    return found


def cipher_of(output):
    """The cipher that was agreed; None when there was no agreement."""
    found = re.search(r"^(?:New|Reused), TLSv1[.0-9]*, Cipher is (\S+)", output, re.MULTILINE)
    return found[1] if found and found[1] != "(NONE)" else None


def check_versions(server):
    for version, words in (("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")):
        output = server.ask(version)
        expect(output, rf"New, {re.escape(words)}, Cipher is ", words)
        expect(output, r"Verify return code: 0 \(ok\)", f"{words}: the certificate")
    for version in ("-tls1_1", "-tls1"):
        output = server.ask(version, "-cipher", "ALL:@SECLEVEL=0")
        if cipher_of(output) is not None:
            raise Mismatch(f"{version} was agreed:\n{output}")
        expect(output, r"alert protocol version", version)


def check_ciphers(server):
    listed = openssl("ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").strip().split(":")
    strong = re.compile(r"ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$")
    agreed = set()
    for cipher in listed:
        output = server.ask("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
        if cipher_of(output) is None:
            continue
        if not strong.match(cipher):
            raise Mismatch(f"{cipher} was agreed")
        agreed.add(cipher)
    if len(agreed) < 3:
        raise Mismatch(f"of TLS 1.2 only {sorted(agreed)} are agreed")
    return f"{len(listed)} ciphers of TLS 1.2 asked for, agreed: {', '.join(sorted(agreed))}"


def check_alpn(server):
    expect(server.ask("-alpn", "h2,http/1.1"), r"ALPN protocol: http/1\.1", "h2 and http/1.1 offered")
    expect(server.ask("-alpn", "h2"), r"alert no application protocol", "h2 alone offered")
    expect(server.ask(), r"No ALPN negotiated", "nothing offered")


def check_renegotiation(server):
    """s_client renegotiates at a line that begins with R, and gives up when that is refused."""
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"localhost:{server.port}", "-tls1_2"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    stop = threading.Timer(PATIENCE, process.kill)
    stop.start()
    process.stdin.write("R\n")
    process.stdin.flush()  # and left open: its end would end the connection
    output = process.stdout.read()
    stop.cancel()
    process.stdin.close()
    process.wait()
    expect(output, r"RENEGOTIATING", "renegotiation was asked for")
    expect(output, r"no renegotiation", "renegotiation is refused")


def check_resumption(server, folder):
    for version in ("-tls1_3", "-tls1_2"):
        session = Path(folder, f"session{version}")
        # A ticket of TLS 1.3 comes behind the handshake, so the connection has to last until an answer.
        request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        server.ask(version, "-sess_out", session, "-ign_eof", text=request)
        output = server.ask(version, "-sess_in", session)
        expect(output, r"Reused, TLSv1", f"{version}: the session is resumed")
        if cipher_of(output) is None:
            raise Mismatch(f"{version}: no cipher after resumption")


def check_extras(server):
    output = server.ask("-tls1_3")
    expect(output, r"Compression: NONE", "compression")
    expect(output, r"Early data was not sent", "early data")
    expect(server.ask("-tls1_3", "-ign_eof", text="GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
           r"Max Early Data: 0", "the ticket's early data")
    expect(server.ask("-tls1_2"), r"Secure Renegotiation IS supported", "RFC 5746")
    expect(output, r"Server Temp Key: (X25519|ECDH, P-256)", "forward secrecy")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="the program interop_server")
    parser.add_argument("--certificates", required=True, help="the program fairlead_test_certificates_tool")
    arguments = parser.parse_args()
    try:
        version = openssl("version").strip()
    except FileNotFoundError:
        print("tls_openssl: FAILED: the command openssl is missing: install the package openssl, or ./dev setup",
              file=sys.stderr)
        return 1
    print(version)
    with tempfile.TemporaryDirectory() as folder:
        made = json.loads(subprocess.run([arguments.certificates, folder], capture_output=True, text=True,
                                         check=True).stdout)
        try:
            with Server(arguments.server, made) as server:
                for name, check in (("versions", lambda: check_versions(server)),
                                    ("ciphers", lambda: check_ciphers(server)),
                                    ("ALPN", lambda: check_alpn(server)),
                                    ("renegotiation", lambda: check_renegotiation(server)),
                                    ("resumption", lambda: check_resumption(server, folder)),
                                    ("compression, early data, key exchange", lambda: check_extras(server))):
                    said = check()
                    print(f"{name}: ok" + (f"; {said}" if said else ""), flush=True)
        except Mismatch as mismatch:
            print(f"tls_openssl: FAILED: {mismatch}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
