"""Run what every lesson imports, without the packages that only the command line needs, and print what was loaded."""

import ast
import json
import re
import sys

COMMAND_LINE = ("typer", "click", "pooch", "threadpoolctl", "markdown_it", "pygments", "rich", "anywidget", "torch")

if __name__ == "__main__":
    sys.modules.update(dict.fromkeys(COMMAND_LINE))  # type: ignore[arg-type]
    before = set(sys.modules)
    from backlight.lessons import EXERCISES, LESSONS

    for lesson in LESSONS.values():
        for cell in lesson.cells(student=True):
            if cell.kind == "code":
                for node in ast.walk(ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE))):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        exec(ast.unparse(node), {})  # noqa: S102  (the lesson's own line)
    EXERCISES["1.1"].inputs()
    loaded = {name: module for name, module in sys.modules.items() if name not in before and module is not None}
    ours = {name: module.__file__ for name, module in loaded.items() if name.split(".")[0] == "backlight"}
    json.dump({"loaded": sorted({name.split(".")[0] for name in loaded}), "ours": ours}, sys.stdout)
