// node run.mjs PYODIDE SRC PROGRAM: run a Python program in Pyodide, with SRC as /src; its last value goes to the output.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [package_, src, program] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${package_}/pyodide.mjs`));
const pyodide = await loadPyodide();
pyodide.mountNodeFS("/src", src);
console.log(pyodide.runPython(readFileSync(program, "utf-8")));
