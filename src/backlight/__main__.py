"""`python -m backlight` runs the command line."""

from backlight.cli import main

if __name__ == "__main__":
    main()
