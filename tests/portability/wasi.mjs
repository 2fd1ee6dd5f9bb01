// Runs a program of WebAssembly: `node wasi.mjs PROGRAM [ARGUMENT ...]`.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const args = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args });
const program = await WebAssembly.compile(await readFile(args[0]));
process.exit(wasi.start(await WebAssembly.instantiate(program, wasi.getImportObject())));
