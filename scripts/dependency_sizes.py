"""Print the size of each installed package, largest first, for docs/dependencies.md."""

from importlib.metadata import distributions


def main() -> None:
    """Print one line for each installed package."""
    sizes = []
    for package in distributions():
        files = package.files or []
        paths = [package.locate_file(file) for file in files]
        size = sum(path.stat().st_size for path in paths if path.exists())  # type: ignore[attr-defined]
        sizes.append((size, package.metadata["Name"], package.version))
    for size, name, version in sorted(sizes, reverse=True):
        print(f"{size / 1e6:8.1f} MB  {name} {version}")


if __name__ == "__main__":
    main()
