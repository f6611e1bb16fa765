"""The conformance suite's scenarios that need no fixtures, against the HTTP endpoint of a daemon of their own.

Needs Node 22.19 or later as `node` on PATH and the suite in NODE_PATH.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import scenario

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hostler")
    stage = scenario.Stage(str(pathlib.Path(parser.parse_args().hostler).resolve()))
    suite = pathlib.Path(os.environ["NODE_PATH"]) / "@modelcontextprotocol/conformance/dist/index.js"
    passed = 0
    try:
        stage.cli("daemon", "start", "--http", "0")
        url = json.loads(stage.cli("daemon", "status", "--json").stdout)["http"]
        token = (stage.home / "http-token").read_text().strip()
        program = ["node", str(HERE / "conformance.mjs"), url, token, str(suite)]
        passed = int(subprocess.run(program, env=os.environ, timeout=300).returncode == 0)
        stage.cli("daemon", "stop")
    except Exception as error:
        print("\n".join(scenario.causes(error)))
    finally:
        stage.clear()
    print(f"clients: {passed} passed, {1 - passed} failed")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
