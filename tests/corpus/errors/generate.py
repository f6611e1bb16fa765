#!/usr/bin/env python3
"""Makes the corpus: runs the programs beside it with each of their faults, several times, as life varies them.

Each run has other ids and values, stands in another directory, has other lines above and between its functions, and
every second one goes another way through the library. What the programs write is kept as they write it; only the
directories of the machine have other names. Needs python3, node, rustc, gcc with sanitizers, java 17 and perl.

    generate.py        writes traces.jsonl
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")
VARIANTS = 6

# Language: fault -> category.
FAULTS = {
    "python": {
        "missing_key": "missing-key", "zero_division": "arithmetic", "none_attribute": "null-reference",
        "wrong_type": "type", "bad_number": "invalid-value", "bad_index": "out-of-bounds", "missing_file": "file-system",
        "bad_json": "syntax", "refused": "network", "recursion": "resource-exhaustion", "chained": "configuration",
        "assertion": "assertion", "missing_module": "dependency", "bad_encoding": "encoding", "timeout": "timeout",
        "no_table": "database", "unique": "database", "negative": "invalid-value", "no_article": "invalid-value",
        "forbidden": "permission", "in_async": "missing-key", "logged": "unknown", "log_lines": "network",
        "log_retries": "unknown", "log_http": "http-5xx",
    },
    "node": {
        "undefined_property": "null-reference", "reference": "type", "bad_json": "syntax", "missing_file": "file-system",
        "refused_cause": "network", "refused": "network", "overflow": "resource-exhaustion", "assertion": "assertion",
        "range": "invalid-value", "custom": "unknown", "rejection": "unknown", "missing_module": "dependency",
        "listening": "network", "logged": "null-reference",
    },
    "rust": {
        "none": "panic", "bounds": "panic", "missing_file": "file-system", "division": "panic", "parse": "panic",
        "explicit": "panic", "threaded": "panic",
    },
    "c": {
        "assertion": "assertion", "double_free": "memory-safety", "asan_use_after_free": "memory-safety",
        "asan_overflow": "memory-safety", "ubsan_overflow": "memory-safety", "smash": "memory-safety",
    },
    "java": {
        "null_pointer": "null-reference", "bounds": "out-of-bounds", "cast": "type", "number": "invalid-value",
        "division": "arithmetic", "modification": "concurrency", "overflow": "resource-exhaustion", "refused": "network",
        "missing_file": "file-system", "custom": "unknown",
    },
    "perl": {
        "plain": "unknown", "confessed": "unknown", "undefined": "null-reference", "division": "arithmetic",
        "missing_file": "file-system",
    },
}
SOURCE = {"python": "shop.py", "node": "shop.js", "rust": "shop.rs", "c": "shop.c", "java": "Shop.java", "perl": "shop.pl"}


def shifted(text, variant):
    """The source as somebody left it who edited other parts of it."""
    mark = re.compile(r"^( *)(#|//) @SHIFT@$", re.M)
    lines = iter(range(variant, 1000, 2))
    return mark.sub(lambda m: "\n".join([f"{m[1]}{m[2]} edited"] * (1 + (next(lines) * 7 + variant) % 9)), text)


def run(command, cwd, env=None):
    done = subprocess.run(command, cwd=cwd, env={**os.environ, "NO_COLOR": "1", **(env or {})}, capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def build(language, source, folder, fault):
    program = os.path.join(folder, "shop")
    if language == "rust":
        if not os.path.exists(program):
            subprocess.run(["rustc", "--edition", "2024", "-g", "-o", program, source], check=True, cwd=folder, capture_output=True)
        return [program]
    if language == "c":
        kind = fault.split("_")[0]
        flags = {"asan": ["-fsanitize=address"], "ubsan": ["-fsanitize=undefined"], "smash": ["-fstack-protector-all"]}
        program += "-" + (kind if kind in flags else "plain")
        if not os.path.exists(program):
            command = ["gcc", "-g", "-w", *flags.get(kind, []), "-o", program, source]
            subprocess.run(command, check=True, cwd=folder)
        return [program]
    if language == "java":
        if not os.path.exists(os.path.join(folder, "Shop.class")) and shutil.which("javac"):
            subprocess.run(["javac", "Shop.java"], check=True, cwd=folder)
        return ["java", "-Xss512k", "-cp", ".", "Shop"] if shutil.which("javac") else ["java", "-Xss512k", "Shop.java"]
    return [{"python": sys.executable, "node": "node", "perl": "perl"}[language], source]


def renamed(text, folder, variant):
    text = text.replace(os.path.realpath(folder), f"/srv/shop-{variant}").replace(folder, f"/srv/shop-{variant}")
    text = re.sub(r"/[\w./-]*/lib/python3", "/usr/lib/python3", text)
    return text.strip("\n")


def main():
    entries = []
    with tempfile.TemporaryDirectory() as root:
        for language, faults in FAULTS.items():
            for variant in range(VARIANTS):
                folder = os.path.join(root, f"{language}-{variant}")
                os.mkdir(folder)
                source = os.path.join(folder, SOURCE[language])
                with open(os.path.join(PROGRAMS, SOURCE[language])) as original, open(source, "w") as copy:
                    copy.write(shifted(original.read(), variant))
                for fault, category in faults.items():
                    seed = 3 + variant * 17 + len(fault)
                    env = {"RUST_BACKTRACE": "1"} if variant % 3 else {"RUST_BACKTRACE": "1", "LANG": "C"}
                    text = run([*build(language, source, folder, fault), fault, str(seed)], folder, env)
                    text = renamed(text, folder, variant)
                    if not text:
                        sys.exit(f"{language} {fault} {variant} wrote nothing")
                    entries.append({"fault": f"{language}/{fault}", "category": category, "text": text})
    with open(os.path.join(HERE, "traces.jsonl"), "w") as file:
        for entry in entries:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    print(f"{len(entries)} occurrences of {len({e['fault'] for e in entries})} faults")


main()
