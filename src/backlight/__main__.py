"""`python -m backlight`, where the command is not on the path."""

from backlight.cli import main

if __name__ == "__main__":
    main()
