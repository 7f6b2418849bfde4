"""Talk with a trained model. `python chat.py --help` lists what can be chosen; `make chat` fetches what it needs."""

import sys


def main() -> int:
    try:
        from common.threads import one_blas_thread

        one_blas_thread()
        from console.chat import main as run
    except ModuleNotFoundError as error:
        print(f"error: this Python lacks {error.name}: run `make chat` once, then", end=" ", file=sys.stderr)
        print("`.venv/bin/python chat.py`", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
