"""The command line: `python -m actalker_core generate|inspect|signals|bank|convert|info|…`."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm.contrib.logging import logging_redirect_tqdm

from ..errors import ACTalkerError
from ..files.writing import record_written_files
from .parser import build_parser

log = logging.getLogger("actalker_core")

EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of this package become one line and exit code 1."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    options = build_parser().parse_args(arguments)
    with record_written_files() as files:
        try:
            with logging_redirect_tqdm():
                options.run(options)
        except ACTalkerError as error:
            log.error("Error: %s", error)
            return EXIT_ERROR
        except KeyboardInterrupt:
            log.error("Interrupted; %s.", _describe_files(files))
            return EXIT_INTERRUPTED
    return 0


def _describe_files(files: Sequence[Path]) -> str:
    """What there is all the same, as after the demo's media."""
    if not files:
        return "nothing was written"
    return f"only {', '.join(map(str, files[:3]))}{' …' if len(files) > 3 else ''} was written"
