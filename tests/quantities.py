"""Durations and sizes as people type them, for the tests of all that takes them."""

from datetime import timedelta

DURATIONS = {
    "90s": timedelta(seconds=90),
    "15m": timedelta(minutes=15),
    "2h": timedelta(hours=2),
    "1h30m": timedelta(minutes=90),
    "2d": timedelta(days=2),
    "1w": timedelta(weeks=1),
    "1w2d": timedelta(days=9),
    "1w2d3h4m5s": timedelta(days=9, seconds=3 * 3600 + 4 * 60 + 5),
    "1.5h": timedelta(minutes=90),
    "0.5s": timedelta(milliseconds=500),
    "36h": timedelta(hours=36),
    "1h 30m": timedelta(minutes=90),
    "15 m": timedelta(minutes=15),
    "0m": timedelta(0),
}
NO_DURATIONS = (
    *("", "15", "1.5", "m", "-15m", "15M", "1M", "2H", "15min", "30m1h", "1h1h", "1h30", "1 h 30", "1y", "1e3s"),
    *(".5h", "1.h", "1,5h", "15m ", " 15m", "1  h", "1h\n", "\u0661m", "1234567890s", "5%", "forever"),
)
SIZES = {
    "0": 0,
    "1048576": 2**20,
    "512B": 512,
    "500K": 500 * 2**10,
    "500M": 500 * 2**20,
    "500m": 500 * 2**20,
    "500MB": 500 * 2**20,
    "500 MB": 500 * 2**20,
    "500MiB": 500 * 2**20,
    "500Mi": 500 * 2**20,
    "1.5G": 3 * 2**29,
    "1.5 GiB": 3 * 2**29,
    "2T": 2 * 2**40,
    "0001": 1,
}
NO_SIZES = (
    *(
        "",
        "1.5",
        "1.5B",
        "M",
        "-1M",
        "1M1K",
        "1e6",
        "1_000",
        "1,000",
        "0x10",
        "500 M B",
        "500  M",
        "500iB",
        "1P",
        "1Mb/s",
    ),
    *("9000000T", "9" * 19, "9" * 30, "\u0661", " 1", "1 ", "1\n", "5%", "much"),
)
SHARES = {"5%": 5, "0%": 0, "0.5%": 0.5, "10 %": 10, "100%": 100}
NO_SHARES = ("%", "101%", "-1%", "5 % 1", "5%%", "1e1%")
