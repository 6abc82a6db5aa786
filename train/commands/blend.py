"""`blend`: averages a fine-tuned encoder with its ImageNet weights."""

import argparse
from pathlib import Path

from train.commands.options import Commands, add_cache, add_command, add_data, add_device


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "blend",
        "average a fine-tuned encoder of photos with its ImageNet weights",
        "The result knows more of rare kinds of photos, and less of sketches. Use it to embed a "
        "gallery ('export --photo-encoder') or as a teacher of photos ('fit --photo-teacher').",
    )
    add_data(parser)
    parser.add_argument("--run", type=Path, required=True, help="the fine-tuned encoder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new run")
    parser.add_argument(
        "--share",
        type=float,
        default=0.5,
        help="weight of the fine-tuned encoder in the average, 0 to 1",
    )
    add_device(parser)
    parser.add_argument("--input-size", type=int, help="side in pixels of the photos it will see")
    add_cache(parser)
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.blend import blend

    before, after = blend(
        arguments.run,
        arguments.out,
        arguments.sketchy,
        arguments.photos,
        share=arguments.share,
        input_size=arguments.input_size,
        cache=arguments.cache,
        device=arguments.device,
    )
    print(f"held-out photos classified correctly: {before:.3f} before, {after:.3f} now")
