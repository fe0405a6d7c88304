"""fairlead against other implementations, each as client and as server: the table that `./dev interop` prints, and
`./dev trust` with Firefox.

Every server has the same routes (see interop_server.cpp), every client makes the same demands of them and prints one
line of JSON for each cell: each payload is compared with its echo, byte by byte. A client begins with who it is, a
server with who and where it is.

    interop.py --server PROGRAM --client PROGRAM --certificates PROGRAM --beast PROGRAM --libwebsockets PROGRAM
               [--browser PATH] [--firefox PATH] [--html FILE] [--only NAME]
"""

import argparse
import html
import json
import select
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE = 120  # seconds for one client

COLUMNS = {
    "text": "text",
    "binary": "binary",
    "to_fairlead": "fragments to fairlead",
    "from_fairlead": "fragments from fairlead",
    "peer_closes": "peer closes",
    "fairlead_closes": "fairlead closes",
}
# What the cells of a client are to fairlead, by the role of its peer.
MEANINGS = {
    "client": {"fragments_sent": "to_fairlead", "fragments_received": "from_fairlead",
               "client_closes": "peer_closes", "server_closes": "fairlead_closes"},
    "server": {"fragments_sent": "from_fairlead", "fragments_received": "to_fairlead",
               "client_closes": "fairlead_closes", "server_closes": "peer_closes"},
}
CLOSE_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999]
TRANSPORTS = [(secure, deflate) for secure in (False, True) for deflate in (False, True)]
LEGEND = ("Text, binary and fragments: messages of 0, 1, 125, 126, 65535, 65536 bytes, 1 MiB and 16 MiB; each came "
          "back equal, byte by byte. Fragments: text and binary, each message in four. Closes: with 1000 to 1003, "
          "1007 to 1011, 3000 and 4999 and a reason; the other side saw the code.")

# What libwebsockets 4.1.6 does not do right with permessage-deflate. Each was seen against ws too.
EMPTY_FRAGMENTS = "libwebsockets cannot compress an empty fragment: it sent the messages of 0 and 1 bytes whole."
TWICE = ("A client of libwebsockets hands over an uncompressed message twice when the connection is a compressed one: "
         "here fairlead compressed every message, with takeover.")
LARGE = "A server of libwebsockets spoils large compressed messages over TLS: run with up to 65536 bytes."


class Deviation:
    """What is different for a peer: options of fairlead's program, and notes of cells."""

    def __init__(self, options=(), notes=None):
        self.options = options
        self.notes = notes or {}


COMPRESSED_CLIENT = Deviation(
    ["--compress-all"], {"text": [TWICE], "binary": [TWICE], "fragments_sent": [EMPTY_FRAGMENTS, TWICE],
                         "fragments_received": [TWICE]})
DEVIATIONS = {
    ("libwebsockets", "client", "ws, deflate"): COMPRESSED_CLIENT,
    ("libwebsockets", "client", "wss, deflate"): COMPRESSED_CLIENT,
    ("libwebsockets", "server", "ws, deflate"): Deviation(notes={"fragments_received": [EMPTY_FRAGMENTS]}),
    ("libwebsockets", "server", "wss, deflate"): Deviation(
        ["--largest", "65536"],
        {"text": [LARGE], "binary": [LARGE], "fragments_sent": [LARGE], "fragments_received": [EMPTY_FRAGMENTS, LARGE]}),
}

Cell = namedtuple("Cell", "sign notes", defaults=[()])
Row = namedtuple("Row", "peer role transport cells")


def fail(message):
    print(f"interop: FAILED: {message}", file=sys.stderr)
    sys.exit(1)


class Server:
    """A server, for the length of a `with` block."""

    def __init__(self, command, certificates, secure, deflate):
        self.command = [*command]
        if secure:
            self.command += ["--certificate", certificates["certificate"], "--key", certificates["key"]]
        if deflate:
            self.command.append("--deflate")
        self.scheme = "wss" if secure else "ws"

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.__exit__()
            fail(f"{' '.join(self.command)} does not start")
        self.description = json.loads(line)
        self.closed_with = []
        self.url = f"{self.scheme}://localhost:{self.description['port']}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with self.process.stdout as rest:
            self.closed_with = [json.loads(line)["closed_with"] for line in rest]


def run_client(command, server, certificates, deflate):
    """The lines that the client printed; the first cell that it did not reach says why."""
    command = [*command, "--url", server.url]
    if server.scheme == "wss":
        command += ["--ca", certificates["authority"]]
    if deflate:
        command.append("--deflate")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        output, why = done.stdout, done.stderr.strip() or f"status {done.returncode}"
    except subprocess.TimeoutExpired as expired:
        output, why = (expired.stdout or b"").decode(), f"no end after {PATIENCE} seconds"
    lines = [json.loads(line) for line in output.splitlines()]
    return lines[0].get("peer", "?") if lines else "?", {line["cell"]: line for line in lines[1:]}, why


def expect_codes(line, seen):
    """Makes a failure of the cell unless the server saw each code with which the client closed."""
    missing = [code for code in line.get("codes", CLOSE_CODES) if code not in seen]
    if missing:
        line["error"] = f"the server did not see {missing}"


def cells_of(lines, why, meanings, deviation):
    cells = {}
    for name in ("text", "binary", "fragments_sent", "fragments_received", "client_closes", "server_closes"):
        line = lines.get(name, {"error": why})
        column = meanings.get(name, name)
        if "error" in line:
            cells[column] = Cell("fails", [line["error"]])
        elif "cannot" in line:
            cells[column] = Cell("cannot", [line["cannot"]])
        else:
            cells[column] = Cell("passes", [line["note"]] if "note" in line else deviation.notes.get(name, ()))
    return cells


def transport_name(secure, deflate):
    return ("wss" if secure else "ws") + (", deflate" if deflate else "")


def measure(peers, arguments, certificates):
    """A row for each peer, role and transport."""
    for name, roles in peers.items():
        if arguments.only and arguments.only != name:
            continue
        for role, command in roles.items():
            for secure, deflate in TRANSPORTS:
                transport = transport_name(secure, deflate)
                deviation = DEVIATIONS.get((name, role, transport), Deviation())
                if role == "client":
                    servers, clients = [arguments.server, *deviation.options], command
                else:
                    servers, clients = command, [arguments.client, *deviation.options]
                with Server(servers, certificates, secure, deflate) as server:
                    client, lines, why = run_client(clients, server, certificates, deflate)
                    peer = client if role == "client" else server.description["peer"]
                if role == "client":
                    expect_codes(lines.get("client_closes", {}), server.closed_with)
                cells = cells_of(lines, why, MEANINGS[role], deviation)
                yield Row(peer, role, transport, cells)


def footnotes_of(rows):
    """Numbers for what is said of cells, each said once."""
    notes = [note for row in rows for cell in row.cells.values() for note in cell.notes]
    return {note: number for number, note in enumerate(dict.fromkeys(notes), 1)}


SIGNS = {"passes": "\u2713", "fails": "\u2717", "cannot": "\u2013"}


def print_table(rows):
    numbers = footnotes_of(rows)

    def shown(cell):
        return " ".join([SIGNS[cell.sign], *(str(numbers[note]) for note in cell.notes)])

    names = [f"{row.peer}, {row.role}" for row in rows]
    first = max(map(len, names))
    print(" " * (first + 16) + "  ".join(COLUMNS.values()))
    previous = None
    for name, row in zip(names, rows):
        signs = (shown(row.cells[column]).ljust(len(title)) for column, title in COLUMNS.items())
        print(f"{name if name != previous else '':{first}}  {row.transport:14}" + "  ".join(signs).rstrip())
        previous = name
    print()
    for text in (LEGEND, *(f"{number}  {note}" for note, number in numbers.items())):
        print(textwrap.fill(text, 118, subsequent_indent="" if text is LEGEND else "   "))


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fairlead: interoperability</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
  body {{ max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }}
  table {{ border-collapse: collapse; width: 100%; }}
  th, td {{ text-align: left; padding: .25rem .7rem; border-bottom: 1px solid #8884; vertical-align: top; }}
  td:nth-last-child(-n+6), thead th:nth-last-child(-n+6) {{ text-align: center; }}
  .passes {{ color: #2a9d4a; }} .fails {{ color: #c0392b; font-weight: bold; }} .cannot {{ opacity: .6; }}
  td {{ white-space: nowrap; }}
  sup a {{ text-decoration: none; }}
</style>
<h1>fairlead and other implementations</h1>
<p>{legend}</p>
<table>
<thead><tr><th>peer<th>its role<th>transport{heads}</thead>
<tbody>
{body}
</tbody>
</table>
<ol>
{notes}
</ol>
</html>
"""


def write_page(rows, path):
    numbers = footnotes_of(rows)

    def shown(cell):
        links = " ".join(f'<a href="#note{numbers[note]}">{numbers[note]}</a>' for note in cell.notes)
        return f'<td class="{cell.sign}">{SIGNS[cell.sign]}<sup>{links}</sup>'

    lines = []
    for i, row in enumerate(rows):
        lead = ""
        if i % len(TRANSPORTS) == 0:
            span = f'rowspan="{len(TRANSPORTS)}"'
            lead = f"<th {span}>{html.escape(row.peer)}<td {span}>{row.role}"
        cells = "".join(shown(row.cells[column]) for column in COLUMNS)
        lines.append(f"<tr>{lead}<td>{row.transport}{cells}")
    path.write_text(PAGE.format(
        legend=html.escape(LEGEND), heads="".join(f"<th>{title}" for title in COLUMNS.values()), body="\n".join(lines),
        notes="\n".join(f'<li id="note{number}">{html.escape(note)}' for note, number in numbers.items())))


def peers_of(arguments):
    node = shutil.which("node") or fail("there is no node: install nodejs, or ./dev setup")
    python = [sys.executable, "-B", str(HERE / "websockets_peer.py")]
    ws = [node, str(HERE / "ws_peer.mjs")]
    page = [node, str(HERE / "browser_peer.mjs"), "client"]
    peers = {
        "ws": {role: [*ws, role] for role in ("client", "server")},
        "websockets": {role: [*python, role] for role in ("client", "server")},
        "chromium": {"client": [*page, "--browser", arguments.browser]},
    }
    if arguments.firefox:
        peers["firefox"] = {"client": [*page, "--firefox", arguments.firefox]}
    for name, program in (("beast", arguments.beast), ("libwebsockets", arguments.libwebsockets)):
        peers[name] = {role: [program, role] for role in ("client", "server")}
    return peers


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "client", "certificates", "beast", "libwebsockets"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--firefox")
    parser.add_argument("--html", type=Path)
    parser.add_argument("--only", choices=["ws", "websockets", "chromium", "firefox", "beast", "libwebsockets"])
    arguments = parser.parse_args()
    if arguments.only == "firefox" and not arguments.firefox:
        parser.error("--only firefox needs --firefox PATH")
    for program in (arguments.beast, arguments.libwebsockets):
        if not Path(program).is_file():
            fail(f"there is no program {program}: install libboost-dev and libwebsockets-dev, or ./dev setup")

    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([arguments.certificates, folder], check=True, capture_output=True, text=True)
        rows = list(measure(peers_of(arguments), arguments, json.loads(made.stdout)))
    print_table(rows)
    if arguments.html:
        write_page(rows, arguments.html)
    failed = sum(cell.sign == "fails" for row in rows for cell in row.cells.values())
    if failed:
        fail(f"{failed} cells of {len(rows) * len(COLUMNS)}")


if __name__ == "__main__":
    main()
