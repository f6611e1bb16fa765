"""Whether each tool was called by at least two clients that others wrote: coverage.py CALLS

CALLS has a line of JSON for each client that ran, as the scenario writes it: {"client": …, "calls": {tool: times}}. Every
tool that a client saw listed is in it, with the calls that succeeded.
"""

import collections
import json
import sys

CLIENTS = 2


def main():
    clients = collections.defaultdict(collections.Counter)
    with open(sys.argv[1]) as lines:
        for line in lines:
            ran = json.loads(line)
            clients[ran["client"]].update(ran["calls"])
    tools = sorted(set().union(*clients.values()))
    names = sorted(clients)
    width = max(map(len, tools), default=0)
    print(f"\ncalls that succeeded, by tool and client\n{'':{width}}  {'  '.join(names)}")
    missing = []
    for tool in tools:
        calls = [clients[name][tool] for name in names]
        enough = sum(count > 0 for count in calls) >= CLIENTS
        missing += [] if enough else [tool]
        row = "  ".join(f"{count:>{len(name)}}" for name, count in zip(names, calls))
        print(f"{tool:{width}}  {row}{'' if enough else '  TOO FEW'}")
    print(f"{len(tools)} tools, {len(tools) - len(missing)} of them called by {CLIENTS} clients or more")
    passed = int(bool(tools) and not missing)
    print(f"clients: {passed} passed, {1 - passed} failed")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
