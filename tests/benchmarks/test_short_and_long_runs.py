"""How long the long run gets, with runs that take as long as a test says."""

from short_and_long_runs import Result, find_long_run


class Machine:
    """Takes 5 s and a ms an image; ``disturbed_s`` more at first."""

    def __init__(self, disturbed_s: float) -> None:
        self.disturbed_s = disturbed_s
        self.runs: list[int] = []

    def run(self, num_images: int) -> float:
        self.runs.append(num_images)
        seconds = 5 + num_images / 1000 + self.disturbed_s
        self.disturbed_s = 0
        return seconds


def long_run(machine: Machine, seconds: float) -> Result:
    result = Result(short_images=256)
    result.short_s.append(machine.run(256))
    find_long_run(result, machine.run, seconds)
    return result


def test_the_long_run_grows_until_it_takes_so_much_more() -> None:
    machine = Machine(disturbed_s=0)
    result = long_run(machine, seconds=60)
    assert 60 <= result.long_s[0] - result.short_s[0] < 2 * 60
    assert machine.runs[:2] == [256, 2048]
    assert 999 < result.rate() < 1001


def test_a_disturbed_short_run_is_run_again() -> None:
    machine = Machine(disturbed_s=1000)
    result = long_run(machine, seconds=1)
    assert machine.runs == [256, 2048, 256]
    assert 999 < result.rate() < 1001
