"""How often the fault tests inject a fault: enough to see broken code, or as often as the guarantee was proved with."""

import os

THOROUGH = os.environ.get("STATUSLOG_THOROUGH") == "1"


def times(usual: int, thorough: int) -> int:
    """The second with STATUSLOG_THOROUGH=1, else the first."""
    return thorough if THOROUGH else usual
