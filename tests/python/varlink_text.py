# SPDX-License-Identifier: MIT
"""Reads a Varlink interface text (https://varlink.org/Interface-Definition) and checks values against its types."""

import re

TOKEN = re.compile(r"\s+|#[^\n]*|(?P<token>->|\[\]|\[string\]|[A-Za-z][A-Za-z0-9_.-]*|[(),:?])")


class Interface:
    def __init__(self, text):
        self.text = text
        self.tokens = []
        place = 0
        while place < len(text):
            match = TOKEN.match(text, place)
            assert match, f"not interface text: {text[place:place + 40]!r}"
            if match["token"]:
                self.tokens.append(match["token"])
            place = match.end()
        self.types, self.methods, self.errors = {}, {}, {}
        assert self.take() == "interface"
        self.name = self.take()
        while self.tokens:
            kind, name = self.take(), self.take()
            if kind == "method":
                parameters = self.fields()
                assert self.take() == "->"
                self.methods[name] = (parameters, self.fields())
            else:
                {"type": self.types, "error": self.errors}[kind][name] = self.fields()

    def take(self):
        return self.tokens.pop(0)

    def fields(self):
        """`(a: int, …)` gives a dict; `(a, b)` the tuple of an enumeration."""
        assert self.take() == "("
        fields, words = {}, []
        while self.tokens[0] != ")":
            name = self.take()
            if self.tokens[0] == ":":
                self.take()
                fields[name] = self.type()
            else:
                words.append(name)
            if self.tokens[0] == ",":
                self.take()
        self.take()
        assert not (fields and words)
        return tuple(words) if words else fields

    def type(self):
        if self.tokens[0] == "?":
            self.take()
            return ("?", self.type())
        if self.tokens[0] == "[]":
            self.take()
            return ("[]", self.type())
        if self.tokens[0] == "(":
            return self.fields()
        return self.take()

    def fault(self, value, kind, where=""):
        """What is wrong with the value; None when it is of the type."""
        plain = {"string": str, "int": int, "bool": bool, "float": float, "object": dict}
        if isinstance(kind, tuple) and kind and kind[0] == "?":
            return None if value is None else self.fault(value, kind[1], where)
        if isinstance(kind, tuple) and kind and kind[0] == "[]":
            if not isinstance(value, list):
                return f"{where}: not a list"
            faults = (self.fault(item, kind[1], f"{where}[{i}]") for i, item in enumerate(value))
            return next((fault for fault in faults if fault), None)
        if isinstance(kind, tuple):
            return None if value in kind else f"{where}: {value!r} is none of {kind}"
        if isinstance(kind, dict):
            return self.fault_of_struct(value, kind, where)
        if kind in self.types:
            return self.fault(value, self.types[kind], where)
        assert kind in plain, f"{kind} is no type"
        good = isinstance(value, plain[kind]) and not (kind == "int" and isinstance(value, bool))
        return None if good else f"{where}: {value!r} is no {kind}"

    def fault_of_struct(self, value, kind, where):
        if not isinstance(value, dict):
            return f"{where}: not an object"
        for name in value:
            if name not in kind:
                return f"{where}.{name}: not in the interface"
        for name, of in kind.items():
            optional = isinstance(of, tuple) and of and of[0] == "?"
            if name not in value and not optional:
                return f"{where}.{name}: missing"
            if name in value:
                fault = self.fault(value[name], of, f"{where}.{name}")
                if fault:
                    return fault
        return None
