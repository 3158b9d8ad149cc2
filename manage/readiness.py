"""Prints how ready a service is: readiness.py URL. Exit code 0: ready.

    readiness.py --wait SECONDS NAME=URL...

waits until all are ready, and prints "ready". Else the exit code is 1, or 3 for what does not end by waiting: a disk
that is nearly full. `manage_all.sh run` waits with it; what people look at is status.py.
"""

import http.client
import json
import sys
import time
import urllib.error
import urllib.request

PAUSE = 0.1
NOT_READY, FOR_LONG = 1, 3
DISK_LOW = (
    "storage: disk_low: its disk has less free than MIN_FREE_BYTES. The services run and the log can be read; new "
    "records wait in the outboxes until there is room. Free some disk (./manage_all.sh prune makes the log smaller) or "
    "set a lower MIN_FREE_BYTES and start again"
)
without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def readiness(url: str) -> tuple[str, list[str]]:
    """How ready the service is, as a text, and the names of the reasons; of one that is ready there are none."""
    try:
        answer = without_proxy.open(url + "/readyz", timeout=5).read()
    except urllib.error.HTTPError as error:
        answer = error.read()  # a 503 says why
    except (OSError, http.client.HTTPException):
        return "no answer", ["no answer"]
    try:
        state = json.loads(answer)
        reasons = [str(reason) for reason in state["reasons"]]
        outbox = [f"{count} {what} in the outbox" for what, count in state.get("outbox", {}).items() if count]
    except (ValueError, LookupError, TypeError, AttributeError):
        return "another program answers there", ["another program"]
    said = f"not ready: {', '.join(reasons)}" if reasons else "ready"
    return "; ".join([said, *outbox]), reasons


def wait(seconds: float, urls: dict[str, str]) -> None:
    deadline = time.monotonic() + seconds
    while True:
        found = {name: readiness(url) for name, url in urls.items()}
        reasons = {name: set(reasons) for name, (_, reasons) in found.items()}
        if not any(reasons.values()):
            print("ready")
            return
        if "disk_low" in reasons["storage"] and set().union(*reasons.values()) <= {"disk_low", "storage_unreachable"}:
            print(DISK_LOW)
            sys.exit(FOR_LONG)
        if time.monotonic() > deadline:
            print("; ".join(f"{name}: {text}" for name, (text, reasons) in found.items() if reasons))
            sys.exit(NOT_READY)
        time.sleep(PAUSE)


if __name__ == "__main__":
    if sys.argv[1] == "--wait":
        wait(float(sys.argv[2]), dict(argument.split("=", 1) for argument in sys.argv[3:]))
    else:
        text, reasons = readiness(sys.argv[1])
        if reasons:
            sys.exit(text)
        print(text)
