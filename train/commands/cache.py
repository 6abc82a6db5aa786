"""`cache`: lists and deletes what `fit` keeps between runs."""

import argparse

from train.commands.options import Commands, add_cache, add_command


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "cache",
        "list and delete decoded pictures and teachers' projections",
        "'fit' keeps them, so that the next run starts at once. Two runs may share a cache. Files "
        "that a run is using are never deleted; deleted files are made again when needed.",
    )
    add_cache(parser)
    parser.add_argument(
        "--unused",
        type=float,
        metavar="DAYS",
        help="delete what no run has started to use for this many days; 0 deletes "
        "all files that no run is using",
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.data.cache import entries, prune
    from train.errors import DataError

    if arguments.unused is not None:
        if not arguments.unused >= 0:
            raise DataError("--unused must be a number of days, 0 or more.")
        deleted, busy = prune(arguments.cache, unused=arguments.unused)
        freed = sum(entry.size for entry in deleted)
        print(f"deleted {len(deleted)} files, {freed / 1e9:.2f} GB")
        for entry in busy:
            print(f"kept, since a run uses it: {entry.path.name}")
    kept = entries(arguments.cache)
    print("\n".join(map(str, kept)))
    print(f"{len(kept)} files, {sum(e.size for e in kept) / 1e9:.2f} GB in {arguments.cache}")
