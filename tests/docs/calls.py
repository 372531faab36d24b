"""Checks the calls in Lua files against the annotations: unknown fields, missing required fields, and fields of results.

check(root, folders, entries) gives a list of problems and the number of names that it looked at. It reads tokens, not
scopes: a variable has the type of its last declaration above.
"""
import os
import re

TOKEN = re.compile(r"""
    (?P<skip>\s+|--\[(?P<c>=*)\[.*?\](?P=c)\]|--[^\n]*)
  | (?P<string>\[(?P<s>=*)\[.*?\](?P=s)\]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>0[xX][\da-fA-F.]+|\d[\w.]*)
  | (?P<op>\.\.\.|\.\.|[=~<>]=|//|<<|>>|::|.)""", re.S | re.X)
OPEN, CLOSE = {"(": ")", "{": "}", "[": "]"}, {")", "}", "]"}
BLOCKS = {"function", "do", "then", "repeat"}


class Token(str):
    line = 0
    kind = ""


def tokens_of(text):
    found, line = [], 1
    text = re.sub(r"^#[^\n]*", "", text)
    for match in TOKEN.finditer(text):
        if match.lastgroup not in ("skip", "c") and not match["skip"]:
            token = Token(match[0])
            token.kind = "string" if match["string"] else "name" if match["name"] else "number" if match["number"] else "op"
            token.line = line
            found.append(token)
        line += match[0].count("\n")
    return found


def closing(tokens, at):
    """Returns the index of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i].kind == "op":
            depth += (tokens[i] in OPEN) - (tokens[i] in CLOSE)
            if depth == 0:
                return i
    return len(tokens) - 1


def split(tokens, start, end):
    """Splits tokens[start:end] at top-level commas, and returns the parts as (from, to)."""
    parts, begun, depth, blocks, i = [], start, 0, 0, start
    while i < end:
        token = tokens[i]
        if token.kind == "op":
            depth += (token in OPEN) - (token in CLOSE)
            if depth == 0 and blocks == 0 and token in (",", ";"):
                parts.append((begun, i))
                begun = i + 1
        elif token.kind == "name":
            # Count what an `end` closes. `while` and `for` open by their `do`. `elseif` and `then` open nothing.
            blocks += (token in ("function", "do", "repeat", "if")) - (token in ("end", "until"))
        i += 1
    if begun < end:
        parts.append((begun, end))
    return parts


class Checker:
    def __init__(self, entries):
        self.entries, self.problems, self.count = entries, [], 0
        self.modules = {name.rsplit(".", 1)[0] for name, entry in entries.items()
                        if entry["kind"] != "type" and "." in name}

    def fields(self, name):
        entry = self.entries.get(name)
        if not entry:
            return {}
        found = self.fields(entry["parent"]) if entry.get("parent") else {}
        return {**found, **{field["name"]: field["type"] for field in entry["fields"]}}

    def record_in(self, type_text):
        """Returns the first type with fields in a type expression, ignoring function types, or None."""
        plain = re.sub(r"fun\([^)]*\)(?:\s*:\s*[\w.]+)?|table<[^>]*>", "", type_text)
        for name in re.findall(r"moonlet\.[\w.]+", plain):
            if self.fields(name) and not plain[plain.index(name) + len(name):].startswith("[]"):
                return name
        return None

    def problem(self, path, token, text):
        self.problems.append(f"{path}:{token.line}: {text}")

    def check_table(self, path, tokens, at, record):
        fields, given = self.fields(record), set()
        for start, end in split(tokens, at + 1, closing(tokens, at)):
            if end - start >= 2 and tokens[start].kind == "name" and tokens[start + 1] == "=":
                key = str(tokens[start])
                given.add(key)
                self.count += 1
                if key not in fields:
                    self.problem(path, tokens[start], f"{record} has no field '{key}'")
                elif tokens[start + 2] == "{" and self.record_in(fields[key]):
                    self.check_table(path, tokens, start + 2, self.record_in(fields[key]))
        for name, kind in fields.items():
            optional = kind.endswith("?") or kind == "any" or re.search(r"\|\s*nil\b", kind)
            if not optional and name not in given:
                self.problem(path, tokens[at], f"{record} needs '{name}'")

    def check_call(self, path, tokens, at, entry):
        """Checks a call of `entry` whose arguments open at tokens[at]. Returns the index after the call."""
        params = entry["params"]
        if tokens[at].kind == "string":
            return at + 1
        if tokens[at] == "{":
            arguments, end = [(at, closing(tokens, at) + 1)], closing(tokens, at)
        else:
            end = closing(tokens, at)
            arguments = split(tokens, at + 1, end)
        for i, (start, _) in enumerate(arguments):
            param = params[min(i, len(params) - 1)] if params else None
            record = param and tokens[start] == "{" and self.record_in(param["type"])
            if record:
                self.check_table(path, tokens, start, record)
        return end + 1

    def entry_at(self, tokens, i, aliases):
        """Returns the reference entry whose name begins at tokens[i], and the index after that name."""
        if i > 0 and tokens[i - 1] in (".", ":"):
            return None, i
        base = aliases.get(str(tokens[i]))
        if not base or i + 2 >= len(tokens):
            return None, i
        path, at = base, i + 1
        while at + 1 < len(tokens) and tokens[at] in (".", ":") and tokens[at + 1].kind == "name":
            name = f"{path}{tokens[at]}{tokens[at + 1]}"
            if name in self.entries:
                return self.entries[name], at + 2
            method = f"{path}:{tokens[at + 1]}"
            if method in self.entries and at + 2 < len(tokens) and tokens[at + 2] in (",", ")"):
                return self.entries[method], at + 2
            if name in self.modules:
                path, at = name, at + 2
                continue
            return name, at + 2
        return None, i

    def check_file(self, path, text):
        tokens = tokens_of(text)
        aliases = {"m": "m", "ctx": "ctx", "c": "ctx"}
        for found in re.finditer(r'local (\w+) = require\(?\s*"moonlet\.([\w]+)"', text):
            name = "m." + found[2] if "m." + found[2] in self.modules else "moonlet." + found[2]
            aliases[found[1]] = name
        types, added, i = {}, set(), 0
        while i < len(tokens):
            token = tokens[i]
            if token.kind == "name" and i > 0 and tokens[i - 1] in ("local", "function", "(", ",") and token in types:
                if tokens[i - 1] != "(" or tokens[i - 2] == "function":
                    types.pop(str(token), None)
            if token.kind != "name":
                i += 1
                continue
            record = types.get(str(token)) if tokens[i - 1] not in (".", ":") else None
            if record and i + 2 < len(tokens) and tokens[i + 1] == "." and tokens[i + 2].kind == "name":
                self.count += 1
                field = (str(token), str(tokens[i + 2]))
                if tokens[i + 3] == "=":
                    added.add(field)
                elif field[1] not in self.fields(record) and field not in added:
                    self.problem(path, token, f"{record} has no field '{field[1]}'")
            entry, behind = self.entry_at(tokens, i, aliases)
            if isinstance(entry, str):
                self.problem(path, token, f"there is no {entry}")
            elif entry:
                self.count += 1
                self.check_use(path, tokens, i, behind, entry, types)
            i += 1

    def check_use(self, path, tokens, start, behind, entry, types):
        if behind >= len(tokens) or not (tokens[behind] in ("(", "{") or tokens[behind].kind == "string"):
            return
        if entry["kind"] != "function":
            return
        end = self.check_call(path, tokens, behind, entry)
        gives = entry["returns"] and self.record_in(entry["returns"][0]["type"])
        if not gives:
            return
        if end + 1 < len(tokens) and tokens[end] == "." and tokens[end + 1].kind == "name":
            self.count += 1
            if str(tokens[end + 1]) not in self.fields(gives):
                self.problem(path, tokens[end + 1], f"{gives} has no field '{tokens[end + 1]}'")
        elif tokens[start - 1] == "=" and tokens[start - 3] == "local":
            types[str(tokens[start - 2])] = gives


def check(root, folders, entries):
    checker = Checker(entries)
    for folder in folders:
        for where, _, names in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(names):
                if name.endswith(".lua"):
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8") as file:
                        text = file.read()
                    if "moonlet" in text or "ctx" in text:
                        checker.check_file(os.path.relpath(path, root), text)
    return checker.problems, checker.count
