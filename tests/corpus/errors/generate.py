#!/usr/bin/env python3
"""Makes a corpus: runs the programs of a folder with each of their faults, several times, as life varies them.

Each run has other ids and values, stands in another directory, has other lines above and between its functions, and
every second one goes another way through the library. What the programs write is kept as they write it; only the
directories of the machine have other names. A language whose tools are missing is left as it was.

    generate.py            writes traces.jsonl, from programs/ and faults.json beside it
    generate.py held-out   the same in that folder
    generate.py held-out ruby php   only these languages anew

Needs python3, node, rustc and cargo, gcc and g++ with sanitizers, a JDK, perl, and for what is held out ruby, php, go,
mono, kotlinc and the command line tools that a shell script calls. What a folder needs of npm is in its package.json and
is installed; for what it needs of PyPI, in its requirements.txt, run this with a Python that has it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
VARIANTS = 6
SANITIZERS = {
    "asan": ["-fsanitize=address"], "ubsan": ["-fsanitize=undefined"], "tsan": ["-fsanitize=thread"],
    "smash": ["-fstack-protector-all"], "checked": ["-D_GLIBCXX_ASSERTIONS"], "fortified": ["-O2", "-D_FORTIFY_SOURCE=2"],
}


def shifted(text, variant):
    """The source as somebody left it who edited other parts of it."""
    mark = re.compile(r"^( *|\t*)(#|//) @SHIFT@$", re.M)
    lines = iter(range(variant, 1000, 2))
    return mark.sub(lambda m: "\n".join([f"{m[1]}{m[2]} edited"] * (1 + (next(lines) * 7 + variant) % 9)), text)


def run(command, cwd, env=None):
    done = subprocess.run(command, cwd=cwd, env={**os.environ, "NO_COLOR": "1", **(env or {})}, capture_output=True, timeout=120)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def once(program, command, cwd, **env):
    if not os.path.exists(program):
        subprocess.run(command, check=True, cwd=cwd, capture_output=True, env={**os.environ, **env})
    return [program]


def native(compiler, source, folder, fault):
    kind = fault.split("_")[0]
    program = os.path.join(folder, "app-" + (kind if kind in SANITIZERS else "plain"))
    return once(program, [compiler, "-g", "-w", *SANITIZERS.get(kind, []), "-o", program, source, "-lpthread"], folder)


def cargo(source, folder, _):
    crate = os.path.dirname(os.path.dirname(source))
    target = os.path.join(folder, "target")
    shared = os.path.join(os.path.dirname(folder), "cargo-target")
    program = os.path.join(target, "app")
    if not os.path.exists(program):
        subprocess.run(["cargo", "build", "-q"], check=True, cwd=crate, env={**os.environ, "CARGO_TARGET_DIR": shared})
        os.makedirs(target)
        shutil.copy(os.path.join(shared, "debug", os.path.basename(crate)), program)
    return [program]


def java(source, folder, fault):
    name = os.path.basename(source)[:-5]
    options = ["-Xss512k", *(["-Xmx16m"] if fault == "heap" else []), "-cp", folder, name]
    if shutil.which("javac"):
        once(os.path.join(folder, f"{name}.class"), ["javac", "-g", source], folder)
        return ["java", *options]
    return ["java", *options[:-3], source]


def typescript(source, folder, _):
    tsc = os.path.join(os.path.dirname(folder), "node_modules", ".bin", "tsc")
    options = ["--target", "es2022", "--module", "commonjs", "--sourceMap", "--types", "node", "--skipLibCheck"]
    program = once(source[:-3] + ".js", [tsc, *options, source], folder)
    return ["node", "--enable-source-maps", *program]


def kotlin(source, folder, _):
    name = os.path.basename(source)[:-3]
    out = os.path.join(folder, "out")
    once(out, ["kotlinc", source, "-d", out], folder)
    with open(source) as text:
        package = re.search(r"^package (\S+)", text.read(), re.M)
    runtime = os.path.join(os.path.dirname(os.path.realpath(shutil.which("kotlinc"))), "../lib/kotlin-stdlib.jar")
    return ["java", "-cp", f"{out}:{os.path.realpath(runtime)}", f"{package[1]}.{name}Kt"]


# Language: the ending of its sources, and how one becomes a command.
LANGUAGES = {
    "python": (".py", lambda source, *_: [sys.executable, source]),
    "node": (".js", lambda source, _, fault: ["node", *(["--max-old-space-size=20"] if fault == "heap" else []), source]),
    "rust": (".rs", lambda source, folder, _: once(
        os.path.join(folder, "app"), ["rustc", "--edition", "2024", "-g", "-o", os.path.join(folder, "app"), source], folder)),
    "cargo": ("/src/main.rs", cargo),
    "c": (".c", lambda source, folder, fault: native("gcc", source, folder, fault)),
    "cpp": (".cpp", lambda source, folder, fault: native("g++", source, folder, fault)),
    "java": (".java", java),
    "perl": (".pl", lambda source, *_: ["perl", source]),
    "ruby": (".rb", lambda source, *_: ["ruby", source]),
    "php": (".php", lambda source, *_: ["php", source]),
    "go": (".go", lambda source, folder, _: once(
        os.path.join(folder, "app"), ["go", "build", "-o", os.path.join(folder, "app"), source], folder, GO111MODULE="off", CGO_ENABLED="0")),
    "typescript": (".ts", typescript),
    "kotlin": (".kt", kotlin),
    "shell": (".sh", lambda source, *_: ["bash", source]),
    "csharp": (".cs", lambda source, folder, _: ["mono", "--debug", *once(
        os.path.join(folder, "app.exe"), ["mcs", "-debug", f"-out:{os.path.join(folder, 'app.exe')}", source], folder)]),
}
TOOLS = {
    "csharp": "mcs", "rust": "rustc", "c": "gcc", "cpp": "g++", "python": "python3", "typescript": "npm", "kotlin": "kotlinc",
    "shell": "bash",
}


def renamed(text, folder, variant):
    for real in {os.path.realpath(folder), folder}:
        text = text.replace(real, f"/srv/app-{variant}").replace(os.path.dirname(real) + "/", "/srv/")
    text = re.sub(r"/[\w./-]*/lib/python3", "/usr/lib/python3", text)
    text = re.sub(r"/[\w./-]*/bin/python3", "/usr/bin/python3", text)
    text = re.sub(r"/[\w./-]*cargo/registry/src/[\w.-]+/", "/usr/local/cargo/registry/src/crates/", text)
    return text.strip("\n")


def traces(programs, language, faults, root):
    """What the program of a language writes, fault by fault, in each of its variants."""
    ending, command_of = LANGUAGES[language]
    found = [os.path.join(at, name) for at, _, names in os.walk(programs) for name in names]
    source = next(path for path in found if path.endswith(ending) and (language != "rust" or "/src/" not in path))
    for variant in range(VARIANTS):
        folder = os.path.join(root, f"{language}-{variant}")
        shutil.copytree(os.path.dirname(source) if language != "cargo" else programs, folder)
        here = os.path.join(folder, os.path.relpath(source, os.path.dirname(source) if language != "cargo" else programs))
        with open(source) as original, open(here, "w") as copy:
            copy.write(shifted(original.read(), variant))
        for fault, category in faults.items():
            seed = 3 + variant * 17 + len(fault)
            env = {"RUST_BACKTRACE": ["1", "full"][variant % 2] if language == "cargo" else "1", "LANG": "C.UTF-8"}
            text = renamed(run([*command_of(here, folder, fault), fault, str(seed)], folder, env), folder, variant)
            if not text:
                sys.exit(f"{language} {fault} {variant} wrote nothing")
            yield {"fault": f"{language}/{fault}", "category": category, "text": text}


def main():
    folder = os.path.join(HERE, *sys.argv[1:2])
    with open(os.path.join(folder, "faults.json")) as file:
        faults = json.load(file)
    path = os.path.join(folder, "traces.jsonl")
    entries = []
    if os.path.exists(path):
        with open(path) as file:
            entries = [json.loads(line) for line in file]
    with tempfile.TemporaryDirectory() as root:
        packages = os.path.join(folder, "programs", "package.json")
        if os.path.exists(packages):
            shutil.copy(packages, root)
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], check=True, cwd=root)
        for language, of_language in faults.items():
            wanted = not sys.argv[2:] or language in sys.argv[2:]
            if not wanted or not shutil.which(TOOLS.get(language, language)):
                continue
            made = list(traces(os.path.join(folder, "programs"), language, of_language, root))
            entries = [entry for entry in entries if not entry["fault"].startswith(language + "/")] + made
            with open(path, "w") as file:
                file.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
            print(f"{language}: {len(made)}", flush=True)
    print(f"{len(entries)} occurrences of {len({e['fault'] for e in entries})} faults")


main()
