# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares the pages of keys and parameters with eval: reference.py EVAL DOCS PLAN CONFIG [PART…]

DOCS is the folder of the pages, PLAN what `run campaign --dry-run --json` prints of a file that leaves out what can be left
out, CONFIG the effective configuration of the same file, as the database has it. Prints a line for each difference: which
keys a mapping takes, which of them it needs, ranges, choices and defaults. PART is a mapping, or one of commands,
placeholders and types; without any, all are compared.
"""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile

WRONG = "12345678901234567890123"  # outside of each range, and none of any choices
LONG = "x" * 250  # longer than each name may be
PRINTED_AT_ONCE = 30  # eval prints at most 100 problems of a file

EVAL, DOCS, PLAN, CONFIG, *PARTS = sys.argv[1:]
SUBJECT = "name: s, reset: none, nodes: [{name: n, address: 10.0.0.1, data_dir: /d}, {name: m, address: 10.0.0.2}]"
TYPES = "chaos_types: [{type: latency, params: {min_ms: 1, max_ms: 1}}]"


def in_subject(text):
    return f"{{subjects: [{{{SUBJECT}, {text}}}], {TYPES}}}"


def in_defaults(text):
    return f"{{defaults: {{{text}}}, subjects: [{{{SUBJECT}}}], {TYPES}}}"


# A mapping of the campaign file: the file with %s in its place, what messages call it, and its tables: page, heading and the
# word of the column "where", if the table has one.
PAGE = "campaign-file.md"
MAPPINGS = {
    "top": ("{%s}", "the campaign", [(PAGE, "At the top", None)]),
    "defaults": (in_defaults("%s"), "defaults", [(PAGE, "Settings", "defaults")]),
    "subject": (
        "{subjects: [{%s}], " + TYPES + "}",
        "a subject",
        [(PAGE, "A subject", None), (PAGE, "Settings", "subject")],
    ),
    "chaos type": (
        f"{{subjects: [{{{SUBJECT}}}], chaos_types: [{{%s}}]}}",
        "a chaos type",
        [(PAGE, "A chaos type", None), (PAGE, "Settings", "chaos type")],
    ),
    "expect": (in_defaults("expect: {%s}"), "expect", [(PAGE, "What is expected", "expect")]),
    "expect.probes": (
        in_defaults("expect: {probes: {p: {%s}}}"),
        "what is expected of a probe",
        [(PAGE, "What is expected", "a probe")],
    ),
    "check": (in_defaults("expect: {checks: [{%s}]}"), "a check", [(PAGE, "Checks", None)]),
    "expect.metrics": (
        in_defaults("expect: {metrics: [{%s}]}"),
        "what is expected of a metric",
        [(PAGE, "What is expected of metrics", None)],
    ),
    "node": (
        f"{{subjects: [{{name: s, reset: none, nodes: [{{%s}}]}}], {TYPES}}}",
        "a node",
        [(PAGE, "Nodes and peers", "node")],
    ),
    "peer": (in_subject("peers: [{%s}]"), "a peer", [(PAGE, "Nodes and peers", "peer")]),
    "probe": (in_subject("probes: [{%s}]"), "a probe", [(PAGE, "Probes", None)]),
    "http": (in_subject("probes: [{name: p, http: {%s}}]"), "http", [(PAGE, "Probes by HTTP", None)]),
    "metric": (in_subject("metrics: [{%s}]"), "a source of metrics", [(PAGE, "Metrics", None)]),
    "metric of the workload": (
        in_subject("workload: x, metrics: [{workload: (.), %s}]"),
        "a metric of the workload's output",
        [(PAGE, "Metrics of the workload", None)],
    ),
    "command": (f"{{notify: {{%s}}, subjects: [{{{SUBJECT}}}], {TYPES}}}", "notify", [(PAGE, "Commands", None)]),
}
for page in sorted(os.listdir(os.path.join(DOCS, "chaos"))):
    kind = page.removesuffix(".md")
    MAPPINGS[kind] = (
        f"{{subjects: [{{{SUBJECT}}}], chaos_types: [{{type: {kind}, target: n, params: {{%s}}}}]}}",
        kind,
        [(f"chaos/{page}", None, None)],
    )


def cells(line):
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def rows_of(page, heading):
    """The rows of the section's tables of keys, as {column: cell}; without a heading those above the first one."""
    section, header = None, []
    for line in open(os.path.join(DOCS, page), encoding="utf-8"):
        if line.startswith("##"):
            section, header = line.strip("# \n"), []
        elif section == heading and line.startswith("| key") or line.startswith("| parameter"):
            header = cells(line)
        elif section == heading and header and line.startswith("| `"):
            yield dict(zip(header, cells(line)))
        elif not line.startswith("|"):
            header = []


def documented(mapping):
    """{key: {column: cell}}"""
    found = {}
    for page, heading, where in MAPPINGS[mapping][2]:
        for row in rows_of(page, heading):
            names = row.get("key") or row.get("parameter") or ""
            if where and where not in [word.strip() for word in row["where"].split(",")] and row["where"] != "each":
                continue
            for key in re.findall(r"`([a-z_0-9]+)`", names):
                found[key] = row
    return found


def problems(mapping, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(MAPPINGS[mapping][0] % text)
        file.flush()
        return subprocess.run([EVAL, "validate", file.name], capture_output=True, text=True, check=False).stderr


def all_keys():
    """Each name that the sources or the pages have as a key, wherever it belongs."""
    keys = {key for mapping in MAPPINGS for key in documented(mapping)}
    for folder in ("config", "chaos"):
        path = os.path.join(os.path.dirname(DOCS), "user", folder)
        for name in sorted(os.listdir(path)):
            if name.endswith(".c"):
                source = open(os.path.join(path, name), encoding="utf-8").read()
                keys |= set(re.findall(r'\.name = "([a-z_0-9]+)"|LIMIT\(EXPECT\w+, "([a-z_0-9]+)"', source))
    return sorted({key for found in keys for key in ([found] if isinstance(found, str) else found) if key})


def number(text):
    text = text.replace(",", "")
    power = re.fullmatch(r"(-?)10\^(\d+)", text)
    return float(f"{power[1]}1e{power[2]}") if power else float(text)


NUMBER = r"-?(?:10\^\d+|[\d,.]*\d)"


def numbers(pattern, text):
    """The numbers that the pattern finds; None if it does not."""
    found = re.search(pattern, text)
    return found and [number(group) for group in found.groups() if group]


def is_and_says(mapping, key, row, text):
    """Compares one key with what eval says of wrong values: its range, its length, its choices, true or false."""
    values = row.get("values", "")
    size = rf"(?:list|mapping) of (?:at most )?({NUMBER})(?: to ({NUMBER}))?"
    kinds = {
        "range": (
            rf"'{key}' must be between (\S+) and (\S+?)(?: in plain digits)?, found",
            rf"(?<!list of )(?<!mapping of )(?<![\w^,.-])({NUMBER}) to ({NUMBER})",
        ),
        "size": (rf"'{key}' must be a {size}", size),
        "length": (rf"'{key}' is longer than (\d+) characters", rf"(?<!list of )at most ({NUMBER})"),
    }
    for name, (eval_has, page_has) in kinds.items():
        # The length of names is said where they are given.
        if name == "length" and "name" in values and "at most" not in values:
            continue
        if numbers(eval_has, text) != numbers(page_has, values):
            print(f"{mapping}: {key}: the page has the {name} {numbers(page_has, values)}, eval {numbers(eval_has, text)}")
    choices = re.search(rf"'{key}' must be ([\w, -]+ or \w+), found", text)
    is_choice = sorted(re.split(", | or ", choices[1])) if choices and "number" not in choices[1] else None
    if is_choice is None:
        return
    says_choice = sorted(re.findall(r"`(\w+)`", values) or re.findall(r"\w+", values))
    if is_choice != says_choice:
        print(f"{mapping}: {key}: the page has {says_choice}, eval takes {is_choice}")


def compare_keys(mapping, keys):
    page = documented(mapping)
    taken = {}
    if mapping == "metric":  # with this key the mapping is another one
        keys = [key for key in keys if key != "workload"]
    for at in range(0, len(keys), PRINTED_AT_ONCE):
        some = keys[at : at + PRINTED_AT_ONCE]
        text = problems(mapping, ", ".join(f"{key}: {WRONG}" for key in some))
        text += problems(mapping, ", ".join(f"{key}: {LONG}" for key in some))
        for key in some:
            if not re.search(rf"unknown key '{key}'|error: '{key}' (does not belong in|is not yet supported)", text):
                taken[key] = text
    for key in sorted(taken.keys() - page.keys()):
        print(f"{mapping}: {key}: not on the page")
    for key in sorted(page.keys() - taken.keys()):
        print(f"{mapping}: {key}: eval does not take it")
    for key in sorted(page.keys() & taken.keys()):
        is_and_says(mapping, key, page[key], taken[key])
    text = problems(mapping, "")
    needed = set(re.findall(rf"{MAPPINGS[mapping][1]} needs the (?:key|parameter) '(\w+)': ", text))
    said = {key for key, row in page.items() if row.get("default", "").startswith("required")}
    if needed != said:
        print(f"{mapping}: the page requires {sorted(said)}, eval {sorted(needed)}")


def scalar(cell):
    """The default that a cell begins with; None if it is words."""
    word = cell.split(" ")[0].rstrip(",;:").strip("`")
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(NUMBER, word):
        return number(word)
    return word if cell.startswith("`") and re.fullmatch(r"`\w+`[,;:]?", cell.split(" ")[0]) else None


def compare_defaults(mapping, truth):
    page = documented(mapping)
    for key, row in page.items():
        if "default" in row and not row["default"].startswith("required"):
            is_default = truth.get(key)
            if is_default in ([], {}, ""):
                is_default = None
            if scalar(row["default"]) != is_default:
                print(f"{mapping}: {key}: the page has the default {row['default']}, eval {is_default}")
    for key in truth:
        if truth[key] not in (None, [], {}, "") and key not in page:
            print(f"{mapping}: {key}: its default {truth[key]} is not on the page")


def compare_limits():
    """Compares the table of commands, {name, key: seconds}, with the constants of the sources."""
    names = {"roles": "ROLES_TIMEOUT_SECONDS", "ready": "READY_SECONDS", "check": "CHECK_SECONDS", "abort_if": "ABORT_TIMEOUT_SECONDS"}
    names |= {"reset": "RESET_TIMEOUT_SECONDS", "cleanup": "CLEANUP_TIMEOUT_SECONDS", "notify": "NOTIFY_TIMEOUT_NS"}
    sources = subprocess.run(
        ["grep", "-rhE", "define [A-Z_]+ ", os.path.join(os.path.dirname(DOCS), "user")], capture_output=True, text=True, check=False
    ).stdout
    header = []
    said = {}
    for line in open(os.path.join(DOCS, PAGE), encoding="utf-8"):
        if line.startswith("| command"):
            header = cells(line)
        elif header and line.startswith("| `"):
            row = dict(zip(header, cells(line)))
            said[re.findall(r"`(\w+)`", row["command"])[0]] = row["time limit"].split(" ")[0].replace(",", "")
        elif not line.startswith("|"):
            header = []
    for name, constant in names.items():
        found = re.search(rf"define {constant} \(?(\d+)", sources)
        if not found or said.get(name) != found[1]:
            print(f"commands: {name}: the page has {said.get(name)} s, eval {found and found[1]} s")


def compare_placeholders(keys):
    """Compares the keys that the page lists with those that eval looks for placeholders in."""
    is_here = set()
    for mapping in MAPPINGS:
        for at in range(0, len(keys), PRINTED_AT_ONCE):
            text = problems(mapping, ", ".join(f"{key}: '{{bogus}}'" for key in keys[at : at + PRINTED_AT_ONCE]))
            is_here |= set(re.findall(r"unknown placeholder '{bogus}' in '(\w+)'", text))
    text = open(os.path.join(DOCS, PAGE), encoding="utf-8").read()
    sentence = re.search(r"are replaced in\s(.*?)\sonly\.", text, re.DOTALL)
    says = set(re.findall(r"`(\w+)`", sentence[1] if sentence else ""))
    if says != is_here:
        print(f"placeholders: the page has {sorted(says)}, eval {sorted(is_here)}")


def compare_types():
    """Compares the names of the types: the pages, the row, and what eval knows."""
    known = re.search(r"no chaos type '\w+'; known are ([\w, ]+)", problems("chaos type", f"type: {LONG}"))
    is_here = sorted(known[1].split(", ")) if known else []
    pages = sorted(page.removesuffix(".md") for page in os.listdir(os.path.join(DOCS, "chaos")))
    row = sorted(re.findall(r"`(\w+)`", documented("chaos type").get("type", {}).get("values", "")))
    if not is_here == pages == row:
        print(f"types: the pages are {pages}, the page has {row}, eval {is_here}")


def without(mapping, *keys):
    return {key: value for key, value in mapping.items() if key not in keys}


def defaults_of(plan, config):
    """What eval takes where the file gives nothing, {mapping: {key: value}}."""
    subject = config["subjects"][0]
    trials = {trial["type"]: trial for trial in subject["trials"]}
    settings = trials["latency"]["settings"]
    own_settings = {key: settings[key] for key in documented("defaults") if key in settings}
    own_settings |= dict.fromkeys(("target", "default_target"), trials["latency"]["target"])
    commands = ("cleanup", "ready", "roles", "workload")
    probe, http = subject["probes"]
    truth = {mapping: {} for mapping in MAPPINGS}
    truth |= {kind: without(trial["params"], "min_ms", "max_ms", "fill_percent", "write_bps") for kind, trial in trials.items()}
    truth["top"] = {
        "trials_per_combination": config["trials_per_combination"],
        "parallel": plan["parallel"],
        "cooldown_seconds": plan["cooldown_seconds"],
        "include_baseline": any(trial["baseline"] for trial in plan["trials"]),
        "seed": config["seed"],
        "protect": [port for port in config["protect"] if port != "tcp/22"],
        "allow": config["allow"],
        "name": plan["label"],
    }
    truth["defaults"] = own_settings
    truth["chaos type"] = without(own_settings, "default_target")
    truth["subject"] = own_settings | {key: subject[key] for key in ("instances", "peers", *commands)}
    truth["expect"] = {key: settings.get(key) for key in documented("expect") if key != "checks"}
    truth["check"] = {"timeout_seconds": settings["checks"][0]["command"]["timeout_seconds"]}
    truth["probe"] = without(probe, "name", "exec")
    truth["http"] = without(http["http"], "url")
    truth["metric"] = without(subject["metrics"][0], "name", "http", "series")
    return truth


def main():
    plan, config = json.load(open(PLAN, encoding="utf-8")), json.load(open(CONFIG, encoding="utf-8"))
    keys = all_keys()
    truth = defaults_of(plan, config)

    def compare_mapping(mapping):
        compare_keys(mapping, keys)
        compare_defaults(mapping, truth[mapping])

    parts = {mapping: functools.partial(compare_mapping, mapping) for mapping in MAPPINGS}
    parts |= {"commands": compare_limits, "placeholders": lambda: compare_placeholders(keys), "types": compare_types}
    for part in PARTS or parts:
        parts[part]()


main()
