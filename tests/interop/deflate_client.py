#!/usr/bin/env python3
"""connect() with every way to compress, against the servers of other implementations.

    /usr/bin/python3 deflate_client.py --client deflate_client -- COMMAND OF THE SERVER...

The server prints a line of JSON with its port when it listens.
"""

import argparse
import json
import select
import subprocess
import sys

PATIENCE = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client", required=True, help="the program deflate_client")
    parser.add_argument("server", nargs="+")
    arguments = parser.parse_args()
    with subprocess.Popen(arguments.server, stdout=subprocess.PIPE, text=True) as server:
        try:
            ready, _, _ = select.select([server.stdout], [], [], PATIENCE)
            line = server.stdout.readline() if ready else ""
            if not line:
                print("deflate_client: FAILED: the server does not start", file=sys.stderr)
                return 1
            told = json.loads(line)
            print(told["peer"], flush=True)
            return subprocess.run([arguments.client, "--url", f"ws://127.0.0.1:{told['port']}"], check=False).returncode
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
