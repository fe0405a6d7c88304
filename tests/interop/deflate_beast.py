"""permessage-deflate with Boost.Beast: starts deflate_server, and deflate_beast_client against it.

    /usr/bin/python3 deflate_beast.py --server PATH_TO_deflate_server --client PATH_TO_deflate_beast_client
"""

import argparse
import subprocess
from pathlib import Path

from support import EchoServer, Mismatch, fail


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, type=Path)
    parser.add_argument("--client", required=True, type=Path)
    arguments = parser.parse_args()
    with EchoServer(arguments.server, []) as server:
        if subprocess.run([arguments.client, "--port", str(server.port)], timeout=100).returncode != 0:
            fail("the client is not content")
        try:
            server.stop()
        except Mismatch as mismatch:
            fail(mismatch)


if __name__ == "__main__":
    main()
