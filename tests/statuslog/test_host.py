"""What a host must be."""

import pytest

from statuslog import host

LARGEST_OF_64, LARGEST_OF_32 = 2**63 - 1, 2**31 - 1


def test_64_bit_linux_will_do():
    host.need_linux("linux", LARGEST_OF_64)
    host.need_linux()  # this one


@pytest.mark.parametrize(
    ("platform", "largest", "said"),
    [
        ("linux", LARGEST_OF_32, "linux, 32 bit"),
        ("darwin", LARGEST_OF_64, "darwin, 64 bit; use Docker: docker compose up --build"),
        ("win32", LARGEST_OF_64, "win32, 64 bit; use Docker: docker compose up --build"),
    ],
)
def test_another_ends_with_one_line_that_says_what_to_do(platform: str, largest: int, said: str):
    with pytest.raises(SystemExit) as ended:
        host.need_linux(platform, largest)
    assert ended.value.code == f"statuslog needs 64-bit Linux, and this is {said}"
