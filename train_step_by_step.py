"""Train a transformer, one screen at a time. `python train_step_by_step.py --help` lists what can be chosen."""

import sys


def main() -> int:
    try:
        from common.threads import one_blas_thread

        one_blas_thread()
        from console.trainer import main as run
    except ModuleNotFoundError as error:
        print(f"error: this Python lacks {error.name}: run `make train` once, then", end=" ", file=sys.stderr)
        print("`.venv/bin/python train_step_by_step.py`", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
