"""Messages in the terminal."""

from tqdm import tqdm

from train import distributed


def say(line: str) -> None:
    """Prints a line above the progress bar, on rank 0 only."""
    if distributed.rank() == 0:
        tqdm.write(line)
