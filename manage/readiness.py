"""Prints how ready the service at the address in argument 1 is; exit code 0: ready.

`manage_all.sh run` waits with it; what people look at is status.py.
"""

import http.client
import json
import sys
import urllib.error
import urllib.request

try:
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answer = without_proxy.open(sys.argv[1] + "/readyz", timeout=5).read()
except urllib.error.HTTPError as error:
    answer = error.read()  # a 503 says why
except (OSError, http.client.HTTPException):
    sys.exit("no answer")
try:
    state = json.loads(answer)
    reasons = [str(reason) for reason in state["reasons"]]
    outbox = [f"{count} {what} in the outbox" for what, count in state.get("outbox", {}).items() if count]
except (ValueError, LookupError, TypeError, AttributeError):
    sys.exit("another program answers there")
if reasons:
    sys.exit("; ".join([f"not ready: {', '.join(reasons)}", *outbox]))
print("; ".join(["ready", *outbox]))
