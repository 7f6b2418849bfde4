"""Ask a trained model. `python test_model_manually.py --help` lists the ways; without any there is a prompt."""

import sys
from pathlib import Path


def main() -> int:
    try:
        from common.threads import one_blas_thread

        one_blas_thread()
        from console.query import main as run
    except ModuleNotFoundError as error:
        print(f"error: this Python lacks {error.name}: run `make train` once, then", end=" ", file=sys.stderr)
        print("`.venv/bin/python test_model_manually.py`", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return run(shipped=Path(__file__).resolve().parent / "checkpoints" / "digits-medium.safetensors")


if __name__ == "__main__":
    sys.exit(main())
